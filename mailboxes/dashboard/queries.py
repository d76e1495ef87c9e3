"""What Home tells, counted: how much there is, what nears its limit, what was done each day."""

import datetime

from django.conf import settings
from django.db.models import BooleanField, Count, DateField, ExpressionWrapper, F, Q
from django.db.models.functions import Cast
from django.utils import timezone

from domains.models import ALL_DOMAINS, Domain, DomainState, Transport
from domains.services import transports
from mailadmin.accounts.models import Role
from mailadmin.changes.perform import ConsolePrincipal
from mailadmin.db.aggregates import bounded_sum
from mailadmin.db.pagination import iter_pages
from mailboxes.models import Usage
from mailboxes.services.target_checks import find_alias_problems

NEAR_LIMIT_RATIO = 0.9  # so full is worth a look
DASHBOARD_ROW_LIMIT = 10
ACTIVITY_DAYS = 30
ALIAS_CHUNK_SIZE = 2000
TALLY_FIELDS = ("mailboxes", "aliases", "quota_assigned", "quota_used")


def visible_domain_states(principal):
    states = DomainState.objects.exclude(domain=ALL_DOMAINS)
    if principal.role is Role.SUPERADMIN:
        return states
    return states.filter(pk__in=principal.managed_domains())


def aggregate_totals(states, **more):
    """How much there is in these domains, by their tallies."""
    sums = {name: bounded_sum(name) for name in TALLY_FIELDS}
    return states.aggregate(domains=Count("pk"), **sums, **more)


def needs_attention_q():
    """What holds of the states of domains near a limit, and of those that are inactive."""
    # A float: the bytes of a quota that another program has written may be no BIGINT.
    nearly = F("domain__quota") * (settings.MAILADMIN_QUOTA_MULTIPLIER * NEAR_LIMIT_RATIO)
    full = (
        Q(domain__mailboxes__gt=0, mailboxes__gte=F("domain__mailboxes") * NEAR_LIMIT_RATIO)
        | Q(domain__aliases__gt=0, aliases__gte=F("domain__aliases") * NEAR_LIMIT_RATIO)
        | Q(domain__quota__gt=0, quota_assigned__gte=nearly)
    )
    return full | Q(domain__active=False)


def filter_needing_attention(states):
    return states.filter(needs_attention_q()).order_by("pk")


def fetch_states_and_totals(states):
    """All of few states, each with whether to look at it, and their totals: in one query."""
    watched = ExpressionWrapper(needs_attention_q(), output_field=BooleanField())
    rows = list(states.select_related("domain").annotate(is_watched=watched).order_by("pk"))
    sums = {name: sum(getattr(row, name) for row in rows) for name in TALLY_FIELDS}
    return rows, {"domains": len(rows)} | sums


def nearly_full_mailboxes():
    """What is used of mailboxes whose mail takes nearly all of their quota, fullest first."""
    full = Usage.objects.filter(
        mailbox__quota__gt=0, bytes__gte=F("mailbox__quota") * NEAR_LIMIT_RATIO
    )
    return full.order_by("-bytes")


def find_broken_transports(principal):
    """Transports whose service is not there."""
    return transports.filter_undeliverable(Transport.objects.visible_to(principal)).order_by("pk")


def find_domains_with_broken_transport(principal):
    """Domains whose own transport has no such service."""
    return transports.filter_undeliverable_domains(Domain.objects.visible_to(principal)).order_by(
        "pk"
    )


def iter_undeliverable_aliases(rows):
    """Those of these aliases with a target at which no mail arrives; all are looked through."""
    rows = rows.filter(active=True).exclude(goto=F("address"))
    for page in iter_pages(rows.only("address", "goto", "active", "domain"), ALIAS_CHUNK_SIZE):
        found = find_alias_problems(ConsolePrincipal(), page)
        yield from (alias for alias in page if alias.pk in found)


def first_activity_day():
    return timezone.localdate() - datetime.timedelta(days=ACTIVITY_DAYS - 1)


def recent_log_days(lines):
    """The log lines of the last thirty days, each with its day.

    The column is in the panel's own time zone, so no zone is asked of the database, which may know
    of none.
    """
    first = timezone.make_aware(datetime.datetime.combine(first_activity_day(), datetime.time()))
    return lines.filter(timestamp__gte=first).values(day=Cast("timestamp", DateField()))


def count_per_day(days):
    return days.annotate(count=Count("*")).order_by()
