"""The environment: every setting of the panel, how it is read and what it means.

`SETTINGS` is the one table. `read()` turns it and the environment into Django settings of the
same names; the README's table is printed from it by `python -m mailadmin.env`.
"""

import contextlib
import difflib
import ipaddress
import logging
import os
import re
import string
import sys
import zoneinfo
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

BASE_DIR = Path(__file__).resolve().parent.parent
ENV_FILE = "/etc/mailadmin/mailadmin.env"
HOST = re.compile(r"(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_-]{1,63})*", re.I)


def text(value):
    return value


def required(value):
    if not value:
        raise ValueError("is empty")
    return value


def boolean(value):
    match value.lower():
        case "yes" | "true" | "on" | "1":
            return True
        case "no" | "false" | "off" | "0" | "":
            return False
    raise ValueError("is neither yes nor no")


def integer(at_least=0):
    def parse(value):
        if not re.fullmatch(r"-?[0-9]{1,18}", value):
            raise ValueError("is not a whole number")
        if int(value) < at_least:
            raise ValueError(f"is less than {at_least}")
        return int(value)

    return parse


def optional(parse):
    return lambda value: parse(value) if value else None


def choice(*known, fold=str.lower):
    def parse(value):
        if fold(value) not in known:
            raise ValueError(f"is none of {', '.join(known)}")
        return fold(value)

    return parse


def matching(pattern, wanted):
    def parse(value):
        if not re.fullmatch(pattern, value):
            raise ValueError(f"is not {wanted}")
        return value

    return parse


def names(parse=text):
    """A list separated by commas (or spaces), each part read by `parse`, as a tuple."""
    return lambda value: tuple(parse(part) for part in re.split(r"[,\s]+", value) if part)


def host(value):
    """A host name, an address, or `*` and `.example.org` as Django reads them."""
    bare = value.removeprefix("[").removesuffix("]")
    if value != "*" and not HOST.fullmatch(value.removeprefix(".")):
        try:
            ipaddress.ip_address(bare)
        except ValueError:
            raise ValueError(f"holds {value!r}, which is no host name") from None
    return value


def domain(value):
    if not HOST.fullmatch(value):
        raise ValueError("is not a domain name")
    return value.lower()


def address(value):
    if not re.fullmatch(r"[^@\s,]+@[^@\s,]+", value):
        raise ValueError("is not a mail address")
    return value


def network(value):
    try:
        return ipaddress.ip_network(value, strict=False)
    except ValueError:
        raise ValueError(f"holds {value!r}, which is no address or network") from None


def port(value):
    if not value.isascii() or not value.isdigit() or not 0 < int(value) < 65536:
        raise ValueError("has a port that is not a number from 1 to 65535")
    return int(value)


def bind(value):
    """`address:port`, `[address]:port` or `unix:/path`, as gunicorn reads them."""
    if value.startswith("unix:/"):
        return value
    name, colon, number = value.rpartition(":")
    if not colon or (":" in name and not name.startswith("[")):
        raise ValueError("is not address:port or unix:/path")
    port(number)
    return f"{host(name or '0.0.0.0')}:{number}"  # noqa: S104 (what an empty address means)


def url(value):
    """The panel's own address without a slash at the end, or None."""
    if not value:
        return None
    try:
        parts = urlsplit(value)
        valid = parts.scheme in ("http", "https") and HOST.fullmatch(parts.hostname or "")
        own = not (parts.path.strip("/") or parts.query or parts.fragment or parts.username)
        _ = parts.port
    except ValueError:
        valid = own = False
    if not (valid and own):
        raise ValueError("is not an address such as https://panel.example.org")
    return f"{parts.scheme}://{parts.netloc.lower()}"


def time_zone(value):
    """A zone that both Python and Django (which asks the system's files) know."""
    if not value:
        return machine_time_zone()
    if not is_zone(value):
        raise ValueError("is not a time zone such as Europe/Berlin")
    return value


def is_zone(name):
    root = Path("/usr/share/zoneinfo")
    try:
        zoneinfo.ZoneInfo(name)
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
        # Before the panel is installed, a minimal system may know no zones at all.
        return not zoneinfo.available_timezones()
    return not root.exists() or root.joinpath(*name.split("/")).exists()


