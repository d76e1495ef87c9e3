"""Variables that are made of several options of PostfixAdmin."""

import json
import re
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import quote, urlencode

from mailboxes.postfixadmin import password_schemes
from mailboxes.postfixadmin.outcomes import (
    NotConverted,
    NotNeeded,
    Options,
    get_text,
    is_yes,
    to_array,
)
from mailboxes.postfixadmin.php_values import to_text

MYSQL_TYPES = ("mysql", "mysqli")
SMTP_SCHEMES = {"plain": "smtp", "starttls": "smtp+starttls", "tls": "smtps"}
PATTERN_RE = re.compile(r"/(.*)/(i?)", re.DOTALL)
# PostfixAdmin's names of its messages → texts of the panel, for one and for more
RULE_TEXTS = {
    "password_no_characters": ("Use a letter from a to z.", "letters from a to z"),
    "password_no_digits": ("Use a digit.", "digits"),
    "password_no_special": ("Use a special character.", "special characters"),
}
LENGTH_RE = re.compile(r"/\^?\.\{(\d+),?\}\$?/")
PANEL_PASSWORD_LENGTH = 8


class JointSetting(NamedTuple):
    """A variable, the options it is made of, and the function that makes it.

    It is made only if one of these is set; the function may look at others too.
    """

    variable: str
    options: str
    build: Callable[[Options], str]
    secret: bool = False


def build_database_url(options: Options) -> str:
    kind = get_text(options, "database_type", "mysqli").lower()
    name = get_text(options, "database_name")
    if kind == "sqlite":
        return f"sqlite://{quote(name)}"
    if kind not in MYSQL_TYPES:
        raise NotConverted(
            f"the panel does not work on {kind}: create a database in MariaDB, MySQL or SQLite and"
            " move the rows there (export tables as CSV, see the page Import and export)"
        )
    user, password = get_text(options, "database_user"), get_text(options, "database_password")
    login = quote(user, safe="") + (f":{quote(password, safe='')}" if password else "")
    port = get_text(options, "database_port")
    host = get_text(options, "database_host", "localhost")
    query = urlencode(build_database_options(options), safe="/")
    login += "@" if login else ""
    place = f"{host}:{port}" if port and ":" not in host else host
    return f"mysql://{login}{place}/{quote(name, safe='')}" + (f"?{query}" if query else "")


def build_database_options(options: Options) -> dict[str, str]:
    names = {"unix_socket": "database_socket"}
    more = {}
    if is_yes(options.get("database_use_ssl")):
        names |= {f"ssl_{part}": f"database_ssl_{part}" for part in ("cert", "key", "cipher")}
        authorities = {"ssl_ca": "database_ssl_ca", "ssl_capath": "database_ssl_ca_path"}
        if not is_yes(options.get("database_ssl_verify_server_cert", True)):
            more = {"ssl_verify": "no"}
        elif any(get_text(options, name) for name in authorities.values()):
            names |= authorities
        else:
            raise NotConverted(
                "the panel verifies the server's certificate by a CA: write MAILADMIN_DATABASE_URL"
                " by hand, with ?ssl_ca=/path.pem, or with ?ssl_verify=no"
            )
    given = {option: get_text(options, name) for option, name in names.items()}
    return {option: value for option, value in given.items() if value} | more


def build_smtp_url(options: Options) -> str:
    kind = get_text(options, "smtp_type", "plain").lower()
    if is_yes(options.get("smtp_sendmail_tls")):
        kind = "starttls"
    if kind not in SMTP_SCHEMES:
        raise NotConverted(f"smtp_type {kind!r} is unknown: write MAILADMIN_SMTP_URL by hand")
    user = get_text(options, "smtp_username")
    password = get_text(options, "admin_smtp_password")
    if password and not user:
        user = get_text(options, "admin_email")
    login = f"{quote(user, safe='')}:{quote(password, safe='')}@" if password and user else ""
    host = get_text(options, "smtp_server", "localhost")
    port = get_text(options, "smtp_port", "25")
    return f"{SMTP_SCHEMES[kind]}://{login}{host}:{port}"


def build_maildir(options: Options) -> str:
    if get_text(options, "maildir_name_hook", "NO").upper() != "NO":
        raise NotConverted(
            "the panel calls no function: set MAILADMIN_MAILDIR to a template such as"
            " {domain}/{local_part}/ for new mailboxes; the folders of existing ones stay"
        )
    if not is_yes(options.get("domain_path", "YES")):
        return "{username}/"
    if is_yes(options.get("domain_in_mailbox", "NO")):
        return "{domain}/{username}/"
    return "{domain}/{local_part}/"


