"""The variables of PostfixAdmin's official container."""

from pathlib import Path

import pytest

from mailadmin import conf
from mailadmin.passwords.schemes import parse_scheme_setting
from tests.started_panel import SHOW, panel

DATABASE = {
    "POSTFIXADMIN_DB_TYPE": "mysqli",
    "POSTFIXADMIN_DB_HOST": "db",
    "POSTFIXADMIN_DB_USER": "post@fix",
    "POSTFIXADMIN_DB_PASSWORD": "p:w/d",
    "POSTFIXADMIN_DB_NAME": "postfixadmin",
}


def read(variables, **more):
    return conf.read_settings({"MAILADMIN_ENV_FILE": "/dev/null"} | variables | more, pytest.fail)


def read_error(variables, **more):
    with pytest.raises(SystemExit) as stopped:
        read(variables, **more)
    assert "\n" not in str(stopped.value)
    return str(stopped.value).removeprefix("mailadmin: ")


def test_the_database_is_that_of_the_container():
    entry = read(DATABASE, POSTFIXADMIN_DB_PORT="3307")["MAILADMIN_DATABASE_URL"]
    assert (entry["HOST"], entry["PORT"], entry["NAME"]) == ("db", 3307, "postfixadmin")
    assert (entry["USER"], entry["PASSWORD"]) == ("post@fix", "p:w/d")
    assert read(DATABASE)["MAILADMIN_DATABASE_URL"]["PORT"] == ""


def test_sqlite_is_the_containers_default():
    entry = read({"POSTFIXADMIN_DB_TYPE": "sqlite"})["MAILADMIN_DATABASE_URL"]
    assert entry["NAME"] == Path("/var/tmp/postfixadmin.db")
    entry = read({"POSTFIXADMIN_DB_NAME": "/srv/mail.db"})["MAILADMIN_DATABASE_URL"]
    assert entry["NAME"] == Path("/srv/mail.db")


def test_secrets_come_from_files(tmp_path):
    (tmp_path / "password").write_text("from file\n")
    files = {"POSTFIXADMIN_DB_PASSWORD_FILE": str(tmp_path / "password")}
    entry = read(DATABASE | files, POSTFIXADMIN_DB_PASSWORD="")["MAILADMIN_DATABASE_URL"]
    assert entry["PASSWORD"] == "from file"
    assert read_error(DATABASE | files) == (
        "POSTFIXADMIN_DB_PASSWORD and POSTFIXADMIN_DB_PASSWORD_FILE are both set; remove one"
    )
    missing = read_error({"POSTFIXADMIN_ENCRYPT_FILE": "/nowhere"})
    assert missing == "POSTFIXADMIN_ENCRYPT_FILE '/nowhere': No such file or directory"


def test_the_panels_own_variables_and_its_file_come_first(tmp_path):
    own = {"MAILADMIN_DATABASE_URL": "sqlite:///srv/own.db", "MAILADMIN_PASSWORD_SCHEME": "SSHA"}
    container = DATABASE | {"POSTFIXADMIN_ENCRYPT": "md5", "POSTFIXADMIN_DB_TYPE": "pgsql"}
    values = read(container, **own)
    assert values["MAILADMIN_DATABASE_URL"]["NAME"] == Path("/srv/own.db")
    assert values["MAILADMIN_PASSWORD_SCHEME"] == "SSHA"
    assert values["MAILADMIN_PASSWORD_PREFIX"] == "auto"
    file = tmp_path / "mailadmin.env"
    file.write_text("".join(f"{name}={value}\n" for name, value in own.items()))
    assert read(container, MAILADMIN_ENV_FILE=str(file)) == values


def test_mails_go_to_the_containers_server():
    url = read({"POSTFIXADMIN_SMTP_SERVER": "postfix"})["MAILADMIN_SMTP_URL"]
    assert (url["EMAIL_HOST"], url["EMAIL_PORT"]) == ("postfix", 25)
    url = read({"POSTFIXADMIN_SMTP_PORT": "2525"})["MAILADMIN_SMTP_URL"]
    assert (url["EMAIL_HOST"], url["EMAIL_PORT"]) == ("localhost", 2525)