def machine_time_zone():
    def told():
        yield os.environ.get("TZ", "").removeprefix(":")
        with contextlib.suppress(OSError, ValueError):
            yield Path("/etc/timezone").read_text(encoding="utf-8").strip()
        yield os.path.realpath("/etc/localtime").partition("/zoneinfo/")[2]

    return next((name for name in told() if name and is_zone(name)), "UTC")


def maildir(value):
    """A template below Dovecot's mail root; it must tell the mailboxes of a domain apart."""
    try:
        fields = {field for _, field, _, _ in string.Formatter().parse(value) if field is not None}
    except ValueError as error:
        raise ValueError(f"is not a template: {error}") from None
    if strange := fields - {"domain", "local_part", "username"}:
        raise ValueError(
            f"names {{{strange.pop()}}}; it may name {{domain}}, {{local_part}} and {{username}}"
        )
    if not ("username" in fields or fields >= {"domain", "local_part"}):
        raise ValueError("gives two mailboxes one folder: name {username}, or both of its parts")
    if value.startswith("/") or ".." in value.split("/"):
        raise ValueError("leaves the mail folder")
    return value


def delimiter(value):
    if re.search(r"[\w@,\s]", value):
        raise ValueError("is not one or more signs such as +")
    return value


def default_alias(value):
    local_part, equals, target = value.partition("=")
    if not re.fullmatch(r"[^@\s=]+(=[^@\s=]+(@[^@\s=]+)?)?", value):
        raise ValueError(f"holds {value!r}, which is neither a name nor name=address")
    return local_part, target if equals else None


def password_scheme(value):
    """Any scheme that `mailadmin.passwords` can make."""
    try:
        from mailadmin.passwords import is_known_scheme
    except ImportError:  # not installed yet; the panel itself asks again
        return value
    if not is_known_scheme(value):
        raise ValueError("is no password scheme that Dovecot has and that can be made here")
    return value


def log_format(value):
    record = logging.LogRecord("mailadmin", logging.INFO, "", 0, "", (), None)
    try:
        logging.Formatter(value).format(record)
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"is not a format of Python's logging: {error}") from None
    return value


def database(value):
    """Django's DATABASES entry without what every connection has in common."""
    scheme, found, rest = value.partition("://")
    match scheme.lower() if found else "":
        case "sqlite":
            return sqlite(rest)
        case "mysql" | "mariadb":
            return mysql(rest)
    if not value:
        return sqlite(str(BASE_DIR / "mailadmin.sqlite3"))
    raise ValueError("starts with neither sqlite:// nor mysql://")


def sqlite(rest):
    path = "/" + unquote(rest).lstrip("/")
    if path == "/":
        raise ValueError("names no file")
    return {"ENGINE": "django.db.backends.sqlite3", "NAME": Path(path)}


def mysql(rest):
    """`user:password@host[:port][,host…]/name[?option=…]`, user and password percent-encoded."""
    rest, _, query = rest.partition("?")
    authority, _, name = rest.partition("/")
    userinfo, _, hosts = authority.rpartition("@")
    user, _, password = userinfo.partition(":")
    if not name or "/" in name:
        raise ValueError("names no database (in a password / is written %2F)")
    options = dict(parse_qsl(query, keep_blank_values=True))
    known = ("unix_socket", "ssl_ca", "ssl_cert", "ssl_key")
    if strange := [option for option in options if option not in known]:
        raise ValueError(f"has an option {strange[0]!r}; known are {', '.join(known)}")
    hosts, number = mysql_hosts(hosts)
    return {
        "ENGINE": "django.db.backends.mysql",
        "NAME": unquote(name),
        "USER": unquote(user),
        "PASSWORD": unquote(password),
        "HOST": options.pop("unix_socket", hosts),
        "PORT": number,
        "OPTIONS": mysql_tls(options),
    }


def mysql_hosts(hosts):
    """(host, port); several hosts stay one word, which MariaDB's client library tries in turn."""
    if "," in hosts:
        for one in hosts.split(","):
            mysql_hosts(one)
        return hosts, ""
    name, colon, number = hosts.rpartition(":")
    if not colon or hosts.endswith("]"):
        name, number = hosts, ""
    if name:
        host(name)
    return name.removeprefix("[").removesuffix("]"), port(number) if number else ""


