"""Parse the text of variables; each parser raises ValueError with text that follows the name."""

import contextlib
import ipaddress
import logging
import os
import re
import string
import zoneinfo
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

Parser = Callable[[str], Any]

DEFAULT_PORTS = {"http": 80, "https": 443}
MAX_HASH_LINE = 128
HOST_RE = re.compile(
    r"(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_-]{1,63})*", re.I
)


def parse_text(value: str) -> str:
    return value


def parse_boolean(value: str) -> bool:
    match value.lower():
        case "yes" | "true" | "on" | "1":
            return True
        case "no" | "false" | "off" | "0":
            return False
    raise ValueError("must be yes or no")


def integer_parser(minimum: int = 0, maximum: int | None = None) -> Parser:
    def parse(value: str) -> int:
        if not re.fullmatch(r"-?[0-9]{1,18}", value):
            raise ValueError("is not a whole number")
        if int(value) < minimum:
            raise ValueError(f"must be at least {minimum}")
        if maximum is not None and int(value) > maximum:
            raise ValueError(f"must be at most {maximum}")
        return int(value)

    return parse


def optional_parser(parse: Parser) -> Parser:
    """Return a parser that gives None for an empty value."""
    return lambda value: parse(value) if value else None


def choice_parser(*choices: str, fold: Callable[[str], str] = str.lower) -> Parser:
    def parse(value: str) -> str:
        if fold(value) not in choices:
            raise ValueError(f"must be one of {', '.join(choices)}")
        return fold(value)

    return parse


