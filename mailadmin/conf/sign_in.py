"""Settings of the sign-in by a provider or a proxy: how they are parsed, and how they fit together.

Uses only the standard library, as all of `mailadmin.conf`.
"""

import ipaddress
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from mailadmin.conf.parsers import HOST_RE

REMOTE_USER = "REMOTE_USER"  # a variable of the web server, no header


class ClaimValue(NamedTuple):
    """A claim of the provider, and the value that it must have."""

    claim: str
    value: str


def parse_issuer(value: str) -> str:
    """Accept the address of a provider: `https://`, or `http://` on this machine."""
    if value and not (is_protected_url(value) and not re.search("[?#]", value)):
        raise ValueError("is not a URL such as https://login.example.org/realms/mail")
    return value


def is_protected_url(value: object) -> bool:
    """Return whether nobody on the network can read or change what is sent there."""
    if not isinstance(value, str) or not re.fullmatch(r"[!-~]+", value):
        return False
    try:
        parts = urlsplit(value)
        host, _port = parts.hostname or "", parts.port
    except ValueError:
        return False
    if parts.username is not None or not (HOST_RE.fullmatch(host) or is_loopback(host)):
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))


def is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def parse_scopes(value: str) -> str:
    """Accept the scopes to ask for, which have to name `openid`."""
    scopes = value.replace(",", " ").split()
    if "openid" not in scopes:
        raise ValueError("does not name the scope openid")
    return " ".join(scopes)


def parse_claim_value(value: str) -> ClaimValue | None:
    """Accept `claim=value`, or nothing."""
    claim, equals, wanted = value.partition("=")
    if value and not (equals and claim.strip() and wanted.strip()):
        raise ValueError("is not claim=value")
    return ClaimValue(claim.strip(), wanted.strip()) if value else None


def parse_sign_in_header(value: str) -> str:
    """Accept the name of a header, or REMOTE_USER.

    Servers take `X_User` and `X-User` for the same header: only one of them can be protected.
    """
    if value and value != REMOTE_USER and not re.fullmatch("[A-Za-z][A-Za-z0-9-]*", value):
        raise ValueError("is neither a header such as X-Remote-User nor REMOTE_USER")
    return value


def iter_conflicts(values: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is missing or makes no sense together, each with the name of a variable."""
    provider, header = values["MAILADMIN_OIDC_ISSUER"], values["MAILADMIN_SIGN_IN_HEADER"]
    for name in ("MAILADMIN_OIDC_CLIENT_ID", "MAILADMIN_OIDC_CLIENT_SECRET"):
        if provider and not values[name]:
            yield f"{name} is required with MAILADMIN_OIDC_ISSUER"
        if values[name] and not provider:
            yield f"MAILADMIN_OIDC_ISSUER is required with {name}"
    if provider and not values["MAILADMIN_URL"]:
        yield "MAILADMIN_URL is required with MAILADMIN_OIDC_ISSUER: the provider redirects to it"
    if header and not values["MAILADMIN_TRUSTED_PROXIES"]:
        yield (
            "MAILADMIN_TRUSTED_PROXIES is required with MAILADMIN_SIGN_IN_HEADER:"
            " anybody could send the header"
        )
    if values["MAILADMIN_LOCAL_SIGN_IN"] == "superadmins" and not (provider or header):
        yield (
            "MAILADMIN_LOCAL_SIGN_IN is 'superadmins', so that nobody else can sign in: set"
            " MAILADMIN_OIDC_ISSUER or MAILADMIN_SIGN_IN_HEADER as well"
        )
