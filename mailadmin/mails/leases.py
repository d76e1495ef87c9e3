"""Which worker sends which mail: several workers on several hosts share one queue."""

import datetime
import uuid

from django.db.models import F
from django.db.models.functions import Coalesce
from django.utils import timezone

from mailadmin.db.retry import retry_on_deadlock
from mailadmin.jobs.leases import LeaseLost, get_lease_holder_name
from mailadmin.mails.models import OutgoingMail

# Longer than any session with an SMTP server lasts: the mail of a worker that died is taken again.
LEASE_DURATION = datetime.timedelta(minutes=5)
UNFINISHED = (OutgoingMail.State.WAITING, OutgoingMail.State.SENDING)
MAX_CANDIDATES = 10  # looked at, since other workers look at the same ones


def claim_mail() -> OutgoingMail | None:
    """Return the mail that has been due for longest, leased to this worker; None if there is none.

    The lease is committed before the SMTP server hears of the mail.
    """
    now = timezone.now()
    due = OutgoingMail.objects.filter(state__in=UNFINISHED, due__lte=now)
    for mail in due.order_by("due", "pk")[:MAX_CANDIDATES]:
        # Unique, so that a worker that was stopped for long cannot take the lease for its own.
        holder = f"{uuid.uuid4().hex[:16]} {get_lease_holder_name()}"[:64]
        lease = {
            "state": OutgoingMail.State.SENDING,
            "due": now + LEASE_DURATION,
            "lease_holder": holder,
            "attempts": F("attempts") + 1,
            "first_attempt": Coalesce(F("first_attempt"), now),
        }
        seen = due.filter(pk=mail.pk, lease_holder=mail.lease_holder)
        if retry_on_deadlock(lambda seen=seen, lease=lease: seen.update(**lease)):  # type: ignore[misc]
            return read_claimed(mail, holder)
    return None


def read_claimed(found: OutgoingMail, holder: str) -> OutgoingMail | None:
    """Return the mail as it is now, and whether an earlier worker has left it."""
    mail = OutgoingMail.objects.filter(pk=found.pk, lease_holder=holder).first()
    if mail is not None:
        mail.was_interrupted = found.state == OutgoingMail.State.SENDING
    return mail


def renew_lease(mail: OutgoingMail) -> None:
    """Renew the lease just before the content is sent; raise LeaseLost if it is another's."""
    if not update_held(mail, due=timezone.now() + LEASE_DURATION):
        raise LeaseLost


def update_held(mail: OutgoingMail, **values: object) -> int:
    """Set columns of a mail as long as this worker holds its lease; return the number of rows."""
    held = OutgoingMail.objects.filter(
        pk=mail.pk, state=OutgoingMail.State.SENDING, lease_holder=mail.lease_holder
    )
    return retry_on_deadlock(lambda: held.update(**values))
