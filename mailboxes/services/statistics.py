"""Totals of domains, what is near a limit, what was done each day: the queries."""

import datetime
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.db.models import (
    BooleanField,
    Case,
    Count,
    DateField,
    ExpressionWrapper,
    F,
    FloatField,
    Q,
    QuerySet,
    When,
    Window,
)
from django.db.models.functions import Cast, Greatest, RowNumber
from django.utils import timezone

from domains.models import Domain, DomainState, Transport
from domains.services import transports
from mailadmin.changes.models import Log
from mailadmin.changes.perform import ConsolePrincipal
from mailadmin.db.aggregates import bounded_sum
from mailadmin.db.pagination import iter_pages
from mailadmin.formatting import percent_of
from mailboxes.models import Alias, Usage
from mailboxes.services.target_checks import find_alias_problems

NEAR_LIMIT_RATIO = 0.9
ATTENTION_COUNT_LIMIT = 50  # rows of one kind that the home page counts
ACTIVITY_DAYS = 30
ALIAS_CHUNK_SIZE = 2000
TALLY_FIELDS = ("mailboxes", "aliases", "quota_assigned", "quota_used")


def aggregate_totals(states: QuerySet[DomainState], **more: Any) -> dict[str, int]:
    """Return the sums of the tallies of these domains."""
    sums = {name: bounded_sum(name) for name in TALLY_FIELDS}
    return states.aggregate(domains=Count("pk"), **sums, **more)


def needs_attention_q() -> Q:
    """Return the condition for states of domains that are near a limit or inactive."""
    # A float: a quota that another program wrote may be too large for a BIGINT in bytes.
    nearly = F("domain__quota") * (settings.MAILADMIN_QUOTA_MULTIPLIER * NEAR_LIMIT_RATIO)
    full = Q(domain__mailboxes__gt=0, mailboxes__gte=F("domain__mailboxes") * NEAR_LIMIT_RATIO) | Q(
        domain__aliases__gt=0, aliases__gte=F("domain__aliases") * NEAR_LIMIT_RATIO
    )
    if settings.MAILADMIN_QUOTA_LIMITS == "all":
        full |= Q(domain__quota__gt=0, quota_assigned__gte=nearly)
    return full | Q(domain__active=False)


def filter_needing_attention(states: QuerySet[DomainState]) -> QuerySet[DomainState]:
    return states.filter(needs_attention_q()).order_by("pk")


def filter_first_needing_attention(states: QuerySet[DomainState]) -> QuerySet[DomainState]:
    """Return the first inactive domains, and the fullest of the others, in one query."""
    order = Case(When(domain__active=True, then=-limit_ratio()), default=0.0).asc()
    number = Window(RowNumber(), partition_by=F("domain__active"), order_by=[order, F("pk").asc()])
    found = filter_needing_attention(states).annotate(number=number)
    return found.filter(number__lte=ATTENTION_COUNT_LIMIT).select_related("domain")


def limit_ratio() -> Greatest:
    """Return how much of the limit that is nearest is in use, as an expression."""
    sizes = {"mailboxes": 1.0, "aliases": 1.0}
    if settings.MAILADMIN_QUOTA_LIMITS == "all":
        sizes["quota"] = float(settings.MAILADMIN_QUOTA_MULTIPLIER)
    used = {"quota": "quota_assigned"}
    return Greatest(
        *(
            Case(
                When(
                    **{f"domain__{name}__gt": 0},
                    then=F(used.get(name, name)) / (F(f"domain__{name}") * size),
                ),
                default=0.0,
                output_field=FloatField(),
            )
            for name, size in sizes.items()
        )
    )


def get_limit_percent(state: DomainState) -> int:
    """Return the highest percentage in use of any of the domain's limits."""
    domain = state.domain
    pairs = (
        (state.mailboxes, domain.mailboxes),
        (state.aliases, domain.aliases),
        (state.quota_assigned, domain.quota_size),
    )
    return max(percent_of(used, limit) for used, limit in pairs)


def fetch_states_and_totals(
    states: QuerySet[DomainState],
) -> tuple[list[Any], dict[str, int]]:
    """Return a few states, each with `needs_attention`, and their totals, in one query."""
    condition = ExpressionWrapper(needs_attention_q(), output_field=BooleanField())
    rows = list(states.select_related("domain").annotate(needs_attention=condition).order_by("pk"))
    sums = {name: sum(getattr(row, name) for row in rows) for name in TALLY_FIELDS}
    return rows, {"domains": len(rows)} | sums


def nearly_full_mailboxes(principal: Any) -> QuerySet[Usage]:
    """Return the usage of mailboxes that are nearly full, fullest first."""
    full = Usage.objects.visible_to(principal).filter(
        mailbox__quota__gt=0, bytes__gte=F("mailbox__quota") * NEAR_LIMIT_RATIO
    )
    return full.order_by("-bytes")


def find_broken_transports(principal: Any) -> QuerySet[Transport]:
    """Return transports whose delivery service does not exist."""
    return transports.filter_undeliverable(Transport.objects.visible_to(principal)).order_by("pk")


def find_domains_with_broken_transport(principal: Any) -> QuerySet[Domain]:
    """Return domains whose transport names a delivery service that does not exist."""
    return transports.filter_undeliverable_domains(Domain.objects.visible_to(principal)).order_by(
        "pk"
    )


def iter_undeliverable_aliases(rows: QuerySet[Alias]) -> Iterator[Alias]:
    """Yield the aliases with a target that receives no mail; all are checked, page by page."""
    rows = rows.filter(active=True).exclude(goto=F("address"))
    for page in iter_pages(rows.only("address", "goto", "active", "domain"), ALIAS_CHUNK_SIZE):
        found = find_alias_problems(ConsolePrincipal(), page)
        yield from (alias for alias in page if alias.pk in found)


def first_activity_day() -> datetime.date:
    return timezone.localdate() - datetime.timedelta(days=ACTIVITY_DAYS - 1)


def recent_log_days(lines: QuerySet[Log]) -> QuerySet:
    """Return the log lines of the last thirty days, each with its day.

    The column is in the time zone of the panel, so the database needs no time zone tables.
    """
    first = timezone.make_aware(datetime.datetime.combine(first_activity_day(), datetime.time()))
    return lines.filter(timestamp__gte=first).values(day=Cast("timestamp", DateField()))


def count_per_day(days: QuerySet) -> QuerySet:
    return days.annotate(count=Count("*")).order_by()
