"""Patterns and values of transport(5): which mail a row is about, and where it goes."""

import ipaddress
import re
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError

from mailadmin.names import (
    DOMAIN_LABEL_RE,
    normalize_address,
    normalize_domain,
    validate_address,
    validate_domain,
    validate_single_line,
)
from mailadmin.translation import gettext_lazy as _

WILDCARD_PATTERN = "*"
DEFAULT_DELIVERY = ":"  # as if there were no row
MAX_DOMAIN_LENGTH = 253  # characters
SERVICE_NAME_RE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*")  # a name in master.cf
# (syntax of other programs, how to write it for Postfix)
FOREIGN_SYNTAXES = (
    (
        re.compile(r"\*?@(?P<name>.+)"),
        _("“%(value)s” never matches. Use %(name)s for all addresses in the domain."),
    ),
    (
        re.compile(r"\*\.(?P<name>.+)"),
        _("“%(value)s” never matches. Use .%(name)s (with a dot) for all subdomains."),
    ),
)


def get_parent_domains(domain: str) -> list[str]:
    labels = domain.split(".")
    return [".".join(labels[n:]) for n in range(1, len(labels))]


def get_transport_lookup_keys(domain: str) -> list[str]:
    """Return what Postfix looks up for a domain, in order, if no address has matched."""
    return [domain, *(f".{parent}" for parent in get_parent_domains(domain)), WILDCARD_PATTERN]


# Patterns


def normalize_pattern(text: str) -> str:
    """Return a pattern as Postfix looks it up: lower case, domains in ASCII (xn--…)."""
    text = text.strip()
    if "@" in text:
        return normalize_address(text)
    dot = "." if text.startswith(".") else ""
    return dot + normalize_domain(text.removeprefix("."))


def validate_pattern(pattern: str) -> None:
    """Accept an address, a domain, sub-domains (`.example.org`), or everything (`*`)."""
    if pattern == WILDCARD_PATTERN:
        return
    refuse_foreign_syntax(pattern)
    if "@" in pattern:
        validate_address(pattern)
    elif pattern.startswith("."):
        validate_subdomains_pattern(pattern)
    else:
        validate_domain(pattern)


def refuse_foreign_syntax(pattern: str) -> None:
    """Refuse the syntax of other programs, and say how Postfix wants it."""
    for syntax, text in FOREIGN_SYNTAXES:
        if match := syntax.fullmatch(pattern):
            raise ValidationError(text, params={"value": pattern, "name": match["name"]})


def validate_subdomains_pattern(pattern: str) -> None:
    """Accept `.name`, also without further dots: `.test` means all domains below it."""
    labels = pattern.removeprefix(".").split(".")
    if len(pattern) > MAX_DOMAIN_LENGTH or not all(
        DOMAIN_LABEL_RE.fullmatch(label) for label in labels
    ):
        raise ValidationError(_("“%(value)s” is not a domain name."), params={"value": pattern})


# Transports


def validate_transport(value: Any) -> None:
    """Accept `service:nexthop`, of which either part may be empty."""
    validate_single_line(value)
    if not value.isascii():
        raise ValidationError(_("Use ASCII characters only: Postfix does not accept others here."))
    service = value.partition(":")[0]
    refuse_bare_server(service, value)
    if not is_service_name(service, value):
        raise ValidationError(
            _(
                "“%(service)s” is not a service of master.cf, such as smtp in"
                " smtp:[mx.example.org]."
            ),
            params={"service": service},
        )


# The delivery services of the generated master.cf. Its virtual(8) has no user and no limits.
GENERATED_SERVICES = ("smtp", "relay", "lmtp", "local", "error", "retry", "discard")
VIRTUAL_AGENT = "virtual"  # Postfix's delivery agent; for domains it means the usual delivery
DEFAULT_TRANSPORTS = ("", VIRTUAL_AGENT)  # of a domain; NULL means the same


def get_delivery_services() -> list[str]:
    """Return the services that a transport may name: generated and the operator's own."""
    offered = [value.partition(":")[0] for value in settings.MAILADMIN_TRANSPORTS]
    operator_services = [
        *settings.MAILADMIN_SERVICES,
        *(name for name in offered if name != VIRTUAL_AGENT),
    ]
    return list(dict.fromkeys([*GENERATED_SERVICES, *filter(None, operator_services)]))


def find_service_problem(service: str) -> Any:
    """Return why mail for this service would stay in the queue; empty if it is delivered."""
    if not service or service in get_delivery_services():
        return ""
    if service == VIRTUAL_AGENT:
        return _(
            "“virtual” bypasses Dovecot, and the generated main.cf has no settings for"
            " it: mail would be deferred and then bounce. Use “:” for default delivery."
        )
    text = _("“%(service)s” is not a delivery service of master.cf. Known: %(known)s.")
    return text % {"service": service, "known": ", ".join(get_delivery_services())}


def validate_service(value: str) -> None:
    """Refuse a transport whose service does not exist."""
    if problem := find_service_problem(value.partition(":")[0]):
        raise ValidationError(problem)


def is_default_transport(value: str | None) -> bool:
    """Return whether a domain's transport means delivery to its mailboxes here."""
    return value is None or value in DEFAULT_TRANSPORTS


def validate_domain_transport(value: str | None) -> None:
    """Validate the transport of a domain, for which `virtual` means the usual delivery."""
    if value is not None and not is_default_transport(value):
        validate_transport(value)
        validate_service(value)


def is_service_name(service: str, value: Any) -> bool:
    if not service:
        return value.startswith(":")
    return SERVICE_NAME_RE.fullmatch(service) is not None


def refuse_bare_server(service: str, value: Any) -> None:
    """Refuse `mx.example.org` alone, which Postfix would take for a service."""
    if is_server_name(service):
        raise ValidationError(
            _("“%(server)s” is a server name. Put the transport before it: smtp:[%(server)s]"),
            params={"server": service.strip("[]")},
        )


def is_server_name(name: str) -> bool:
    bare = name.strip("[]")
    try:
        validate_domain(bare.lower())
    except ValidationError:
        return is_ip_address_literal(bare)
    return True


def is_ip_address_literal(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
