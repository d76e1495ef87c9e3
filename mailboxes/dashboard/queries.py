"""What Home tells, counted: how much there is, what nears its limit, what was done each day."""

import datetime

from django.conf import settings
from django.db.models import BooleanField, Count, DateField, ExpressionWrapper, F, Q
from django.db.models.functions import Cast
from django.utils import timezone

from domains.models import ALL, Domain, DomainState, Transport
from domains.services import transports
from mailadmin.accounts.models import Role
from mailadmin.changes.perform import Console
from mailadmin.db.aggregates import bounded_sum
from mailadmin.db.pagination import pages
from mailboxes.models import Usage
from mailboxes.services.target_checks import problems_of

NEAR = 0.9  # so full is worth a look
SHOWN = 10
DAYS = 30
ALIASES_A_QUERY = 2000
TALLIES = ("mailboxes", "aliases", "quota_assigned", "quota_used")


def states_of(principal):
    states = DomainState.objects.exclude(domain=ALL)
    if principal.role is Role.SUPERADMIN:
        return states
    return states.filter(pk__in=principal.managed_domains())


def totals(states, **more):
    """How much there is in these domains, by their tallies."""
    sums = {name: bounded_sum(name) for name in TALLIES}
    return states.aggregate(domains=Count("pk"), **sums, **more)


def near_a_limit():
    """What holds of the states of domains near a limit, and of those that are inactive."""
    # A float: the bytes of a quota that another program has written may be no BIGINT.
    nearly = F("domain__quota") * (settings.MAILADMIN_QUOTA_MULTIPLIER * NEAR)
    full = (
        Q(domain__mailboxes__gt=0, mailboxes__gte=F("domain__mailboxes") * NEAR)
        | Q(domain__aliases__gt=0, aliases__gte=F("domain__aliases") * NEAR)
        | Q(domain__quota__gt=0, quota_assigned__gte=nearly)
    )
    return full | Q(domain__active=False)


def to_look_at(states):
    return states.filter(near_a_limit()).order_by("pk")


def states_and_totals(states):
    """All of few states, each with whether to look at it, and their totals: in one query."""
    watched = ExpressionWrapper(near_a_limit(), output_field=BooleanField())
    rows = list(states.select_related("domain").annotate(is_watched=watched).order_by("pk"))
    sums = {name: sum(getattr(row, name) for row in rows) for name in TALLIES}
    return rows, {"domains": len(rows)} | sums


def nearly_full():
    """What is used of mailboxes whose mail takes nearly all of their quota, fullest first."""
    full = Usage.objects.filter(mailbox__quota__gt=0, bytes__gte=F("mailbox__quota") * NEAR)
    return full.order_by("-bytes")


def broken_transports(principal):
    """Transports whose service is not there."""
    return transports.broken(Transport.objects.visible_to(principal)).order_by("pk")


def broken_domains(principal):
    """Domains whose own transport has no such service."""
    return transports.broken_domains(Domain.objects.visible_to(principal)).order_by("pk")


def lost_aliases(rows):
    """Those of these aliases with a target at which no mail arrives; all are looked through."""
    rows = rows.filter(active=True).exclude(goto=F("address"))
    for page in pages(rows.only("address", "goto", "active", "domain"), ALIASES_A_QUERY):
        found = problems_of(Console(), page)
        yield from (alias for alias in page if alias.pk in found)


def first_day():
    return timezone.localdate() - datetime.timedelta(days=DAYS - 1)


def recent(lines):
    """The log lines of the last thirty days, each with its day.

    The column is in the panel's own time zone, so no zone is asked of the database, which may know
    of none.
    """
    first = timezone.make_aware(datetime.datetime.combine(first_day(), datetime.time()))
    return lines.filter(timestamp__gte=first).values(day=Cast("timestamp", DateField()))


def counted(days):
    return days.annotate(count=Count("*")).order_by()
