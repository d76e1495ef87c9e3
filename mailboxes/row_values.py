"""What lists and pages show of mailboxes besides the columns of their own table."""

from collections.abc import Iterable, Sequence
from typing import Any

from django.db.models import OuterRef, Subquery

from domains.models import Domain
from mailadmin.db.compiled import CompiledQuery
from mailadmin.names import fold
from mailboxes.models import Alias, Mailbox, Usage, Vacation
from mailboxes.services.target_checks import find_alias_problems

USED_SIZES = CompiledQuery(
    lambda keys: Usage.objects.filter(mailbox__in=keys).values_list(
        "mailbox_id", "bytes", "messages"
    )
)
OWN_ALIASES = CompiledQuery(
    lambda keys: (
        Alias.objects.filter(pk__in=keys)
        .only("goto", "domain", "active")
        .annotate(
            is_domain_active=Subquery(Domain.objects.filter(pk=OuterRef("domain")).values("active"))
        )
    )
)
AWAY_KEYS = CompiledQuery(
    lambda keys: Vacation.objects.filter(pk__in=keys, active=True).values_list("pk")
)
VACATIONS = CompiledQuery(lambda key: Vacation.objects.filter(pk=key))
MAILBOX_KEYS = CompiledQuery(lambda key: Mailbox.objects.filter(pk=key).values_list("pk"))


def add_usage(mailboxes: Iterable[Mailbox]) -> list[Any]:
    """Return these mailboxes with `used`, the bytes that they hold, and the number of messages."""
    rows: list[Any] = list(mailboxes)
    found = USED_SIZES.fetch(keys=[row.pk for row in rows])
    usage = {key.lower(): (size, messages) for key, size, messages in found}
    for row in rows:
        row.used, row.messages = usage.get(row.pk.lower(), (0, 0))
    return rows


def add_delivery(mailboxes: Sequence[Any], principal: Any) -> None:
    """Add to each mailbox its alias and the problems of that, its vacation, its domain's state."""
    keys = [row.pk for row in mailboxes]
    aliases = {alias.pk.lower(): alias for alias in OWN_ALIASES.fetch(keys=keys)}
    problems = find_alias_problems(principal, [a for a in aliases.values() if a.active])
    away = {key.lower() for (key,) in AWAY_KEYS.fetch(keys=keys)}
    inactive = find_inactive_domains(mailboxes, aliases.values())
    for row in mailboxes:
        row.alias = aliases.get(row.pk.lower())
        row.problems = problems.get(row.alias.pk, []) if row.alias else []
        row.is_away = row.pk.lower() in away
        row.is_domain_inactive = fold(row.domain_id) in inactive


def find_inactive_domains(mailboxes: Iterable[Mailbox], aliases: Iterable[Any]) -> set[str]:
    """Return which domains of the mailboxes are inactive, as far as possible from their aliases."""
    states = {fold(alias.domain_id): alias.is_domain_active for alias in aliases}
    unknown = {row.domain_id for row in mailboxes if fold(row.domain_id) not in states}
    if unknown:
        rows = Domain.objects.filter(pk__in=unknown).values_list("pk", "active")
        states |= {fold(name): active for name, active in rows}
    return {name for name, active in states.items() if active is False}


def add_domains(mailboxes: list[Any]) -> list[Any]:
    """Return these mailboxes with what the expiry of their passwords needs of their domains."""
    rows = Mailbox.objects.select_related("domain").only("domain__password_expiry")
    domains = {row.pk: row.domain for row in rows.filter(pk__in=[row.pk for row in mailboxes])}
    for row in mailboxes:
        row.own_domain = domains.get(row.pk)
    return mailboxes
