"""Who gets a message: active mailboxes, then aliases if wanted, in the order of their addresses."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from django.db.models import QuerySet

from mailboxes.models import Alias, Broadcast, Mailbox


def select_recipients(broadcast: Broadcast, principal: Any) -> list[QuerySet]:
    """Return the rows of mailboxes, and of aliases, in scope; each has its address as the key."""
    selected: list[QuerySet] = [Mailbox.objects.visible_to(principal)]
    if broadcast.has_aliases and not broadcast.addresses:
        aliases = Alias.objects.visible_to(principal).without_mailbox()
        selected.append(aliases.exclude(address__startswith="@"))  # catch-alls
    return [filter_recipients(rows, broadcast) for rows in selected]


def filter_recipients(rows: QuerySet, broadcast: Broadcast) -> QuerySet:
    rows = rows.filter(active=True, domain__active=True)
    if broadcast.addresses:
        return rows.filter(pk__in=broadcast.addresses)
    return rows.filter(domain__in=broadcast.domains) if broadcast.domains else rows


def count_recipients(broadcast: Broadcast, principal: Any) -> int:
    return sum(rows.count() for rows in select_recipients(broadcast, principal))


class Recipients(NamedTuple):
    """Some recipients, each with its domain, and of which part: mailboxes, or aliases."""

    part: int
    rows: list[tuple[str, str]]


def find_next_recipients(broadcast: Broadcast, principal: Any, count: int) -> Recipients:
    """Return the next recipients after the position; none if there are no more."""
    parts = select_recipients(broadcast, principal)
    for number, rows in list(enumerate(parts))[broadcast.part :]:
        if number == broadcast.part and broadcast.position:
            rows = rows.filter(pk__gt=broadcast.position)
        found = list(rows.order_by("pk").values_list("pk", "domain_id")[:count])
        if found:
            return Recipients(number, found)
    return Recipients(len(parts), [])


def iter_missing(broadcast: Broadcast, principal: Any) -> Iterator[str]:
    """Yield the given addresses that are no active mailbox in scope."""
    [rows] = select_recipients(broadcast, principal)
    found = {key.lower() for key in rows.values_list("pk", flat=True)}
    yield from (each for each in broadcast.addresses if each.lower() not in found)