def regex_parser(pattern: str, description: str) -> Parser:
    def parse(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise ValueError(f"is not {description}")
        return value

    return parse


def parse_regex(value: str) -> re.Pattern[str]:
    """Accept a regular expression."""
    try:
        return re.compile(value)
    except re.error as error:
        raise ValueError(f"is not a regular expression: {error}") from None


def list_parser(parse: Parser = parse_text) -> Parser:
    """Return a parser of lists separated by commas or spaces, which gives a tuple."""
    return lambda value: tuple(parse(part) for part in re.split(r"[,\s]+", value) if part)


def parse_host(value: str) -> str:
    """Accept a host name, an address, or `*` and `.example.org` as Django reads them."""
    bare = value.removeprefix("[").removesuffix("]")
    if value != "*" and not HOST_RE.fullmatch(value.removeprefix(".")):
        try:
            ipaddress.ip_address(bare)
        except ValueError:
            raise ValueError(f"contains {value!r}, which is not a host name") from None
    return value


def parse_breached_file(value: str) -> Path:
    """Accept a file that begins with lines of SHA-1 hashes, sorted by them."""
    try:
        with open(value, encoding="ascii", errors="replace") as file:
            lines = [file.readline(MAX_HASH_LINE).rstrip("\n") for _line in range(100)]
    except OSError as error:
        raise ValueError(f"names {value!r}: {error.strerror}") from None
    hashes = [line.partition(":")[0].upper() for line in lines if line]
    if not hashes or not all(re.fullmatch("[0-9A-F]{40}", each) for each in hashes):
        raise ValueError(f"names {value!r}, which has no lines of SHA-1 hashes")
    if hashes != sorted(hashes):
        raise ValueError(f"names {value!r}, whose lines are not sorted by hash")
    return Path(value)


def parse_folder(value: str) -> Path:
    """Accept a folder that can be read."""
    if not os.access(value, os.R_OK | os.X_OK) or not Path(value).is_dir():
        raise ValueError("is not a folder that can be read")
    return Path(value)


def parse_absolute_path(value: str) -> Path:
    """Accept the path of a folder, which this process need not have access to."""
    if not value.startswith("/") or ".." in value.split("/") or not value.strip("/"):
        raise ValueError("is not the absolute path of a folder")
    return Path(value)


def parse_service_name(value: str) -> str:
    """Accept the name of a service in master.cf."""
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*", value):
        raise ValueError(f"contains {value!r}, which is not a service name")
    return value


def parse_domain(value: str) -> str:
    if not HOST_RE.fullmatch(value):
        raise ValueError("is not a domain name")
    return value.lower()


def parse_address(value: str) -> str:
    if not re.fullmatch(r"[^@\s,]+@[^@\s,]+", value):
        raise ValueError("is not an email address")
    return value


def parse_network(value: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        return ipaddress.ip_network(value, strict=False)
    except ValueError:
        raise ValueError(f"contains {value!r}, which is not an IP address or network") from None


def parse_port_number(value: str) -> int:
    if not value.isascii() or not value.isdigit() or not 0 < int(value) < 65536:
        raise ValueError("has a port that is not a number from 1 to 65535")
    return int(value)


def parse_smtp_server(value: str) -> tuple[str, int]:
    """Accept `host:port` or `[address]:port`."""
    name, colon, number = value.rpartition(":")
    if not colon or (":" in name and not name.startswith("[")):
        raise ValueError("is not host:port")
    return parse_host(name).strip("[]"), parse_port_number(number)


def parse_bind(value: str) -> str:
    """Accept `address:port`, `[address]:port` or `unix:/path`, as gunicorn reads them."""
    if value.startswith("unix:/"):
        return value
    name, colon, number = value.rpartition(":")
    if not colon or (":" in name and not name.startswith("[")):
        raise ValueError("is not address:port or unix:/path")
    parse_port_number(number)
    return f"{parse_host(name or '0.0.0.0')}:{number}"  # noqa: S104 (what an empty address means)


def parse_panel_url(value: str) -> str | None:
    """Return the address of the panel without a slash at the end, or None."""
    if not value:
        return None
    try:
        parts = urlsplit(value)
        is_valid = parts.scheme in DEFAULT_PORTS and HOST_RE.fullmatch(parts.hostname or "")
        is_bare = not (parts.path.strip("/") or parts.query or parts.fragment or parts.username)
        is_default_port = parts.port in (None, DEFAULT_PORTS.get(parts.scheme))
    except ValueError:
        is_valid = is_bare = False
    if not (is_valid and is_bare):
        raise ValueError("is not a URL such as https://panel.example.org")
    port = "" if is_default_port else f":{parts.port}"
    return f"{parts.scheme}://{parts.hostname}{port}"


def parse_time_zone(value: str) -> str:
    """Accept a zone that both Python and Django know; Django reads the system's files."""
    if not value:
        return get_system_time_zone()
    if not is_known_time_zone(value):
        raise ValueError("is not a time zone such as Europe/Berlin")
    return value


def is_known_time_zone(name: str) -> bool:
    root = Path("/usr/share/zoneinfo")
    try:
        zoneinfo.ZoneInfo(name)
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
        # Before the panel is installed, a minimal system may know no zones at all.
        return not zoneinfo.available_timezones()
    return not root.exists() or root.joinpath(*name.split("/")).exists()


def get_system_time_zone() -> str:
    def iter_candidates() -> Iterator[str]:
        yield os.environ.get("TZ", "").removeprefix(":")
        with contextlib.suppress(OSError, ValueError):
            yield Path("/etc/timezone").read_text(encoding="utf-8").strip()
        yield os.path.realpath("/etc/localtime").partition("/zoneinfo/")[2]

    return next((name for name in iter_candidates() if name and is_known_time_zone(name)), "UTC")


def parse_maildir_template(value: str) -> str:
    """Accept a template below Dovecot's mail root that gives each mailbox its own folder."""
    try:
        fields = {field for _, field, _, _ in string.Formatter().parse(value) if field is not None}
    except ValueError as error:
        raise ValueError(f"is not a valid template: {error}") from None
    if unknown := fields - {"domain", "local_part", "username"}:
        raise ValueError(
            f"contains {{{unknown.pop()}}}; allowed are {{domain}}, {{local_part}} and {{username}}"
        )
    if not ("username" in fields or fields >= {"domain", "local_part"}):
        raise ValueError(
            "gives two mailboxes the same folder: use {username}, or both {domain} and {local_part}"
        )
    if value.startswith("/") or ".." in value.split("/"):
        raise ValueError("leads out of the mail folder")
    return value


def parse_recipient_delimiter(value: str) -> str:
    if re.search(r"[\w@,\s]", value):
        raise ValueError("must be one or more delimiter characters such as +")
    return value


def parse_default_alias(value: str) -> tuple[str, str | None]:
    local_part, equals, target = value.partition("=")
    if not re.fullmatch(r"[^@\s=]+(=[^@\s=]+(@[^@\s=]+)?)?", value):
        raise ValueError(f"contains {value!r}, which is neither a name nor name=address")
    return local_part, target if equals else None


def parse_password_scheme(value: str) -> str:
    """Accept a scheme that `mailadmin.passwords` can write."""
    try:
        from mailadmin.passwords import is_known_scheme
    except ImportError:  # not installed yet; the panel checks again when it starts
        return value
    if not is_known_scheme(value):
        raise ValueError("is not a password scheme that Dovecot supports and mailadmin can write")
    return value


def parse_log_format(value: str) -> str:
    """Accept a format of Python's logging, or `json`."""
    if value == "json":
        return value
    record = logging.LogRecord("mailadmin", logging.INFO, "", 0, "", (), None)
    record.__dict__.update(request_id="", page="")
    try:
        logging.Formatter(value).format(record)
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"is not a valid format of Python's logging: {error}") from None
    return value