def mysql_tls(options):
    """With a CA the server has to prove who it is; without one it is not asked."""
    tls = {option.removeprefix("ssl_"): file for option, file in options.items()}
    for file in tls.values():
        if not os.access(file, os.R_OK):
            raise ValueError(f"names {file!r}, which cannot be read")
    if not tls:
        return {}
    return {"ssl": tls} | ({"ssl_mode": "VERIFY_IDENTITY"} if "ca" in tls else {})


def smtp(value):
    """Django's EMAIL_* settings, by their names."""
    secure = {"smtp": (25, False, False), "smtp+starttls": (587, True, False)}
    secure["smtps"] = (465, False, True)
    try:
        parts = urlsplit(value)
        number, starttls, tls = secure[parts.scheme]
        if not parts.hostname or parts.path.strip("/") or parts.query:
            raise ValueError
        return {
            "EMAIL_HOST": parts.hostname,
            "EMAIL_PORT": parts.port or number,
            "EMAIL_HOST_USER": unquote(parts.username or ""),
            "EMAIL_HOST_PASSWORD": unquote(parts.password or ""),
            "EMAIL_USE_TLS": starttls,
            "EMAIL_USE_SSL": tls,
        }
    except (KeyError, ValueError):
        raise ValueError("is not smtp://, smtp+starttls:// or smtps:// and a host") from None


class Setting(NamedTuple):
    """One variable; a secret one is also read from the file that `<name>_FILE` names."""

    name: str
    default: str
    parse: Callable[[str], object]
    meaning: str
    secret: bool = False


