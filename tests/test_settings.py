"""Settings from the environment."""

import ipaddress
import re

import pytest

from mailadmin import conf
from tests.started_panel import ROOT, SHOW, panel, value


@pytest.mark.parametrize(
    ("name", "nonsense"),
    [
        ("MAILADMIN_ADMIN", "admin"),
        ("MAILADMIN_ALLOWED_HOSTS", "panel example/org"),
        ("MAILADMIN_BIND", "127.0.0.1"),
        ("MAILADMIN_BIND", "127.0.0.1:http"),
        ("MAILADMIN_BIND", "::1:8000"),
        ("MAILADMIN_DATABASE_URL", "postgres://localhost/mail"),
        ("MAILADMIN_DATABASE_URL", "mysql://localhost"),
        ("MAILADMIN_DATABASE_URL", "mysql://user:pass/word@localhost/mail"),
        ("MAILADMIN_DATABASE_URL", "mysql://localhost:mysql/mail"),
        ("MAILADMIN_DATABASE_URL", "mysql://localhost/mail?charset=latin1"),
        ("MAILADMIN_DATABASE_URL", "mysql://localhost/mail?ssl_ca=/nowhere.pem"),
        ("MAILADMIN_DATABASE_URL", "mysql://localhost/mail?ssl_verify=perhaps"),
        ("MAILADMIN_DATABASE_URL", "sqlite://"),
        ("MAILADMIN_DATABASE_TABLES", "alias=x;DROP"),
        ("MAILADMIN_DEBUG", "perhaps"),
        ("MAILADMIN_DEFAULT_ALIASES", "abuse@example.org"),
        ("MAILADMIN_DEFAULT_ALIASES", "abuse="),
        ("MAILADMIN_DOMAIN_QUOTA", "2 GB"),
        ("MAILADMIN_SERVICES", "maildrop smtp:[mx.far.test]"),
        ("MAILADMIN_SYSTEM_USERS", "everybody"),
        ("MAILADMIN_LANGUAGE", "tlh"),
        ("MAILADMIN_LOG_FORMAT", "%(nonsense)s"),
        ("MAILADMIN_LOG_LEVEL", "LOUD"),
        ("MAILADMIN_MAIL_TEMPLATES", "/nowhere"),
        ("MAILADMIN_MAILDIR", "{domain}/"),
        ("MAILADMIN_MAILDIR", "{local_part}/"),
        ("MAILADMIN_MAILDIR", "{domain}/{user}/"),
        ("MAILADMIN_MAILDIR", "/srv/{username}/"),
        ("MAILADMIN_MAILDIR", "../{username}/"),
        ("MAILADMIN_MAILDIR", "{username"),
        ("MAILADMIN_PASSWORD_PREFIX", "maybe"),
        ("MAILADMIN_PASSWORD_RULES", '["[0-9]"]'),
        ("MAILADMIN_PASSWORD_RULES", '{"[0-9": "Use a digit."}'),
        ("MAILADMIN_PASSWORD_RULES", '{"[0-9]": ""}'),
        ("MAILADMIN_PASSWORD_SCHEME", "ROT13"),
        ("MAILADMIN_QUOTA_LIMITS", "domains"),
        ("MAILADMIN_QUOTA_MULTIPLIER", "0"),
        ("MAILADMIN_QUOTA_MULTIPLIER", "1e6"),
        ("MAILADMIN_RECIPIENT_DELIMITER", "plus"),
        ("MAILADMIN_SMTP_URL", "127.0.0.1:25"),
        ("MAILADMIN_SMTP_URL", "smtp://127.0.0.1:smtp"),
        ("MAILADMIN_TABLE_PREFIX", "pfa-"),
        ("MAILADMIN_TIME_ZONE", "Europe/Bielefeld"),
        ("MAILADMIN_TRANSPORT_DEFAULT", ""),
        ("MAILADMIN_TRANSPORT_DEFAULT", "virtual relay"),
        ("MAILADMIN_TRUSTED_PROXIES", "10.0.0.0/33"),
        ("MAILADMIN_UNDO_DAYS", "-1"),
        ("MAILADMIN_URL", "panel.example.org"),
        ("MAILADMIN_URL", "https://panel.example.org/mail"),
        ("MAILADMIN_URL", "https://panel.example.org:https"),
        ("MAILADMIN_USERNAME_LEGAL_CHARS", "[a-z"),
        ("MAILADMIN_VACATION_CHOICE_OF_REPLY", "once"),
        ("MAILADMIN_VACATION_DOMAIN", "auto reply"),
    ],
)
def test_an_invalid_value_stops_the_start_and_names_the_variable(name, nonsense):
    with pytest.raises(SystemExit) as stopped:
        value(name, nonsense)
    assert str(stopped.value).startswith(f"mailadmin: {name} ")
    assert "\n" not in str(stopped.value)


