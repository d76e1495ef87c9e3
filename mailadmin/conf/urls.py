"""Parse the URLs of the database and of the mail server into Django's settings."""

import os
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from mailadmin.conf.parsers import parse_host, parse_port_number

BASE_DIR = Path(__file__).resolve().parent.parent.parent


def parse_database_url(value: str) -> dict[str, Any]:
    """Return the entry of DATABASES, without the options that all connections share."""
    scheme, separator, rest = value.partition("://")
    match scheme.lower() if separator else "":
        case "sqlite":
            return parse_sqlite_url(rest)
        case "mysql" | "mariadb":
            return parse_mysql_url(rest)
    if not value:
        return parse_sqlite_url(str(BASE_DIR / "mailadmin.sqlite3"))
    raise ValueError("starts with neither sqlite:// nor mysql://")


def parse_sqlite_url(path_part: str) -> dict[str, Any]:
    path = "/" + unquote(path_part).lstrip("/")
    if path == "/":
        raise ValueError("has no file name")
    return {"ENGINE": "django.db.backends.sqlite3", "NAME": Path(path)}


def parse_mysql_url(url_part: str) -> dict[str, Any]:
    """Parse `user:password@host[:port][,host…]/name[?option=…]`, percent-encoded."""
    url_part, _, query = url_part.partition("?")
    authority, _, name = url_part.partition("/")
    userinfo, _, hosts = authority.rpartition("@")
    user, _, password = userinfo.partition(":")
    if not name or "/" in name:
        raise ValueError("has no database name (in a password, write / as %2F)")
    options = dict(parse_qsl(query, keep_blank_values=True))
    known = ("unix_socket", *TLS_OPTIONS)
    if unknown := [option for option in options if option not in known]:
        raise ValueError(f"has the unknown option {unknown[0]!r}; known are {', '.join(known)}")
    hosts, number = parse_mysql_hosts(hosts)
    return {
        "ENGINE": "mailadmin.db.mysql",
        "NAME": unquote(name),
        "USER": unquote(user),
        "PASSWORD": unquote(password),
        "HOST": options.pop("unix_socket", hosts),
        "PORT": number,
        "OPTIONS": build_mysql_tls_options(options),
    }


# Option of the URL → that of the driver's TLS settings
TLS_OPTIONS = {
    "ssl_ca": "ca",
    "ssl_capath": "capath",
    "ssl_cert": "cert",
    "ssl_key": "key",
    "ssl_cipher": "cipher",
    "ssl_verify": "",
}


def parse_mysql_hosts(hosts: str) -> tuple[str, int | str]:
    """Return (host, port); several hosts stay one text, which `mailadmin.db.mysql` splits."""
    if "," in hosts:
        for host in hosts.split(","):
            parse_mysql_hosts(host)
        return hosts, ""
    name, colon, number = hosts.rpartition(":")
    if not colon or hosts.endswith("]"):
        name, number = hosts, ""
    if name:
        parse_host(name)
    return name.removeprefix("[").removesuffix("]"), parse_port_number(number) if number else ""


def build_mysql_tls_options(options: Mapping[str, str]) -> dict[str, Any]:
    """Return the TLS options; with any of them a connection that is not encrypted is refused.

    The server's certificate is verified only if a CA is given.
    """
    tls = {TLS_OPTIONS[name]: value for name, value in options.items() if TLS_OPTIONS[name]}
    for name in ("ca", "capath", "cert", "key"):
        if name in tls and not os.access(tls[name], os.R_OK):
            raise ValueError(f"names {tls[name]!r}, which cannot be read")
    verify = options.get("ssl_verify", "yes")
    if verify not in ("yes", "no"):
        raise ValueError("has an option ssl_verify that is neither yes nor no")
    has_authority = "ca" in tls or "capath" in tls
    if verify == "no":
        if has_authority:
            raise ValueError("names a CA that ssl_verify=no would not use; remove one of them")
    elif not tls:
        return {}
    return {"ssl": tls, "ssl_mode": "VERIFY_IDENTITY" if has_authority else "REQUIRED"}


SMTP_SCHEMES = {  # scheme → default port, STARTTLS, TLS from the start
    "smtp": (25, False, False),
    "smtp+starttls": (587, True, False),
    "smtps": (465, False, True),
}


def parse_smtp_url(value: str) -> dict[str, Any]:
    """Return Django's EMAIL_* settings by name, and how the certificate is verified."""
    try:
        parts = urlsplit(value)
        number, starttls, tls = SMTP_SCHEMES[parts.scheme]
        if not parts.hostname or parts.path.strip("/"):
            raise ValueError
        location = {"EMAIL_HOST": parts.hostname, "EMAIL_PORT": parts.port or number}
    except (KeyError, ValueError):
        raise ValueError("is not smtp://, smtp+starttls:// or smtps:// with a host") from None
    return {
        **location,
        "EMAIL_HOST_USER": unquote(parts.username or ""),
        "EMAIL_HOST_PASSWORD": unquote(parts.password or ""),
        "EMAIL_USE_TLS": starttls,
        "EMAIL_USE_SSL": tls,
        **parse_smtp_options(parts.query, has_tls=starttls or tls),
    }


def parse_smtp_options(query: str, *, has_tls: bool) -> dict[str, Any]:
    """Return which authority signs the server's certificate, and whether it is verified."""
    options = dict(parse_qsl(query, keep_blank_values=True))
    ca, verify = options.pop("ca", ""), options.pop("verify", "yes")
    if options:
        raise ValueError(f"has the unknown option {min(options)!r}; known are ca and verify")
    if query and not has_tls:
        raise ValueError("has options of TLS, but is not smtp+starttls:// or smtps://")
    if verify not in ("yes", "no"):
        raise ValueError("has an option verify that is neither yes nor no")
    if ca and verify == "no":
        raise ValueError("names a CA that verify=no would not use; remove one of them")
    if ca:
        check_ca_file(ca)
    return {"EMAIL_CA_FILE": ca, "EMAIL_VERIFIES_TLS": verify == "yes"}


def check_ca_file(path: str) -> None:
    """Refuse a file without certificates."""
    try:
        certificates = ssl.create_default_context(cafile=path).get_ca_certs()
    except (OSError, ssl.SSLError) as error:
        raise ValueError(f"names the CA {path!r}: {error.strerror or error}") from None
    if not certificates:
        raise ValueError(f"names the CA {path!r}, which has no certificate of an authority")