SETTINGS = (
    Setting(
        "MAILADMIN_DATABASE_URL",
        "",
        database,
        "`mysql://user:password@host[:port][,host[:port]…]/name[?unix_socket=…&ssl_ca=…]` "
        "(user and password percent-encoded) or `sqlite:///path`; without it the file "
        "`mailadmin.sqlite3` beside `manage.py`",
        secret=True,
    ),
    Setting(
        "MAILADMIN_TABLE_PREFIX",
        "",
        matching(r"[A-Za-z0-9_]*", "made of letters, digits and _"),
        "PostfixAdmin's `database_prefix`",
    ),
    Setting(
        "MAILADMIN_SECRET_KEY",
        "",
        text,
        "signs sessions and links, 50 characters or more; required with MySQL, with SQLite made "
        "at the first start in a file beside the database",
        secret=True,
    ),
    Setting(
        "MAILADMIN_URL",
        "",
        url,
        "the panel's own address, `https://…`: links in mails, Secure cookies, HSTS, the origin "
        "of forms",
    ),
    Setting(
        "MAILADMIN_ALLOWED_HOSTS",
        "localhost,127.0.0.1",
        names(host),
        "names the panel answers to, beside the host of `MAILADMIN_URL`",
    ),
    Setting(
        "MAILADMIN_BIND",
        "127.0.0.1:8000",
        bind,
        "where `deploy/run` listens: `address:port` or `unix:/path`",
    ),
    Setting("MAILADMIN_DEBUG", "no", boolean, "`yes`: error pages with details; never in public"),
    Setting(
        "MAILADMIN_TRUSTED_PROXIES",
        "",
        names(network),
        "addresses or networks of reverse proxies whose `X-Forwarded-For` and "
        "`X-Forwarded-Proto` are believed",
    ),
    Setting(
        "MAILADMIN_TIME_ZONE",
        "",
        time_zone,
        "the time zone PostfixAdmin's dates are in; without it the machine's",
    ),
    Setting(
        "MAILADMIN_LANGUAGE",
        "en",
        choice("en", "de", "ru"),
        "language of those whose browser asks for none of `en`, `de`, `ru`",
    ),
    Setting(
        "MAILADMIN_ADMIN",
        "admin@localhost",
        address,
        "the first superadmin, made by `deploy/run` where there is none",
    ),
    Setting(
        "MAILADMIN_ADMIN_PASSWORD",
        "",
        text,
        "the first superadmin's password; without it one is made and shown once",
        secret=True,
    ),
    Setting(
        "MAILADMIN_PASSWORD_SCHEME",
        "BLF-CRYPT",
        password_scheme,
        "what new passwords are stored as: a Dovecot scheme",
    ),
    Setting(
        "MAILADMIN_PASSWORD_PREFIX",
        "auto",
        choice("yes", "no", "auto"),
        "the `{SCHEME}` prefix before a stored password: `yes`, `no`, or `auto`: none before "
        "`$…$` hashes, one before all others",
    ),
    Setting(
        "MAILADMIN_PASSWORD_ROUNDS",
        "",
        optional(integer(1)),
        "cost of new hashes, in the scheme's own unit; without it the scheme's default",
    ),
    Setting(
        "MAILADMIN_PASSWORD_REHASH",
        "no",
        boolean,
        "`yes`: store the configured scheme at the next correct login",
    ),
    Setting(
        "MAILADMIN_MAILDIR",
        "{domain}/{local_part}/",
        maildir,
        "folder of a new mailbox, of `{domain}`, `{local_part}` and `{username}`",
    ),
    Setting(
        "MAILADMIN_QUOTA_MULTIPLIER",
        "1024000",
        integer(1),
        "bytes per MB of quota, as PostfixAdmin counts",
    ),
    Setting(
        "MAILADMIN_DOMAIN_ALIASES",
        "10",
        integer(-1),
        "aliases a new domain may have; 0 is unlimited, -1 none",
    ),
    Setting(
        "MAILADMIN_DOMAIN_MAILBOXES",
        "10",
        integer(-1),
        "mailboxes a new domain may have; 0 is unlimited, -1 none",
    ),
    Setting(
        "MAILADMIN_DOMAIN_MAXQUOTA",
        "10",
        integer(-1),
        "largest quota of one mailbox of a new domain in MB; 0 is unlimited, -1 none",
    ),
    Setting(
        "MAILADMIN_DOMAIN_QUOTA",
        "2048",
        integer(-1),
        "quota of a whole new domain in MB; 0 is unlimited, -1 none",
    ),
    Setting(
        "MAILADMIN_DEFAULT_ALIASES",
        "abuse,hostmaster,postmaster,webmaster",
        names(default_alias),
        "aliases made with a domain: `name` leads to the acting admin, `name=address` to that "
        "address (without `@`: in the same domain)",
    ),
    Setting(
        "MAILADMIN_TRANSPORTS",
        "virtual,local,relay",
        names(),
        "transports offered for a domain",
    ),
    Setting(
        "MAILADMIN_ALIAS_DOMAIN",
        "yes",
        boolean,
        "`no`: no alias domains",
    ),
    Setting(
        "MAILADMIN_EDIT_ALIAS",
        "yes",
        boolean,
        "`no`: mailbox owners may not change their forwarding",
    ),
    Setting(
        "MAILADMIN_ALIAS_CONTROL_ADMIN",
        "yes",
        boolean,
        "`no`: admins may not change the targets of a mailbox's own alias",
    ),
    Setting(
        "MAILADMIN_SPECIAL_ALIAS_CONTROL",
        "no",
        boolean,
        "`yes`: admins, not only superadmins, may change the default aliases",
    ),
    Setting("MAILADMIN_VACATION", "yes", boolean, "`no`: no vacation messages"),
    Setting(
        "MAILADMIN_VACATION_DOMAIN",
        "autoreply.localhost",
        domain,
        "the domain that Postfix hands to the vacation responder",
    ),
    Setting(
        "MAILADMIN_RECIPIENT_DELIMITER",
        "+",
        delimiter,
        "as Postfix has it; empty where it has none",
    ),
    Setting(
        "MAILADMIN_SMTP_URL",
        "smtp://127.0.0.1:25",
        smtp,
        "the server for welcome and recovery mails: `smtp://`, `smtp+starttls://` or `smtps://` "
        "`[user:password@]host[:port]`",
        secret=True,
    ),
    Setting(
        "MAILADMIN_ADMIN_EMAIL",
        "",
        optional(address),
        "sender of the panel's mails; without it the acting admin",
    ),
    Setting(
        "MAILADMIN_WELCOME_SUBJECT",
        "",
        text,
        "subject of the mail to a new mailbox; without it the panel's own words",
    ),
    Setting(
        "MAILADMIN_WELCOME_TEXT",
        "",
        text,
        "text of the mail to a new mailbox (`\\n` is a new line); without it the panel's own words",
    ),
    Setting(
        "MAILADMIN_UNDO_DAYS",
        "30",
        integer(),
        "days for which what was deleted can be brought back",
    ),
    Setting("MAILADMIN_PAGE_SIZE", "50", integer(1), "rows on one page of a list"),
    Setting(
        "MAILADMIN_LOG_LEVEL",
        "INFO",
        choice("DEBUG", "INFO", "WARNING", "ERROR", fold=str.upper),
        "the least that is written to standard error: `DEBUG`, `INFO`, `WARNING` or `ERROR`",
    ),
    Setting(
        "MAILADMIN_LOG_FORMAT",
        "%(levelname)s %(name)s: %(message)s",
        log_format,
        "form of those lines, as Python's `logging` has it",
    ),
)