@pytest.mark.parametrize(
    "written, url",
    [
        ("https://Panel.Example.org/", "https://panel.example.org"),
        ("https://panel.example.org:443", "https://panel.example.org"),
        ("http://panel.example.org:80/", "http://panel.example.org"),
        ("https://panel.example.org:8443", "https://panel.example.org:8443"),
    ],
)
def test_the_url_is_stored_as_browsers_name_the_origin(written, url):
    assert value("MAILADMIN_URL", written) == url


def test_a_stopped_start_is_one_line_and_status_1():
    stopped = panel("manage.py", "check", MAILADMIN_UNDO_DAYS="soon")
    assert stopped.returncode == 1
    assert stopped.stderr == "mailadmin: MAILADMIN_UNDO_DAYS 'soon' is not a whole number\n"


def test_the_value_of_a_secret_is_not_shown():
    with pytest.raises(SystemExit) as stopped:
        value("MAILADMIN_DATABASE_URL", "mysql://mail:hunter2@localhost:x/mail")
    assert "hunter2" not in str(stopped.value)


def test_a_misspelt_variable_is_reported_with_a_suggestion():
    shown = panel("-c", SHOW.format("TIME_ZONE"), MAILADMIN_TIMEZONE="Europe/Berlin")
    assert shown.stderr == (
        "mailadmin: unknown setting MAILADMIN_TIMEZONE; did you mean MAILADMIN_TIME_ZONE?\n"
    )
    assert shown.returncode == 0


def test_without_variables_the_panel_uses_sqlite():
    read = conf.read_settings({"MAILADMIN_ENV_FILE": "/dev/null"})
    assert read["MAILADMIN_DATABASE_URL"]["NAME"] == ROOT / "mailadmin.sqlite3"
    assert read["MAILADMIN_DEBUG"] is False


# Sources of values


def test_the_environment_overrides_the_file(tmp_path):
    file = tmp_path / "mailadmin.conf"
    file.write_text(
        "# comment\n\n"
        "MAILADMIN_PAGE_SIZE=20\n"
        "export MAILADMIN_UNDO_DAYS = '7'\n"
        'MAILADMIN_WELCOME_TEXT="Hello # you"\n'
    )
    read = conf.read_settings({"MAILADMIN_ENV_FILE": str(file), "MAILADMIN_PAGE_SIZE": "30"})
    assert read["MAILADMIN_PAGE_SIZE"] == 30
    assert read["MAILADMIN_UNDO_DAYS"] == 7
    assert read["MAILADMIN_WELCOME_TEXT"] == "Hello # you"


def test_an_invalid_line_stops_the_start(tmp_path):
    file = tmp_path / "mailadmin.conf"
    file.write_text("\nMAILADMIN_PAGE_SIZE 20\n")
    with pytest.raises(SystemExit, match="line 2: expected NAME=value"):
        conf.read_settings({"MAILADMIN_ENV_FILE": str(file)})


def test_a_configured_file_must_exist(tmp_path):
    with pytest.raises(SystemExit, match="MAILADMIN_ENV_FILE .*No such file"):
        conf.read_settings({"MAILADMIN_ENV_FILE": str(tmp_path / "none")})


@pytest.mark.parametrize("secret", [setting for setting in conf.SETTINGS if setting.secret])
def test_every_secret_may_be_read_from_a_file(secret, tmp_path):
    wanted = {
        "MAILADMIN_DATABASE_URL": "mysql://localhost/mail",
        "MAILADMIN_SMTP_URL": "smtps://mail.example.org",
    }.get(secret.name, "a secret")
    (tmp_path / "secret").write_text(f"{wanted}\n")
    read = conf.read_settings(
        {"MAILADMIN_ENV_FILE": "/dev/null", f"{secret.name}_FILE": str(tmp_path / "secret")}
    )
    assert read[secret.name] == secret.parse(wanted)


def test_every_password_and_key_is_a_secret():
    named = {
        s.name
        for s in conf.SETTINGS
        if re.search("_KEY$|_PASSWORD$|_TOKEN$|_URL$|_SECRET$", s.name)
    }
    assert named - {"MAILADMIN_URL"} == {s.name for s in conf.SETTINGS if s.secret}


