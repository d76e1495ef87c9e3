"""The servers that mail programs connect to: how their settings are parsed and fit together.

Uses only the standard library, as all of `mailadmin.conf`.
"""

import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from mailadmin.conf.parsers import parse_domain, parse_port_number

TLS, STARTTLS = "tls", "starttls"


class ServicePort(NamedTuple):
    """A port, and how its connections are encrypted: from the first byte, or by STARTTLS."""

    port: int
    security: str


def parse_service_port(value: str) -> ServicePort:
    """Accept `993/tls` or `143/starttls`."""
    number, _slash, security = value.partition("/")
    if security.lower() not in (TLS, STARTTLS):
        raise ValueError(f"contains {value!r}, which is not port/tls or port/starttls")
    return ServicePort(parse_port_number(number), security.lower())


def parse_mail_host(value: str) -> str:
    """Accept a host name, in which `{domain}` is the domain of an address."""
    parse_domain(value.replace("{domain}", "example.org"))
    return value.lower()


def parse_pem_file(value: str) -> Path:
    """Accept a file that can be read and has a certificate or a key."""
    try:
        text = Path(value).read_text(encoding="ascii", errors="replace")
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from None
    if "-----BEGIN " not in text:
        raise ValueError("is not a file in the format PEM")
    return Path(value)


def iter_client_conflicts(values: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is missing or makes no sense together, each with the name of a variable."""
    if values["MAILADMIN_MAIL_HOST"]:
        if not (values["MAILADMIN_MAIL_IMAP"] or values["MAILADMIN_MAIL_POP3"]):
            yield (
                "MAILADMIN_MAIL_IMAP or MAILADMIN_MAIL_POP3 is required with MAILADMIN_MAIL_HOST:"
                " mail programs read mail by one of them"
            )
        if not values["MAILADMIN_MAIL_SMTP"]:
            yield (
                "MAILADMIN_MAIL_SMTP is required with MAILADMIN_MAIL_HOST: mail programs send by it"
            )
    yield from _iter_profile_conflicts(
        values["MAILADMIN_PROFILE_CERTIFICATE_FILE"], values["MAILADMIN_PROFILE_KEY_FILE"]
    )


def _iter_profile_conflicts(certificate: Path | None, key: Path | None) -> Iterator[str]:
    if certificate and not key:
        yield "MAILADMIN_PROFILE_KEY_FILE is required with MAILADMIN_PROFILE_CERTIFICATE_FILE"
    if key and not certificate:
        yield "MAILADMIN_PROFILE_CERTIFICATE_FILE is required with MAILADMIN_PROFILE_KEY_FILE"
    if certificate and key:
        try:  # without a password: nobody is there to enter it
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password="")
        except (OSError, ssl.SSLError, ValueError) as error:
            reason = getattr(error, "reason", None) or error
            yield (
                "MAILADMIN_PROFILE_KEY_FILE does not fit MAILADMIN_PROFILE_CERTIFICATE_FILE:"
                f" {reason}"
            )