@pytest.mark.parametrize(
    ("dkim", "all_admins", "value"),
    [("YES", "NO", "superadmins"), ("yes", "YES", "admins"), ("NO", "YES", "no")],
)
def test_dkim_is_managed_by_the_same_people(dkim, all_admins, value):
    variables = {"POSTFIXADMIN_DKIM": dkim, "POSTFIXADMIN_DKIM_ALL_ADMINS": all_admins}
    assert read(variables)["MAILADMIN_DKIM"] == value


@pytest.mark.parametrize(
    ("encrypt", "scheme", "prefix"),
    [
        ("md5crypt", "BLF-CRYPT", "auto"),
        ("php_crypt", "BLF-CRYPT", "auto"),
        ("SHA512-CRYPT", "SHA512-CRYPT", "yes"),
        ("sha512.b64", "SHA512-CRYPT.B64", "yes"),
        ("php_crypt:SHA512::{SHA512-CRYPT}", "SHA512-CRYPT", "yes"),
        ("dovecot:ARGON2ID", "ARGON2ID", "yes"),
    ],
)
def test_passwords_are_stored_as_the_container_stores_them(encrypt, scheme, prefix):
    values = read({"POSTFIXADMIN_ENCRYPT": encrypt})
    stored = parse_scheme_setting(values["MAILADMIN_PASSWORD_SCHEME"])
    assert stored == parse_scheme_setting(scheme)
    assert values["MAILADMIN_PASSWORD_PREFIX"] == prefix


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"POSTFIXADMIN_DB_TYPE": "pgsql"},
            "POSTFIXADMIN_DB_TYPE is pgsql: the panel works on MySQL, MariaDB and SQLite only",
        ),
        (
            {"POSTFIXADMIN_DB_TYPE": "oracle"},
            "POSTFIXADMIN_DB_TYPE is 'oracle'; expected mysqli or sqlite",
        ),
        (
            {"POSTFIXADMIN_DB_TYPE": ""},
            "POSTFIXADMIN_DB_TYPE is ''; expected mysqli or sqlite",
        ),
        (
            {"POSTFIXADMIN_DB_PASSWORD": ""},
            "POSTFIXADMIN_DB_PASSWORD is required with DB_TYPE=mysqli",
        ),
        (
            {"POSTFIXADMIN_SMTP_PORT": "mail"},
            "POSTFIXADMIN_SMTP_SERVER, POSTFIXADMIN_SMTP_PORT is not smtp://, smtp+starttls:// or"
            " smtps:// with a host",
        ),
        (
            {"POSTFIXADMIN_ENCRYPT": "mysql_encrypt"},
            "POSTFIXADMIN_ENCRYPT 'mysql_encrypt' is not a password scheme that Dovecot supports"
            " and mailadmin can write",
        ),
    ],
)
def test_a_value_that_makes_no_sense_names_the_containers_variable(changes, message):
    assert read_error(DATABASE | changes) == message


def test_what_means_nothing_to_the_panel_is_ignored_and_what_is_misspelt_is_reported():
    ignored = ("SETUP_PASSWORD", "CONFIGURED", "CONFIGURED_FILE")
    values = read({f"POSTFIXADMIN_{name}": "x" for name in ignored})
    assert values == read({})
    warnings = []
    environ = {"MAILADMIN_ENV_FILE": "/dev/null", "POSTFIXADMIN_DB_HOTS": "db"}
    conf.read_settings(environ, warnings.append)
    assert warnings == ["unknown variable POSTFIXADMIN_DB_HOTS"]


def test_variables_of_the_container_do_not_stop_a_panel_with_its_own_database(tmp_path):
    started = panel(
        "-c",
        SHOW.format("DATABASES['default']['NAME']"),
        MAILADMIN_DATABASE_URL=f"sqlite://{tmp_path}/own.db",
        POSTFIXADMIN_DB_TYPE="pgsql",
    )
    assert started.stdout == f"{tmp_path}/own.db\n"
