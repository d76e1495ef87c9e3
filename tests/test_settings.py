"""Settings from the environment."""

import ipaddress
import json
import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor

import pytest
from django.conf import settings
from django.db import OperationalError, ProgrammingError, connection

from mailadmin import conf
from mailadmin.settings import read_secret_key_file
from tests.legacy_databases import environment

ROOT = conf.BASE_DIR
KEY = "0123456789" * 6
HTTPS = "https://panel.example.org"
SHOW = "from mailadmin import settings; print(settings.{})"


def panel(*arguments, **environ):
    """Run Python with only a database, a key and the given variables for the panel."""
    ours = ("MAILADMIN_", "DJANGO_")
    bare = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    bare |= {
        "MAILADMIN_ENV_FILE": "/dev/null",
        "MAILADMIN_DATABASE_URL": os.environ["TEST_DATABASE_URL"],
        "MAILADMIN_SECRET_KEY": KEY,
    }
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=bare | environ, capture_output=True, text=True
    )


def value(name, given):
    return conf.read_settings({name: given, "MAILADMIN_ENV_FILE": "/dev/null"})[name]


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
        ("MAILADMIN_DATABASE_URL", "sqlite://"),
        ("MAILADMIN_DEBUG", "perhaps"),
        ("MAILADMIN_DEFAULT_ALIASES", "abuse@example.org"),
        ("MAILADMIN_DEFAULT_ALIASES", "abuse="),
        ("MAILADMIN_DOMAIN_QUOTA", "2 GB"),
        ("MAILADMIN_SERVICES", "maildrop smtp:[mx.far.test]"),
        ("MAILADMIN_SYSTEM_USERS", "everybody"),
        ("MAILADMIN_LANGUAGE", "tlh"),
        ("MAILADMIN_LOG_FORMAT", "%(nonsense)s"),
        ("MAILADMIN_LOG_LEVEL", "LOUD"),
        ("MAILADMIN_MAILDIR", "{domain}/"),
        ("MAILADMIN_MAILDIR", "{local_part}/"),
        ("MAILADMIN_MAILDIR", "{domain}/{user}/"),
        ("MAILADMIN_MAILDIR", "/srv/{username}/"),
        ("MAILADMIN_MAILDIR", "../{username}/"),
        ("MAILADMIN_MAILDIR", "{username"),
        ("MAILADMIN_PASSWORD_PREFIX", "maybe"),
        ("MAILADMIN_PASSWORD_SCHEME", "ROT13"),
        ("MAILADMIN_QUOTA_MULTIPLIER", "0"),
        ("MAILADMIN_QUOTA_MULTIPLIER", "1e6"),
        ("MAILADMIN_RECIPIENT_DELIMITER", "plus"),
        ("MAILADMIN_SMTP_URL", "127.0.0.1:25"),
        ("MAILADMIN_SMTP_URL", "smtp://127.0.0.1:smtp"),
        ("MAILADMIN_TABLE_PREFIX", "pfa-"),
        ("MAILADMIN_TIME_ZONE", "Europe/Bielefeld"),
        ("MAILADMIN_TRUSTED_PROXIES", "10.0.0.0/33"),
        ("MAILADMIN_UNDO_DAYS", "-1"),
        ("MAILADMIN_URL", "panel.example.org"),
        ("MAILADMIN_URL", "https://panel.example.org/mail"),
        ("MAILADMIN_URL", "https://panel.example.org:https"),
        ("MAILADMIN_VACATION_DOMAIN", "auto reply"),
    ],
)
def test_an_invalid_value_stops_the_start_and_names_the_variable(name, nonsense):
    with pytest.raises(SystemExit) as stopped:
        value(name, nonsense)
    assert str(stopped.value).startswith(f"mailadmin: {name} ")
    assert "\n" not in str(stopped.value)


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
    named = {s.name for s in conf.SETTINGS if re.search("_KEY$|_PASSWORD$|_TOKEN$|_URL$", s.name)}
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
    }


