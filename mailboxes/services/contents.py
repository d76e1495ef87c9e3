"""Count the mailboxes and aliases of domains."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import Count, Q

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


def count_rows_in_domains(model: type[Mailbox | Alias], keys: Sequence[str]) -> int:
    """Count the mailboxes or the aliases in all of these domains."""
    return sum(model.objects.filter(domain__in=part).count() for part in chunks(keys))
