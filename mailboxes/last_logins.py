"""When somebody last signed in to a mailbox, as Dovecot has recorded it."""

import datetime
from collections.abc import Iterable
from typing import NamedTuple

from django.conf import settings
from django.db.models import Max, OuterRef, QuerySet, Subquery
from django.db.models.lookups import IsNull
from django.utils import timezone

from mailadmin.tables.filters import is_number_of_days
from mailboxes.models import AppPassword, LastLogin, Mailbox

MAX_RECENT = 1000


class LastUse(NamedTuple):
    """One sign-in: when, by which protocol, from where."""

    at: datetime.datetime
    protocol: str
    address: str


def find_last_uses(mailbox: Mailbox) -> dict[int, LastUse]:
    """Return the last sign-in by each app password, by its id; that by the main password is 0."""
    return {row.app_password: build_last_use(row) for row in list_recent(mailbox)}


def find_last_used(rows: Iterable[AppPassword]) -> dict[int, datetime.datetime]:
    """Return when each of these app passwords was last used to read mail, by its id."""
    if not settings.MAILADMIN_LAST_LOGIN_DAYS:
        return {}
    owners = {row.pk: row.mailbox_id for row in rows if row.mailbox_id}
    found = LastLogin.objects.filter(mailbox__in=set(owners.values()), app_password__in=owners)
    times = found.order_by().values_list("app_password").annotate(last=Max("at"))
    return {number: build_moment(last) for number, last in times}


def find_last_logins(mailbox: Mailbox) -> list[LastUse]:
    """Return the last sign-in by each protocol, the latest first."""
    uses = {use.protocol: use for use in map(build_last_use, list_recent(mailbox))}
    return sorted(uses.values(), reverse=True)


def list_recent(mailbox: Mailbox) -> list[LastLogin]:
    """Return the last sign-ins of a mailbox, the latest last; somebody may have many addresses."""
    rows = LastLogin.objects.filter(mailbox=mailbox.pk).order_by("-at")
    return list(rows[:MAX_RECENT])[::-1]


def filter_unused(rows: QuerySet, days: str) -> QuerySet:
    """Select mailboxes whose mail nobody has read for so many days; new ones are not unused.

    The last sign-ins are looked up mailbox by mailbox: for EXISTS, MariaDB collects all of them.
    """
    if not is_number_of_days(days) or not settings.MAILADMIN_LAST_LOGIN_DAYS:
        return rows.none()
    since = timezone.now() - datetime.timedelta(days=int(days))
    read = LastLogin.objects.filter(mailbox=OuterRef("pk"), at__gte=int(since.timestamp()))
    return rows.filter(IsNull(Subquery(read.values("at")[:1]), True), created__lt=since)


def build_last_use(row: LastLogin) -> LastUse:
    name = AppPassword.PROTOCOLS.get(row.protocol, row.protocol.upper())
    return LastUse(build_moment(row.at), name, row.address)


def build_moment(seconds: int) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(seconds, timezone.get_current_timezone())
