"""Rows that workers take in turn, on one or several hosts: leased to one of them until finished."""

import datetime
import uuid
from typing import TypeVar

from django.db import models
from django.db.models import F
from django.db.models.functions import Coalesce
from django.utils import timezone

from mailadmin.db.fields import CharField
from mailadmin.db.retry import retry_on_deadlock
from mailadmin.jobs.leases import LeaseLost, get_lease_holder_name

RETRY_PERIOD = datetime.timedelta(hours=24)  # since the first attempt
RETRY_MINUTES = (1, 2, 5, 10, 15, 30, 60)  # after each attempt; the last one is repeated
MAX_CANDIDATES = 10  # looked at, since other workers look at the same ones


class QueuedRow(models.Model):
    """A row of a queue. The subclass names the choices of `state`, these two among others."""

    waiting_state = "waiting"
    held_state = ""  # while a worker works on it
    # Longer than the work lasts: the row of a worker that died is taken again.
    lease_duration = datetime.timedelta(minutes=5)

    state = CharField(max_length=16, default=waiting_state)
    attempts = models.PositiveIntegerField(default=0)
    first_attempt = models.DateTimeField(null=True)
    # When to try next; while a worker holds it, when the lease ends.
    due = models.DateTimeField(default=timezone.now)
    lease_holder = CharField(max_length=64, blank=True, default="")
    finished = models.DateTimeField(null=True)
    was_interrupted = False  # by the end of the worker that held it before

    class Meta:
        abstract = True

    @classmethod
    def unfinished_states(cls) -> tuple[str, str]:
        return cls.waiting_state, cls.held_state

    @property
    def is_waiting(self) -> bool:
        """Return whether it is to be done, and no worker does it now."""
        return self.state == self.waiting_state


Row = TypeVar("Row", bound=QueuedRow)


def claim_row(model: type[Row]) -> Row | None:
    """Return the row that has been due for longest, leased to this worker; None if there is none.

    The lease is committed before anybody else hears of the row.
    """
    now = timezone.now()
    due = model._default_manager.filter(state__in=model.unfinished_states(), due__lte=now)
    for row in due.order_by("due", "pk")[:MAX_CANDIDATES]:
        # Unique, so that a worker that was stopped for long cannot take the lease for its own.
        holder = f"{uuid.uuid4().hex[:16]} {get_lease_holder_name()}"[:64]
        lease = {
            "state": model.held_state,
            "due": now + model.lease_duration,
            "lease_holder": holder,
            "attempts": F("attempts") + 1,
            "first_attempt": Coalesce(F("first_attempt"), now),
        }
        seen = due.filter(pk=row.pk, lease_holder=row.lease_holder)
        if retry_on_deadlock(lambda seen=seen, lease=lease: seen.update(**lease)):  # type: ignore[misc]
            return read_claimed(row, holder)
    return None


def read_claimed(found: Row, holder: str) -> Row | None:
    """Return the row as it is now, and whether an earlier worker has left it."""
    row = type(found)._default_manager.filter(pk=found.pk, lease_holder=holder).first()
    if row is not None:
        row.was_interrupted = found.state == found.held_state
    return row


def renew_lease(row: QueuedRow) -> None:
    """Renew the lease of a row; raise LeaseLost if it is another's."""
    if not update_held(row, due=timezone.now() + row.lease_duration):
        raise LeaseLost


def update_held(row: QueuedRow, **values: object) -> int:
    """Set columns of a row as long as this worker holds its lease; return the number of rows."""
    held = type(row)._default_manager.filter(
        pk=row.pk, state=row.held_state, lease_holder=row.lease_holder
    )
    return retry_on_deadlock(lambda: held.update(**values))


def get_next_attempt(
    row: QueuedRow, now: datetime.datetime, number: int | None = None
) -> datetime.datetime | None:
    """Return when to try again: at growing intervals, last at the end of the day; None after it.

    `number` is that of the attempt, if not the row's.
    """
    end = (row.first_attempt or now) + RETRY_PERIOD
    if now >= end:
        return None
    position = min(row.attempts if number is None else number, len(RETRY_MINUTES)) - 1
    return min(now + datetime.timedelta(minutes=RETRY_MINUTES[position]), end)