def test_mysql_requires_a_secret_key():
    stopped = panel(
        "manage.py",
        "check",
        MAILADMIN_DATABASE_URL="mysql://localhost/mail",
        MAILADMIN_SECRET_KEY="",
    )
    assert stopped.returncode == 1
    assert stopped.stderr.startswith("mailadmin: MAILADMIN_SECRET_KEY is required with MySQL")
    assert stopped.stderr.count("\n") == 1


def test_a_missing_driver_is_reported_with_the_install_command():
    stopped = panel(
        "-c",
        "import sys; sys.modules['MySQLdb'] = None; import mailadmin.settings",
        MAILADMIN_DATABASE_URL="mysql://localhost/mail",
    )
    assert stopped.returncode == 1
    assert "pip install mysqlclient" in stopped.stderr
    assert stopped.stderr.count("\n") == 1


def test_sqlite_and_its_secret_key_are_created_once_and_private(tmp_path):
    given = {"MAILADMIN_DATABASE_URL": f"sqlite://{tmp_path}/x", "MAILADMIN_SECRET_KEY": ""}
    first = panel("-c", SHOW.format("SECRET_KEY"), **given)
    second = panel("-c", SHOW.format("SECRET_KEY"), **given)
    assert len(first.stdout) > 50
    assert first.stdout == second.stdout
    made = {file.name: file.stat().st_mode & 0o777 for file in tmp_path.iterdir()}
    assert made == {"x": 0o600, "x.secret-key": 0o600}


def test_many_first_starts_agree_on_one_secret_key(tmp_path):
    with ProcessPoolExecutor(8) as starts:
        keys = set(starts.map(read_secret_key_file, [tmp_path / "x"] * 64))
    assert len(keys) == 1


def test_a_missing_directory_is_reported(tmp_path):
    stopped = panel("manage.py", "check", MAILADMIN_DATABASE_URL=f"sqlite://{tmp_path}/no/x")
    assert stopped.returncode == 1
    assert stopped.stderr.startswith("mailadmin: MAILADMIN_DATABASE_URL: the folder")


# Safety


def test_check_deploy_is_clean_with_an_https_address():
    checked = panel(
        "manage.py",
        "check",
        "--deploy",
        "--fail-level",
        "WARNING",
        MAILADMIN_URL="https://panel.example.org",
    )
    assert checked.returncode == 0, checked.stderr
    assert "no issues" in checked.stdout


def test_an_https_address_makes_cookies_secure_and_is_an_allowed_host():
    names = (
        "SESSION_COOKIE_SECURE CSRF_COOKIE_SECURE SECURE_SSL_REDIRECT SECURE_HSTS_SECONDS "
        "ALLOWED_HOSTS CSRF_TRUSTED_ORIGINS"
    )
    code = "import json; from mailadmin import settings as s; "
    code += f"print(json.dumps([getattr(s, name) for name in {names.split()!r}]))"
    shown = panel("-c", code, MAILADMIN_URL="https://Panel.example.org/")
    assert json.loads(shown.stdout) == [
        True,
        True,
        True,
        31536000,
        ["localhost", "127.0.0.1", "panel.example.org"],
        ["https://panel.example.org"],
    ]


def test_inline_scripts_and_styles_are_forbidden():
    policy = settings.CONTENT_SECURITY_POLICY["DIRECTIVES"]
    assert policy["default-src"] == ["'self'"]
    assert not [s for sources in policy.values() for s in sources if "unsafe" in s]


@pytest.mark.mariadb
@pytest.mark.django_db
class TestMariaDBConnection:
    def run_query(self, sql):
        with connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall()

    def test_a_second_statement_is_refused(self):
        with pytest.raises(ProgrammingError):
            self.run_query("SELECT 1; SELECT 2")

    def test_local_infile_is_disabled(self):
        with pytest.raises(OperationalError, match="disabled|not allowed"):
            self.run_query("LOAD DATA LOCAL INFILE '/etc/hostname' INTO TABLE django_session")

    def test_writing_is_strict_and_zero_dates_are_read(self):
        assert self.run_query("SELECT @@sql_mode") == (("STRICT_TRANS_TABLES",),)
        assert self.run_query("SELECT CAST('0000-00-00 00:00:00' AS DATETIME)") == ((None,),)

    def test_concurrent_commits_are_visible(self):
        assert self.run_query("SELECT @@tx_isolation") == (("READ-COMMITTED",),)


