"""Limit the requests of each token owner per minute."""

import datetime

from django.conf import settings
from django.db.models import F
from django.utils import timezone
from rest_framework.exceptions import Throttled

from mailadmin.accounts.throttling import add_one
from mailadmin.api.models import RequestCount
from mailadmin.changes.perform import again_on_deadlock

WINDOW = datetime.timedelta(minutes=1)


def refuse_too_fast(holder) -> None:
    """Limit the requests a minute of each person, counted in the database for all machines."""
    began, requests = count_request(owner_key(holder))
    most = settings.MAILADMIN_API_RATE
    if most and requests > most:
        left = (began + WINDOW - timezone.now()).total_seconds()
        raise Throttled(max(1, int(left) + 1))


def owner_key(holder) -> str:
    return holder.owner.pk.lower()


def charge(holder, rows: int) -> None:
    """Count a request of many rows as each of them would be."""
    own = RequestCount.objects.filter(pk=owner_key(holder))
    again_on_deadlock(lambda: own.update(requests=F("requests") + rows - 1))


def count_request(owner: str) -> tuple[datetime.datetime, int]:
    """(when the current minute began, requests in it), this one among them."""
    return again_on_deadlock(lambda: count_once(owner, timezone.now()))


def count_once(owner: str, now: datetime.datetime) -> tuple[datetime.datetime, int]:
    row = RequestCount.objects.filter(pk=owner)
    if not add_one(row, now, WINDOW, "requests", "window_start"):
        new = RequestCount(owner=owner, window_start=now)
        RequestCount.objects.bulk_create([new], ignore_conflicts=True)
        add_one(row, now, WINDOW, "requests", "window_start")
    return row.values_list("window_start", "requests").first() or (now, 1)