def test_a_secret_given_twice_or_in_a_missing_file_stops_the_start(tmp_path):
    twice = {"MAILADMIN_SECRET_KEY": "x", "MAILADMIN_SECRET_KEY_FILE": "/dev/null"}
    with pytest.raises(SystemExit, match="are both set"):
        conf.read_settings({"MAILADMIN_ENV_FILE": "/dev/null"} | twice)
    with pytest.raises(SystemExit, match="MAILADMIN_SECRET_KEY_FILE .*No such file"):
        conf.read_settings({"MAILADMIN_SECRET_KEY_FILE": str(tmp_path / "none")})


# Parsing


def test_lists_and_pairs_are_parsed():
    assert value("MAILADMIN_DEFAULT_ALIASES", "abuse, hostmaster=ops@example.org,info=abuse") == (
        ("abuse", None),
        ("hostmaster", "ops@example.org"),
        ("info", "abuse"),
    )
    assert value("MAILADMIN_DEFAULT_ALIASES", "") == ()
    assert value("MAILADMIN_TRUSTED_PROXIES", "10.0.0.1,fd00::/8") == (
        ipaddress.ip_network("10.0.0.1/32"),
        ipaddress.ip_network("fd00::/8"),
    )


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("mysql://localhost/mail", "localhost", ""),
        ("mysql://db.example.org:3307/mail", "db.example.org", 3307),
        ("mysql://[2001:db8::1]:3307/mail", "2001:db8::1", 3307),
        ("mysql://[2001:db8::1]/mail", "2001:db8::1", ""),
        ("mysql://a.example.org:3306,b.example.org/mail", "a.example.org:3306,b.example.org", ""),
        ("mariadb://localhost/mail?unix_socket=/run/x.sock", "/run/x.sock", ""),
        ("mysql:///mail", "", ""),
    ],
)
def test_hosts_of_a_database_url_are_parsed(url, host, port):
    entry = value("MAILADMIN_DATABASE_URL", url)
    assert (entry["HOST"], entry["PORT"], entry["NAME"]) == (host, port, "mail")


def test_user_and_password_are_percent_decoded():
    entry = value("MAILADMIN_DATABASE_URL", "mysql://m%40il:p%2Fq%3A%25@r@localhost/mail")
    assert (entry["USER"], entry["PASSWORD"]) == ("m@il", "p/q:%@r")


def test_a_configured_ca_verifies_the_server(tmp_path):
    (tmp_path / "ca.pem").touch()
    entry = value("MAILADMIN_DATABASE_URL", f"mysql://db/mail?ssl_ca={tmp_path}/ca.pem")
    assert entry["OPTIONS"] == {
        "ssl": {"ca": f"{tmp_path}/ca.pem"},
        "ssl_mode": "VERIFY_IDENTITY",
    }


@pytest.mark.parametrize(
    ("url", "port", "starttls", "tls"),
    [("smtp", 25, False, False), ("smtp+starttls", 587, True, False), ("smtps", 465, False, True)],
)
def test_the_mail_server_url_is_parsed(url, port, starttls, tls):
    email = value("MAILADMIN_SMTP_URL", f"{url}://p%40nel:s%2Fcret@mail.example.org")
    assert email == {
        "EMAIL_HOST": "mail.example.org",
        "EMAIL_PORT": port,
        "EMAIL_HOST_USER": "p@nel",
        "EMAIL_HOST_PASSWORD": "s/cret",
        "EMAIL_USE_TLS": starttls,
        "EMAIL_USE_SSL": tls,
        "EMAIL_CA_FILE": "",
        "EMAIL_VERIFIES_TLS": True,
    }


# The one table


def test_every_setting_of_the_code_is_declared():
    declared = {setting.name for setting in conf.SETTINGS}
    used = set()
    for folder in ("mailadmin", "domains", "mailboxes", "templates", "deploy"):
        for file in (ROOT / folder).rglob("*"):
            if file.suffix in (".py", ".html", ".txt"):
                used |= set(re.findall(r"settings\.(MAILADMIN_\w+)", file.read_text()))
    assert used - declared == set()


@pytest.mark.parametrize("name", ["MAILADMIN_VACATION", "MAILADMIN_DEBUG", "MAILADMIN_API_RATE"])
def test_an_empty_variable_is_neither_true_nor_false(name):
    """As compose files pass unset variables: each kind of setting stops the start."""
    stopped = panel("-c", SHOW.format("BASE_DIR"), **{name: ""})
    assert stopped.returncode == 1
    assert name in stopped.stderr


def test_the_default_file_is_that_of_the_documentation():
    example = conf.BASE_DIR / "docs/install.md"
    assert conf.DEFAULT_ENV_FILE in example.read_text()
    assert conf.DEFAULT_ENV_FILE in (conf.BASE_DIR / "deploy/mailadmin.service").read_text()