def build_max_quota(options: Options) -> str:
    if "quota" in options and not is_yes(options["quota"]):
        return "0"
    return get_text(options, "maxquota", "0")


def build_domain_quota(options: Options) -> str:
    for name in ("quota", "domain_quota"):
        if name in options and not is_yes(options[name]):
            return "0"
    return get_text(options, "domain_quota_default", "0")


def build_quota_limits(options: Options) -> str:
    if not is_yes(options.get("quota", "NO")):
        return "no"
    return "all" if is_yes(options.get("domain_quota", "YES")) else "mailboxes"


def build_broadcast(options: Options) -> str:
    if not is_yes(options.get("sendmail", "YES")):
        return "no"
    return "admins" if is_yes(options.get("sendmail_all_admins", "NO")) else "superadmins"


def build_password_length(options: Options) -> str:
    rules = [str(rule) for rule in to_array(options.get("password_validation"))]
    lengths = [int(found[1]) for rule in rules if (found := LENGTH_RE.fullmatch(rule))]
    if old := get_text(options, "min_password_length"):
        lengths.append(int(old) if old.isdecimal() else 0)
    length = max(lengths, default=0)
    if length < PANEL_PASSWORD_LENGTH:
        raise NotNeeded(
            f"the panel's own minimum of {PANEL_PASSWORD_LENGTH} characters is stricter; lower it"
            " with MAILADMIN_PASSWORD_LENGTH if you need to"
        )
    return str(length)


def build_password_rules(options: Options) -> str:
    """Return the regular expressions besides the length, each with a text of the panel."""
    rules = {str(rule): value for rule, value in to_array(options["password_validation"]).items()}
    found: dict[str, str] = {}
    for rule, value in rules.items():
        if LENGTH_RE.fullmatch(rule):
            continue
        pattern = PATTERN_RE.fullmatch(rule)
        if pattern is None:
            raise NotConverted(
                f"the rule {rule} is not a regular expression that the panel can read: set"
                " MAILADMIN_PASSWORD_RULES by hand"
            )
        flags = "(?i)" if pattern[2] else ""
        found[flags + pattern[1]] = format_rule(str(to_text(value)))
    return json.dumps(found)


def format_rule(message: str) -> str:
    """Return the text of a rule: the panel's for a message of PostfixAdmin, another as it is."""
    name, _space, count = message.partition(" ")
    if name not in RULE_TEXTS:
        return message
    one, many = RULE_TEXTS[name]
    return one if count in ("", "1") else f"Use at least {count} {many}."


def build_password_recovery(options: Options) -> str:
    for_users = is_yes(options.get("forgotten_user_password_reset", True))
    for_admins = is_yes(options.get("forgotten_admin_password_reset", False))
    if for_users:
        return "all" if for_admins else "mailboxes"
    return "admins" if for_admins else "no"


def build_dkim(options: Options) -> str:
    if not is_yes(options.get("dkim", "NO")):
        return "no"
    return "admins" if is_yes(options.get("dkim_all_admins", "NO")) else "superadmins"


JOINT_SETTINGS = (
    JointSetting(
        "DATABASE_URL",
        "database_type database_host database_port database_socket database_user"
        " database_password database_name database_use_ssl database_ssl_ca database_ssl_ca_path"
        " database_ssl_cert database_ssl_key database_ssl_cipher database_ssl_verify_server_cert",
        build_database_url,
        secret=True,
    ),
    JointSetting(
        "SMTP_URL",
        "smtp_server smtp_port smtp_type smtp_sendmail_tls smtp_username admin_smtp_password",
        build_smtp_url,
        secret=True,
    ),
    JointSetting("DKIM", "dkim dkim_all_admins", build_dkim),
    JointSetting("MAILDIR", "domain_path domain_in_mailbox maildir_name_hook", build_maildir),
    JointSetting("DOMAIN_MAXQUOTA", "maxquota", build_max_quota),
    JointSetting("DOMAIN_QUOTA", "domain_quota_default", build_domain_quota),
    JointSetting(
        "PASSWORD_SCHEME", "encrypt authlib_default_flavor", password_schemes.build_scheme
    ),
    JointSetting("PASSWORD_PREFIX", "encrypt", password_schemes.build_prefix),
    JointSetting("QUOTA_LIMITS", "quota domain_quota", build_quota_limits),
    JointSetting("BROADCAST", "sendmail sendmail_all_admins", build_broadcast),
    JointSetting("PASSWORD_RULES", "password_validation", build_password_rules),
    JointSetting(
        "PASSWORD_LENGTH", "password_validation min_password_length", build_password_length
    ),
    JointSetting(
        "PASSWORD_RECOVERY",
        "forgotten_user_password_reset forgotten_admin_password_reset",
        build_password_recovery,
    ),
)