@pytest.mark.mariadb
def test_the_next_host_serves_when_one_does_not(mariadb):
    hosts = f"127.0.0.1:1,127.0.0.1:{mariadb.port}"
    url = mariadb.url().replace(f"127.0.0.1:{mariadb.port}", hosts)
    code = "import django; django.setup(); from django.db import connection; "
    code += "print(connection.mysql_server_data)"
    django = {"DJANGO_SETTINGS_MODULE": "mailadmin.settings"}
    shown = panel("-c", code, MAILADMIN_DATABASE_URL=url, **django)
    assert "MariaDB" in shown.stdout, shown.stderr


# The one table


def test_every_setting_of_the_code_is_declared():
    declared = {setting.name for setting in conf.SETTINGS}
    used = set()
    for folder in ("mailadmin", "domains", "mailboxes", "templates", "deploy"):
        for file in (ROOT / folder).rglob("*"):
            if file.suffix in (".py", ".html", ".txt"):
                used |= set(re.findall(r"settings\.(MAILADMIN_\w+)", file.read_text()))
    assert used - declared == set()


@pytest.mark.parametrize(
    ("choice", "header"),
    [
        ("", "max-age=31536000"),
        ("host", "max-age=31536000"),
        ("subdomains", "max-age=31536000; includeSubDomains"),
        ("preload", "max-age=31536000; includeSubDomains; preload"),
        ("no", None),
    ],
)
def test_hsts_is_sent_as_configured(choice, header):
    """Behind an HTTPS proxy, which is detected by a header of trusted proxies."""
    environ = {"MAILADMIN_URL": HTTPS, "MAILADMIN_TRUSTED_PROXIES": "127.0.0.1"}
    found = answer_of(environ | ({"MAILADMIN_HSTS": choice} if choice else {}))
    assert found["status"] == 200
    assert found["headers"].get("Strict-Transport-Security") == header
    assert "Secure" in found["cookies"]


def test_plain_http_is_redirected_unless_a_trusted_proxy_marks_it_secure():
    found = answer_of({"MAILADMIN_URL": HTTPS, "MAILADMIN_TRUSTED_PROXIES": "192.0.2.1"})
    assert found["status"] == 301
    assert found["headers"]["Location"] == "https://panel.example.org/login/"


def test_no_page_shows_details_in_production():
    """Neither an error nor a missing page shows settings, paths or source code."""
    for page, status in (("/nothing/", 404), ("/healthz?%00", 200), ("/login/%ff", 404)):
        found = answer_of({}, page)
        assert found["status"] == status
        for word in ("Traceback", "MAILADMIN_", "urlpatterns", "DEBUG", "settings.py"):
            assert word not in found["text"]


ANSWER = """
import json, sys
import django
django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
from django.test import Client
client = Client(raise_request_exception=False, SERVER_NAME="panel.example.org")
answer = client.get(sys.argv[1], HTTP_X_FORWARDED_PROTO="https", HTTP_HOST=sys.argv[2])
print(json.dumps({
    "status": answer.status_code, "headers": dict(answer.headers),
    "cookies": str(answer.cookies), "text": answer.content.decode(),
}))
"""


def answer_of(environ, page="/login/"):
    """Return the response of a panel with these variables."""
    host = "panel.example.org" if "MAILADMIN_URL" in environ else "localhost"
    with tempfile.TemporaryDirectory() as folder:
        own = environment(MAILADMIN_DATABASE_URL=f"sqlite://{folder}/test.sqlite3", **environ)
        done = subprocess.run(
            [sys.executable, "-c", ANSWER, page, host],
            cwd=ROOT,
            env=own,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


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
