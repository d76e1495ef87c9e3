"""Create, edit and delete transports, and find those in force. No domain owns a transport."""

import itertools
import re
from collections.abc import Iterable, Iterator
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import BooleanField, Case, ExpressionWrapper, Q, Subquery, When

from domains.models import ALL_DOMAINS, Domain, Transport
from domains.patterns import (
    DEFAULT_DELIVERY,
    DEFAULT_TRANSPORTS,
    WILDCARD_PATTERN,
    get_delivery_services,
    get_transport_lookup_keys,
    is_default_transport,
    normalize_pattern,
    validate_service,
)
from domains.services.locks import lock_domains, refuse_taken_keys
from mailadmin.changes.perform import Changes
from mailadmin.translation import gettext_lazy as _

MAX_SHOWN = 10
TAKEN_MESSAGE = _("A transport for %(key)s already exists.")


def create_transports(changes: Changes, rows: list[dict]) -> list[Transport]:
    """Create transports."""
    lock_domains(changes, [ALL_DOMAINS])
    transports = [Transport(**row) for row in rows]
    for transport in transports:
        transport.pattern = normalize_pattern(transport.pattern)
        transport.clean_fields()
        _refuse_unknown_service(transport.transport)
    patterns = [transport.pk for transport in transports]
    _refuse_vacation_patterns(patterns)
    _refuse_duplicates(patterns)
    refuse_taken_keys(Transport, patterns, "pattern", TAKEN_MESSAGE)
    changes.create(transports)
    for transport in transports:
        changes.log("create_transport", "", transport.pk)
    return transports


def edit_transport(changes: Changes, key: str, values: dict) -> Transport:
    """Edit the transport of a pattern; the pattern cannot change."""
    lock_domains(changes, [ALL_DOMAINS])
    transport = changes.find_one(Transport, key)
    get_field: Any = Transport._meta.get_field
    values = {
        name: get_field(name).clean(value, transport)
        for name, value in values.items()
        if name != "pattern"
    }
    if values.get("transport", transport.transport) != transport.transport:
        _refuse_unknown_service(values["transport"])
    if changes.update([transport], **values):
        changes.log("edit_transport", "", transport.pk)
    return transport


def set_transports(changes: Changes, keys: list[str], field: str, value: bool) -> None:
    """Set a boolean column of transports."""
    lock_domains(changes, [ALL_DOMAINS])
    transports = changes.find(Transport, keys)
    if field == "active" and value:
        for transport in transports:
            _refuse_unknown_service(transport.transport)
    for transport in changes.update(transports, **{field: value}):
        changes.log("edit_transport", "", transport.pk)


def delete_transports(changes: Changes, keys: list[str]) -> None:
    """Delete transports."""
    lock_domains(changes, [ALL_DOMAINS])
    transports = changes.find(Transport, keys)
    changes.delete(transports)
    for transport in transports:
        changes.log("delete_transport", "", transport.pk)


def _refuse_unknown_service(transport: str) -> None:
    """Refuse a transport that would never deliver mail."""
    try:
        validate_service(transport)
    except ValidationError as error:
        raise ValidationError({"transport": error}) from error


def _refuse_vacation_patterns(patterns: list[str]) -> None:
    """Refuse patterns of the vacation domain, which would stop vacation replies."""
    for pattern in patterns:
        if pattern.rpartition("@")[2] == settings.MAILADMIN_VACATION_DOMAIN:
            raise ValidationError(
                {"pattern": _("This domain is reserved for the vacation responder.")}
            )


def _refuse_duplicates(patterns: list[str]) -> None:
    seen = set()
    for pattern in patterns:
        if pattern in seen:
            raise ValidationError({"pattern": TAKEN_MESSAGE % {"key": pattern}})
        seen.add(pattern)


# What is in force


def filter_transports_by_domains(
    rows: models.QuerySet[Transport], domains: list[str]
) -> models.QuerySet[Transport]:
    """Select rows that name these domains, their addresses or their sub-domains."""
    exact = [f"{dot}{name}" for name in domains for dot in ("", ".")]
    of_addresses = (Q(pattern__endswith=f"@{name}") for name in domains)
    return rows.filter(Q(pattern__in=exact) | Q(*of_addresses, _connector=Q.OR))


