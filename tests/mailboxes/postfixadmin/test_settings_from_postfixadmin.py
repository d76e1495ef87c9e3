"""`settings-from-postfixadmin`: the settings of PostfixAdmin become those of the panel."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from mailadmin import conf
from mailboxes.postfixadmin.joint_settings import JOINT_SETTINGS
from mailboxes.postfixadmin.options import OPTIONS
from mailboxes.postfixadmin.outcomes import GROUPS, NOT_NEEDED
from mailboxes.postfixadmin.php_config import read_files
from mailboxes.postfixadmin.settings import convert_scope, get_setting
from mailboxes.postfixadmin.settings_output import quote_value
from tests.postfixadmin import package

LOCAL = """<?php
$CONF['configured'] = true;
$CONF['database_type'] = 'mysqli';
$CONF['database_host'] = 'db.example.org';
$CONF['database_port'] = '3307';
$CONF['database_user'] = 'postfix';
$CONF['database_password'] = 'p@ss:w/rd';
$CONF['database_name'] = 'mail';
$CONF['encrypt'] = 'php_crypt:SHA512::{SHA512-CRYPT}';
$CONF['domain_in_mailbox'] = 'YES';
$CONF['default_aliases'] = array('abuse' => 'abuse@example.org', 'root' => '');
$CONF['aliases'] = '20';
$CONF['alias_domain'] = 'NO';
$CONF['welcome_text'] = "Hello,\\nyour mailbox isn't far.";
$CONF['smtp_server'] = 'mx.example.org';
$CONF['transport_options'] = array('virtual', 'lmtp:unix:private/dovecot-lmtp');
$CONF['mailbox_postcreation_script'] = 'sudo /usr/local/bin/new-mailbox';
$CONF['maildir_name_hook'] = 'NO';
$CONF['admin_struct_hook'] = function ($struct) { return $struct; };
$CONF['emailcheck_resolve_domian'] = 'NO';
$CONF['mailbox_postcreation_hook '] = 'x_mailbox_created';
$CONF['mailbox_struct_hook'] = 'x_struct_mailbox_modify';
"""
# Options of PostfixAdmin that the tested release's package does not have.
LATER_OPTIONS = (
    "smtp_username smtp_type username_legal_chars emailcheck_localaliasonly totp app_passwords dkim"
    " dkim_all_admins mailbox_postpassword_script mailbox_post_TOTP_change_secret_script"
    " mailbox_post_totp_exception_add_script mailbox_post_totp_exception_delete_script"
    " mailbox_postapppassword_script domain_postedit_script site_url smtp_active_flag"
    " domain_list_hide_maxquota domain_list_hide_password_expiry dkim_struct_hook"
    " dkim_signing_struct_hook totp_exception_address_struct_hook mailbox_postcreation_hook"
    " database_port min_password_length logo_url"
)


@pytest.fixture
def local(tmp_path):
    path = tmp_path / "config.local.php"
    path.write_text(LOCAL)
    return path


def run(*arguments, folder=None):
    """Run the command as people do, with no setting of the panel at all."""
    environ = {name: value for name, value in os.environ.items() if "MAILADMIN" not in name}
    environ = {name: value for name, value in environ.items() if name[:7] != "DJANGO_"}
    return subprocess.run(
        [sys.executable, conf.BASE_DIR / "manage.py", "settings-from-postfixadmin", *arguments],
        capture_output=True,
        text=True,
        env=environ,
        cwd=folder,
    )


def convert(tmp_path, source):
    """Return the variables that are set, and the texts of what is not converted."""
    path = tmp_path / "config.php"
    path.write_text(f"<?php {source}")
    report = convert_scope(read_files([path]))
    made = {each.variable: each.value for each in report.of_group("set")}
    return made, {each.options[-1]: each.text for each in report.of_group("cannot be converted")}


def test_the_panel_starts_with_what_is_printed(local, tmp_path):
    written = tmp_path / "mailadmin.env"
    done = run(local, "--output", written)
    assert done.returncode == 0, done.stderr
    assert stat.S_IMODE(written.stat().st_mode) == 0o600
    values = conf.read_settings({"MAILADMIN_ENV_FILE": str(written)}, pytest.fail)
    database = values["MAILADMIN_DATABASE_URL"]
    assert (database["HOST"], database["PORT"], database["NAME"]) == (
        "db.example.org",
        3307,
        "mail",
    )
    assert (database["USER"], database["PASSWORD"]) == ("postfix", "p@ss:w/rd")
    assert values["MAILADMIN_PASSWORD_SCHEME"] == "SHA512-CRYPT"
    assert values["MAILADMIN_PASSWORD_PREFIX"] == "yes"
    assert values["MAILADMIN_MAILDIR"] == "{domain}/{username}/"
    assert values["MAILADMIN_DEFAULT_ALIASES"] == (("abuse", "abuse@example.org"), ("root", None))
    assert values["MAILADMIN_DOMAIN_ALIASES"] == 20
    script = values["MAILADMIN_MAILBOX_POSTCREATION_SCRIPT"]
    assert script == ("sudo", "/usr/local/bin/new-mailbox")
    assert values["MAILADMIN_ALIAS_DOMAIN"] is False
    assert values["MAILADMIN_WELCOME_TEXT"] == "Hello,\\nyour mailbox isn't far."
    assert values["MAILADMIN_SMTP_URL"]["EMAIL_HOST"] == "mx.example.org"
    assert values["MAILADMIN_TRANSPORTS"] == ("virtual", "lmtp:unix:private/dovecot-lmtp")


def test_what_cannot_be_converted_says_what_to_do(local):
    done = run(local)
    place = f"({local}, line "
    for text in (
        f"mailbox_postcreation_hook {place}21): the panel calls no functions of PHP",
        f"admin_struct_hook {place}19): the panel calls no functions of PHP",
        f"mailbox_struct_hook {place}22): name columns of your own in MAILADMIN_CUSTOM_COLUMNS",
        f"emailcheck_resolve_domian {place}20): PostfixAdmin has no option of this name",
    ):
        assert f"# {text}" in done.stdout
        assert f"  {text}" in done.stderr
    assert "MAILADMIN_SECRET_KEY" in done.stdout
    assert "config.inc.php was not read" in done.stderr
    assert "p@ss" not in done.stderr


def test_nothing_is_written_over_or_left_behind(local, tmp_path):
    written = tmp_path / "mailadmin.env"
    written.write_text("mine")
    done = run(local, "--output", written, folder=tmp_path)
    assert (done.returncode, written.read_text()) == (1, "mine")
    assert done.stderr.endswith(f"{written}: File exists\n")
    assert {path.name for path in tmp_path.iterdir()} == {"config.local.php", "mailadmin.env"}


def test_the_exit_status_tells_wrong_files_from_wrong_usage(tmp_path):
    broken = tmp_path / "broken.php"
    broken.write_text("<?php\n$CONF['a'] = 'x;\n")
    done = run(broken)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"{broken}, line 2: a string has no end\n"
    assert run(tmp_path / "nothing.php").returncode == 1
    assert run(tmp_path).returncode == 1
    assert run().returncode == 2
    assert run(broken, "--nonsense").returncode == 2


def test_json_has_every_option_and_its_group(local):
    answer = json.loads(run(local, "--json").stdout)
    assert answer["settings"]["MAILADMIN_DOMAIN_ALIASES"] == "20"
    groups = {name: each["group"] for each in answer["options"] for name in each["options"]}
    assert groups.keys() == {str(name).strip() for name in read_files([local]).options}
    assert set(groups.values()) <= set(GROUPS)
    assert groups["configured"] == NOT_NEEDED
    (database,) = [each for each in answer["options"] if "database_name" in each["options"]]
    assert database["value"] is None


# The table of options


def known_options():
    return set(OPTIONS) | {name for joint in JOINT_SETTINGS for name in joint.options.split()}


def test_every_option_of_postfixadmin_has_an_entry(tmp_path):
    shipped = package() / "etc/postfixadmin/config.inc.php"
    config = tmp_path / "config.inc.php"
    config.write_bytes(shipped.read_bytes())
    (tmp_path / "dbconfig.inc.php").write_text("<?php $dbtype = $dbserver = $dbuser = '';")
    names = {str(name).strip() for name in read_files([config]).options}
    assert len(names) > 90
    assert names | set(LATER_OPTIONS.split()) <= known_options()


def test_every_entry_names_a_variable_or_a_reason():
    for name, option in OPTIONS.items():
        if option.variable not in ("", NOT_NEEDED):
            assert get_setting(option.variable), name
        else:
            assert option.default_reason, name
    for joint in JOINT_SETTINGS:
        assert get_setting(joint.variable).secret == joint.secret


# Values


@pytest.mark.parametrize(
    ("encrypt", "version", "scheme", "prefix"),
    [
        ("php_crypt", "4.0.1", None, None),
        ("php_crypt", "3.3.13", "SHA512-CRYPT", None),
        ("md5crypt", "3.3.13", "MD5-CRYPT", None),
        ("md5crypt", "4.0.1", None, None),
        ("php_crypt:BLOWFISH", "3.3.13", None, None),
        ("php_crypt:SHA512:7000", "3.3.13", "php_crypt:sha512:7000", None),
        ("dovecot:CRAM-MD5", "3.3.13", "CRAM-MD5", "yes"),
        ("ARGON2ID", "4.0.1", "ARGON2ID", "yes"),
        ("sha512.b64", "3.3.13", "SHA512-CRYPT.B64", "yes"),
        ("md5", "3.3.13", "PLAIN-MD5", "no"),
        ("cleartext", "3.3.13", "CLEARTEXT", "no"),
        ("cleartext", "4.0.1", "CLEARTEXT", "yes"),
    ],
)
def test_schemes_are_those_that_postfixadmin_stores(tmp_path, encrypt, version, scheme, prefix):
    source = f"$CONF['encrypt'] = '{encrypt}'; $CONF['version'] = '{version}';"
    made, left = convert(tmp_path, source)
    assert (made.get("PASSWORD_SCHEME"), made.get("PASSWORD_PREFIX")) == (scheme, prefix)
    assert left == {}


@pytest.mark.parametrize("encrypt", ["mysql_encrypt", "authlib", "courier:md5raw", "nonsense"])
def test_a_scheme_that_cannot_be_written_is_left_to_people(tmp_path, encrypt):
    made, left = convert(tmp_path, f"$CONF['encrypt'] = '{encrypt}';")
    assert made == {}
    assert "choose a MAILADMIN_PASSWORD_SCHEME" in left["encrypt"]


def test_a_scheme_that_depends_on_the_version_is_not_guessed(tmp_path):
    made, left = convert(tmp_path, "$CONF['encrypt'] = 'md5crypt';")
    assert made == {}
    assert "MD5-CRYPT by PostfixAdmin 3, BLF-CRYPT by PostfixAdmin 4" in left["encrypt"]


@pytest.mark.parametrize(
    ("source", "variable", "value"),
    [
        ("$CONF['database_type'] = 'sqlite'; $CONF['database_name'] = '/srv/mail.db';",
         "DATABASE_URL", "sqlite:///srv/mail.db"),
        ("$CONF['database_socket'] = '/run/mysqld.sock'; $CONF['database_name'] = 'mail';",
         "DATABASE_URL", "mysql://localhost/mail?unix_socket=/run/mysqld.sock"),
        ("$CONF['domain_path'] = 'NO';", "MAILDIR", "{username}/"),
        ("$CONF['quota'] = 'YES'; $CONF['maxquota'] = 10;", "DOMAIN_MAXQUOTA", "10"),
        ("$CONF['quota'] = 'NO'; $CONF['maxquota'] = 10;", "DOMAIN_MAXQUOTA", None),
        ("$CONF['forgotten_user_password_reset'] = false;", "PASSWORD_RECOVERY", "no"),
        ("$CONF['forgotten_admin_password_reset'] = true;", "PASSWORD_RECOVERY", None),
        ("$CONF['smtp_type'] = 'tls'; $CONF['smtp_port'] = 465; $CONF['smtp_username'] = 'a@b';"
         " $CONF['admin_smtp_password'] = 'p/w';", "SMTP_URL", "smtps://a%40b:p%2Fw@localhost:465"),
        ("$CONF['password_validation'] = ['/.{12}/' => 'password_too_short 12'];",
         "PASSWORD_LENGTH", "12"),
        ("$CONF['password_validation'] = ['/.{5}/' => 'password_too_short 5'];",
         "PASSWORD_LENGTH", None),
        ("$CONF['dkim'] = 'YES';", "DKIM", "superadmins"),
        ("$CONF['dkim'] = 'YES'; $CONF['dkim_all_admins'] = 'YES';", "DKIM", "admins"),
        ("$CONF['fetchmail'] = 'YES';", "FETCHMAIL", "yes"),
        ("$CONF['mailbox_post_TOTP_change_secret_script'] = 'sudo -u vmail x';",
         "MAILBOX_POST_TOTP_CHANGE_SECRET_SCRIPT", "sudo -u vmail x"),
        ("$CONF['site_url'] = 'https://pfa.example.org/';", "URL", "https://pfa.example.org"),
        ("date_default_timezone_set('Europe/Berlin');", "TIME_ZONE", "Europe/Berlin"),
        ("$CONF['database_tables'] = ['admin' => 'adm', 'log' => 'log'];",
         "DATABASE_TABLES", "admin=adm"),
        ("$CONF['database_use_ssl'] = true; $CONF['database_ssl_verify_server_cert'] = false;"
         " $CONF['database_name'] = 'mail';", "DATABASE_URL",
         "mysql://localhost/mail?ssl_verify=no"),
        ("$CONF['quota'] = 'NO';", "QUOTA_LIMITS", "no"),
        ("$CONF['quota'] = 'YES'; $CONF['domain_quota'] = 'NO';", "QUOTA_LIMITS", "mailboxes"),
        ("$CONF['quota'] = 'YES';", "QUOTA_LIMITS", None),
        ("$CONF['sendmail'] = 'NO';", "BROADCAST", "no"),
        ("$CONF['sendmail_all_admins'] = 'YES';", "BROADCAST", "admins"),
        ("$CONF['forgotten_user_password_reset'] = false;"
         " $CONF['forgotten_admin_password_reset'] = true;", "PASSWORD_RECOVERY", "admins"),
        ("$CONF['password_validation'] = ['/.{9}/' => 'password_too_short 9',"
         " '/[!?]/i' => 'password_no_special 1'];", "PASSWORD_RULES",
         '{"(?i)[!?]": "Use a special character."}'),
        ("$CONF['password_validation'] = ['/[!].*[!]/' => 'password_no_special 2',"
         " '/[0-9]/' => 'Use {one} of 0-9!'];", "PASSWORD_RULES",
         '{"[!].*[!]": "Use at least 2 special characters.", "[0-9]": "Use {one} of 0-9!"}'),
        ("$CONF['password_validation'] = ['/([a-zA-Z].*){3}/' => 'password_no_characters 3',"
         " '/([0-9].*){2}/' => 'password_no_digits 2'];", "PASSWORD_RULES", None),
        ("$CONF['vacation_choice_of_reply'] = [0 => 'once', 3600 => 'hour'];",
         "VACATION_CHOICE_OF_REPLY", "0,3600"),
        ("$CONF['password_expiration'] = 'NO';", "PASSWORD_EXPIRATION", "no"),
        ("$CONF['transport_default'] = 'lmtp:inet:[::1]:24';", "TRANSPORT_DEFAULT",
         "lmtp:inet:[::1]:24"),
        ("$CONF['motd_user'] = \"Maintenance\\non Sunday\";", "MOTD_USER",
         r"Maintenance\non Sunday"),
        ("$CONF['vacation_domain'] = 'autoreply.change-this-to-your.domain.tld';",
         "VACATION_DOMAIN", None),
    ],
)  # fmt: skip
def test_values_are_converted(tmp_path, source, variable, value):
    made, left = convert(tmp_path, source)
    assert made.get(variable) == value
    assert left.keys() <= {"quota"}


@pytest.mark.parametrize(
    ("source", "option", "text"),
    [
        ("$CONF['database_type'] = 'pgsql';", "database_type", "does not work on pgsql"),
        ("$CONF['database_use_ssl'] = true;", "database_use_ssl", "?ssl_ca=/path.pem"),
        ("$CONF['maildir_name_hook'] = 'x_maildir';", "maildir_name_hook", "MAILADMIN_MAILDIR"),
        ("$CONF['default_language'] = 'fr';", "default_language", "no language 'fr'"),
        ("$CONF['password_validation'] = ['check' => 'x'];", "password_validation", "rule check"),
        ("$CONF['password_validation'] = ['/x/' => ''];", "password_validation", "'x' without"),
        (
            "$CONF['password_validation'] = ['/\\\\p{L}/' => 'x'];",
            "password_validation",
            "bad escape",
        ),
        ("$CONF['motd_user'] = '<b>Hi</b>';", "motd_user", "without HTML"),
        ("$CONF['aliases'] = 'many';", "aliases", "'many' is not a whole number"),
        ("$CONF['database_name'] = compute();", "database_name", "compute() is a function of PHP"),
        ("$CONF['site_url'] = 'https://a.example/pfa';", "site_url", "without a path"),
    ],
)
def test_other_values_are_left_to_people(tmp_path, source, option, text):
    made, left = convert(tmp_path, source)
    assert made == {}
    assert text in left[option]


def test_a_value_is_quoted_as_the_panel_reads_it():
    for value in ("plain", "{domain}/", "two words", "it's", 'say "x"', "a\\nb", "$HOME"):
        name, read = conf.parse_env_line("file", 1, f"NAME={quote_value(value)}")
        assert read == value


def test_the_configuration_may_lie_in_another_folder(local, tmp_path):
    assert run(Path("config.local.php"), folder=tmp_path).returncode == 0
