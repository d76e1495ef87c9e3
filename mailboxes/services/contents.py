"""Count the mailboxes and aliases of domains."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import Count, Q, QuerySet

from mailadmin.db.aggregates import bounded_sum
from mailadmin.db.bulk import chunks
from mailadmin.names import fold
from mailboxes.models import Alias, Mailbox

CONTENT_MODELS = (Mailbox, Alias)


def count_contents(**which: Any) -> Mapping[str, dict[str, int]]:
    """Count what is in each of the domains: a domain's folded name → its tallies."""
    counted: dict[str, dict[str, int]] = defaultdict(
        lambda: {"mailboxes": 0, "aliases": 0, "quota_assigned": 0}
    )
    mailboxes, aliases = (
        model.objects.filter(**which).values("domain_id") for model in CONTENT_MODELS
    )
    quota = bounded_sum("quota", filter=Q(quota__gt=0))
    for row in mailboxes.annotate(number=Count("pk"), given=quota):
        own = counted[fold(row["domain_id"])]
        own["mailboxes"] += row["number"]
        own["aliases"] -= row["number"]  # every mailbox has its own, which does not count
        own["quota_assigned"] += row["given"]
    for name, number in aliases.annotate(number=Count("pk")).values_list("domain_id", "number"):
        counted[fold(name)]["aliases"] += number
    return counted


def get_contents(domains: Sequence[str]) -> list[QuerySet]:
    """Return the mailboxes and the aliases of these domains; a mailbox's own is a part of it."""
    aliases = Alias.objects.filter(domain__in=domains).without_mailbox()
    return [Mailbox.objects.filter(domain__in=domains), aliases]


def count_rows_in_domains(model: type[Mailbox | Alias], keys: Sequence[str]) -> int:
    """Count the mailboxes or the aliases in all of these domains."""
    return sum(model.objects.filter(domain__in=part).count() for part in chunks(keys))


def has_more_rows_than(limit: int, model: type[Mailbox | Alias], keys: Sequence[str]) -> bool:
    """Return whether there are more mailboxes or aliases in these domains; read no more."""
    count = 0
    for part in chunks(keys):
        count += model.objects.filter(domain__in=part)[: limit + 1].count()
        if count > limit:
            return True
    return False