def get_effective_transports(rows: models.QuerySet[Transport], domain: Domain) -> list[Transport]:
    """Return which of these rows apply to a domain: its own, and some for its addresses."""
    name = domain.pk.lower()
    keys = get_transport_lookup_keys(name)[: 1 if has_own_transport(domain) else None]
    is_key = Q(pattern__in=keys)
    keys_first = ExpressionWrapper(is_key, output_field=BooleanField()).desc()
    ordered = rows.filter(is_key | Q(pattern__endswith=f"@{name}"), active=True)
    ordered = ordered.order_by(keys_first, "pk")[: len(keys) + MAX_SHOWN]
    matching = {row.pk: row for row in ordered}
    first = [matching[key] for key in keys if key in matching][:1]
    return [*first, *(row for key, row in matching.items() if "@" in key)]


def annotate_transports(domains: models.QuerySet[Domain], name: str) -> models.QuerySet[Domain]:
    """Annotate the domain of this name with the transports that apply to it.

    `own_transport` is that of the domain's own row, `inherited_transport` that of the nearest
    parent domain or of `*`.
    """
    own, *wider = get_transport_lookup_keys(name.lower())
    order = Case(*(When(pk=key, then=number) for number, key in enumerate(wider)))
    rows = Transport.objects.filter(active=True)
    inherited = rows.filter(pk__in=wider).order_by(order)
    return domains.annotate(
        own_transport=Subquery(rows.filter(pk=own).values("transport")[:1]),
        inherited_transport=Subquery(inherited.values("transport")[:1]),
    )


def get_effective_transport(domain: Any) -> str:
    """Return the transport in force for a domain of `annotate_transports`; empty: the usual."""
    if domain.own_transport is not None:
        return domain.own_transport
    return domain.transport if has_own_transport(domain) else domain.inherited_transport or ""


def has_own_transport(domain: Domain) -> bool:
    return not is_default_transport(domain.transport)


def filter_undeliverable(rows: models.QuerySet) -> models.QuerySet:
    """Select transports and domains whose mail is never delivered for lack of the service."""
    services = "|".join(re.escape(name) for name in get_delivery_services())
    return rows.filter(active=True).exclude(transport__regex=rf"^({services})?:|^({services})$")


def filter_undeliverable_domains(rows: models.QuerySet) -> models.QuerySet:
    explicit = rows.exclude(transport__in=DEFAULT_TRANSPORTS).exclude(transport__isnull=True)
    return filter_undeliverable(explicit)


def iter_domains_taken_by_wildcard(
    domains: models.QuerySet[Domain] | None = None,
) -> Iterator[str]:
    """Yield local domains that an active `*` reroutes, as no other row matches them."""
    rows = Transport.objects.filter(active=True)
    if not rows.filter(pk=WILDCARD_PATTERN).exclude(transport=DEFAULT_DELIVERY).exists():
        return
    others = rows.exclude(pk=WILDCARD_PATTERN).exclude(pattern__contains="@")
    named = set(others.values_list("pk", flat=True))
    for domain in _iter_default_transport_domains(domains):
        if named.isdisjoint(get_transport_lookup_keys(domain.lower())):
            yield domain


def _iter_default_transport_domains(domains: models.QuerySet[Domain] | None) -> Iterable[str]:
    domains = Domain.objects.all() if domains is None else domains
    usual = Q(transport__in=DEFAULT_TRANSPORTS) | Q(transport__isnull=True)
    domains = domains.filter(usual, active=True, backupmx=False).order_by("pk")
    return domains.values_list("pk", flat=True).iterator()


def get_first_domains_taken_by_wildcard() -> tuple[list[str], bool]:
    """Return the first domains that `*` reroutes, and whether there are more."""
    names = list(itertools.islice(iter_domains_taken_by_wildcard(), MAX_SHOWN + 1))
    return names[:MAX_SHOWN], len(names) > MAX_SHOWN