def stop(message):
    """End the start with one line: nobody reads a traceback of a mistyped setting."""
    raise SystemExit(f"mailadmin: {message}")


def warn(message):
    print(f"mailadmin: {message}", file=sys.stderr)


def read(environ=os.environ, report=warn):
    """Every setting by its name, from the environment or else the file, or else its default."""
    given = {name: value for name, value in environ.items() if name.startswith("MAILADMIN_")}
    path = given.pop("MAILADMIN_ENV_FILE", None)
    values = with_secrets(env_file(path)) | with_secrets(given)
    for line in unknown(values):
        report(line)
    return {setting.name: parsed(setting, values) for setting in SETTINGS}


def parsed(setting, values):
    value = values.get(setting.name, setting.default)
    try:
        return setting.parse(value.strip())
    except ValueError as error:
        stop(f"{setting.name} {'' if setting.secret else repr(value) + ' '}{error}")


def env_file(path):
    """The variables of the file named, or of the usual one where it exists."""
    path, asked = path or ENV_FILE, path is not None
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines() if path else []
    except FileNotFoundError as error:
        if not asked:
            return {}
        stop(f"MAILADMIN_ENV_FILE {path}: {error.strerror}")
    except OSError as error:
        if asked:
            stop(f"MAILADMIN_ENV_FILE {path}: {error.strerror}")
        warn(f"{path} is not read: {error.strerror}")
        return {}
    except ValueError:
        stop(f"MAILADMIN_ENV_FILE {path} is not UTF-8 text")
    return dict(filter(None, (env_line(path, *line) for line in enumerate(lines, 1))))


def env_line(path, number, line):
    line = line.strip()
    if not line or line.startswith("#"):
        return None
    name, equals, value = line.removeprefix("export ").partition("=")
    name, value = name.strip(), value.strip()
    if not equals or not re.fullmatch(r"\w+", name):
        stop(f"MAILADMIN_ENV_FILE {path}, line {number} is not NAME=value")
    if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
        value = value[1:-1]
    return name, value


def with_secrets(values):
    """The same with every secret that a `…_FILE` names read from there."""
    values = dict(values)
    for name in [setting.name for setting in SETTINGS if setting.secret]:
        if (path := values.pop(f"{name}_FILE", None)) is None:
            continue
        if name in values:
            stop(f"{name}_FILE and {name} are both given")
        try:
            values[name] = Path(path).read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, ValueError) as error:
            stop(f"{name}_FILE {path!r}: {getattr(error, 'strerror', 'not UTF-8 text')}")
    return values


def unknown(values):
    known = [setting.name for setting in SETTINGS]
    for name in sorted(values.keys() - set(known)):
        near = difflib.get_close_matches(name, known, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        yield f"{name} is not a setting{hint}"


def rows():
    """The README's table of settings."""
    for setting in SETTINGS:
        secret = f", `…{setting.name.removeprefix('MAILADMIN')}_FILE`" if setting.secret else ""
        default = f"`{setting.default}`" if setting.default else ""
        yield f"| `{setting.name}`{secret} | {default} | {setting.meaning} |"


if __name__ == "__main__":
    print("\n".join(rows()))
