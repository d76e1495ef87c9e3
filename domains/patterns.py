"""The two columns of a transport table, by transport(5): a pattern, and where its mail goes."""

import ipaddress
import re
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from mailadmin.names import (
    DOMAIN_LABEL_RE,
    normalize_address,
    normalize_domain,
    validate_address,
    validate_domain,
    validate_single_line,
)

WILDCARD_PATTERN = "*"
DEFAULT_DELIVERY = ":"  # as if there were no row
MAX_DOMAIN_LENGTH = 253  # letters of a domain
SERVICE_NAME_RE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*")  # a name in master.cf
# How other programs write it → how Postfix wants it written.
FOREIGN_SYNTAXES = (
    (
        re.compile(r"\*?@(?P<name>.+)"),
        _("“%(value)s” is never asked for. For everybody at a domain write %(name)s alone."),
    ),
    (
        re.compile(r"\*\.(?P<name>.+)"),
        _("“%(value)s” is never asked for. For all sub-domains write .%(name)s with a dot."),
    ),
)


def get_parent_domains(domain: str):
    labels = domain.split(".")
    return [".".join(labels[n:]) for n in range(1, len(labels))]


def get_transport_lookup_keys(domain: str):
    """What Postfix asks about a domain, in its order, when no address has answered."""
    return [domain, *(f".{parent}" for parent in get_parent_domains(domain)), WILDCARD_PATTERN]


# Patterns


def normalize_pattern(text: str):
    """As Postfix asks: lower case, domains in ASCII (xn--…)."""
    text = text.strip()
    if "@" in text:
        return normalize_address(text)
    dot = "." if text.startswith(".") else ""
    return dot + normalize_domain(text.removeprefix("."))


def validate_pattern(pattern) -> None:
    """An address, a domain, a domain's sub-domains (`.example.org`), or everything (`*`)."""
    if pattern == WILDCARD_PATTERN:
        return
    refuse_foreign_syntax(pattern)
    if "@" in pattern:
        validate_address(pattern)
    elif pattern.startswith("."):
        validate_subdomains_pattern(pattern)
    else:
        validate_domain(pattern)


def refuse_foreign_syntax(pattern) -> None:
    for shape, text in FOREIGN_SYNTAXES:
        if found := shape.fullmatch(pattern):
            raise ValidationError(text, params={"value": pattern, "name": found["name"]})


def validate_subdomains_pattern(pattern) -> None:
    """Also of a name without dots: `.test` are all domains below it."""
    labels = pattern.removeprefix(".").split(".")
    if len(pattern) > MAX_DOMAIN_LENGTH or not all(
        DOMAIN_LABEL_RE.fullmatch(label) for label in labels
    ):
        raise ValidationError(_("“%(value)s” is not a domain name."), params={"value": pattern})


# Transports


def validate_transport(value: Any) -> None:
    """`service:nexthop`, either of which may be missing; what Postfix cannot use is refused."""
    validate_single_line(value)
    if not value.isascii():
        raise ValidationError(
            _("Postfix reads letters, digits and signs of ASCII here, no others.")
        )
    service = value.partition(":")[0]
    refuse_bare_server(service, value)
    if not is_service_name(service, value):
        raise ValidationError(
            _("“%(service)s” is no service of master.cf, such as smtp in smtp:[mx.example.org]."),
            params={"service": service},
        )


# The services of the written master.cf that deliver mail. Its virtual(8) lacks a user and limits.
GENERATED_SERVICES = ("smtp", "relay", "lmtp", "local", "error", "retry", "discard")
VIRTUAL_AGENT = (
    "virtual"  # Postfix's own delivery agent; as a domain's transport it means the usual way
)


def get_delivery_services() -> list[str]:
    """Return the names that a transport may begin with: the written ones and the operator's own."""
    offered = [value.partition(":")[0] for value in settings.MAILADMIN_TRANSPORTS]
    own = [*settings.MAILADMIN_SERVICES, *(name for name in offered if name != VIRTUAL_AGENT)]
    return list(dict.fromkeys([*GENERATED_SERVICES, *filter(None, own)]))


def find_service_problem(service: str) -> object:
    """Return why mail given to this service stays in the queue; nothing if it is delivered."""
    if not service or service in get_delivery_services():
        return ""
    if service == VIRTUAL_AGENT:
        return _(
            "“virtual” delivers past Dovecot, and the written main.cf has no settings for it: mail "
            "would wait in the queue and then bounce. For the usual delivery write “:”."
        )
    text = _("“%(service)s” is not a delivery service of master.cf. Known: %(known)s.")
    return text % {"service": service, "known": ", ".join(get_delivery_services())}


def validate_service(value: str) -> None:
    """Refuse a transport whose service is not there."""
    if trouble := find_service_problem(value.partition(":")[0]):
        raise ValidationError(trouble)


def is_default_transport(value: str | None) -> bool:
    """Return whether a domain's transport means delivery to the mailboxes here."""
    return value in (None, "", VIRTUAL_AGENT)


def validate_domain_transport(value: str | None) -> None:
    if not is_default_transport(value):
        validate_transport(value)
        validate_service(value)


def is_service_name(service, value: Any):
    return SERVICE_NAME_RE.fullmatch(service) or (not service and value.startswith(":"))


def refuse_bare_server(service, value: Any) -> None:
    """`mx.example.org` alone would be taken for a service that does not exist."""
    if is_server_name(service):
        raise ValidationError(
            _("“%(server)s” is a server, and before it stands how to reach it: smtp:[%(server)s]"),
            params={"server": service.strip("[]")},
        )


def is_server_name(name: str):
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
