"""Leases of rows with columns `holder` and `until`: one process works on what a row is about."""

import datetime
import uuid

from django.db.models import QuerySet
from django.utils import timezone

from mailadmin.db.retry import retry_on_deadlock
from mailadmin.jobs.leases import get_lease_holder_name


def create_holder() -> str:
    """Return a name for a new lease, which begins with what no other has."""
    return f"{uuid.uuid4().hex[:16]} {get_lease_holder_name()}"[:64]


def claim_rows(rows: QuerySet, holder: str, duration: datetime.timedelta) -> bool:
    """Lease those of the rows that no other process has leased; return whether there were any."""
    now = timezone.now()
    free = rows.filter(until__lte=now)
    return bool(retry_on_deadlock(lambda: free.update(holder=holder, until=now + duration)))


def renew_rows(rows: QuerySet, holder: str, duration: datetime.timedelta) -> bool:
    """Extend a lease; return False if it was lost."""
    until = timezone.now() + duration
    held = rows.filter(holder=holder)
    return bool(retry_on_deadlock(lambda: held.update(until=until)))


def release_rows(rows: QuerySet, holder: str) -> None:
    """Let another process lease the rows at once."""
    held = rows.filter(holder=holder)
    retry_on_deadlock(lambda: held.update(until=timezone.now()))
