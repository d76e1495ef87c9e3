"""What Home tells, counted: how much there is, what nears its limit, what was done each day."""

import datetime

from django.conf import settings
from django.db.models import Count, DateField, F, Q
from django.db.models.functions import Cast
from django.utils import timezone

from domains.models import ALL, DomainState
from mailadmin.models import Role
from mailadmin.sums import bounded_sum
from mailboxes.models import Usage

NEAR = 0.9  # so full is worth a look
SHOWN = 10
DAYS = 30
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


def to_look_at(states):
    """The states of domains near a limit, and of those that are switched off."""
    # A float: the bytes of a quota that another program has written may be no BIGINT.
    nearly = F("domain__quota") * (settings.MAILADMIN_QUOTA_MULTIPLIER * NEAR)
    full = (
        Q(domain__mailboxes__gt=0, mailboxes__gte=F("domain__mailboxes") * NEAR)
        | Q(domain__aliases__gt=0, aliases__gte=F("domain__aliases") * NEAR)
        | Q(domain__quota__gt=0, quota_assigned__gte=nearly)
    )
    return states.filter(full | Q(domain__active=False)).order_by("pk")


def nearly_full():
    """What is used of mailboxes whose mail takes nearly all of their quota, fullest first."""
    full = Usage.objects.filter(mailbox__quota__gt=0, bytes__gte=F("mailbox__quota") * NEAR)
    return full.order_by("-bytes")


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
