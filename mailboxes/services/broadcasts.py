"""Send a message to many mailboxes, and stop it."""

from collections.abc import Sequence
from typing import Any

from mailadmin import registry
from mailadmin.changes.perform import Changes
from mailadmin.jobs.models import Job
from mailadmin.jobs.services import add_job_within_limit
from mailadmin.mails.mail_kinds import MailKind, WrittenTexts
from mailadmin.mails.queue import NewMail, queue_mails
from mailadmin.translation import gettext
from mailadmin.translation import gettext_lazy as _
from mailboxes.broadcasts.recipients import count_recipients, find_next_recipients
from mailboxes.models import Broadcast

JOB_KIND = "broadcast"
ROWS_PER_STEP = 500


def get_written_texts(number: str) -> WrittenTexts:
    """Return what an admin has written; nothing is sent once the message was stopped."""
    broadcast = Broadcast.objects.filter(pk=number).first()
    if broadcast is None or broadcast.stopped:
        return WrittenTexts("", "", refusal=gettext("The message was stopped."))
    return WrittenTexts(broadcast.subject, broadcast.text)


BROADCAST = MailKind(
    "broadcast",
    _("Message to users"),
    "An admin has written a message to users.",
    "",
    "",
    {"broadcast": "the number of the message"},
    get_written_texts=get_written_texts,
)


def start_broadcast(changes: Changes, broadcast: Broadcast) -> Broadcast:
    """Store a message, and the job that queues its mails."""
    principal = changes.principal
    broadcast.owner = str(changes.actor)[:255]
    broadcast.owner_model, broadcast.owner_key = principal.model_label, principal.pk or ""
    broadcast.total = count_recipients(broadcast, principal)
    broadcast.save(force_insert=True)
    title = _("Message to users: %(subject)s") % {"subject": broadcast.subject}
    arguments = {"broadcast": broadcast.pk, "can_retry": True}
    add_job_within_limit(changes, JOB_KIND, str(title)[:255], arguments, broadcast.total)
    changes.log("send_broadcast", "", str(broadcast.pk))
    return broadcast


def get_next_broadcast_step(job: Job) -> registry.JobStep | None:
    """Return the step that queues the next mails; None if all are queued, or it was stopped."""
    broadcast = Broadcast.objects.filter(pk=job.arguments["broadcast"]).first()
    if broadcast is None or broadcast.stopped or broadcast.is_complete:
        return None
    left = max(0, broadcast.total - job.done)
    return queue_next_mails, (broadcast.pk,), min(ROWS_PER_STEP, left)


def queue_next_mails(changes: Changes, number: int) -> None:
    """Queue the mails to the next recipients, and remember the last of them."""
    broadcast = Broadcast.objects.select_for_update().get(pk=number)
    found = find_next_recipients(broadcast, changes.principal, ROWS_PER_STEP)
    if broadcast.stopped or not found.rows:
        Broadcast.objects.filter(pk=number).update(is_complete=True)
        return
    queue_mails(BROADCAST.name, build_mails(broadcast, found.rows, changes.principal))
    position, _domain = found.rows[-1]
    Broadcast.objects.filter(pk=number).update(part=found.part, position=position)


def build_mails(
    broadcast: Broadcast, recipients: Sequence[tuple[str, str]], principal: Any
) -> list[NewMail]:
    values, batch = {"broadcast": broadcast.pk}, get_batch(broadcast.pk)
    sender = str(principal.pk or "")
    return [NewMail(address, values, "en", domain, sender, batch) for address, domain in recipients]


def get_batch(number: int) -> str:
    """Return what the mails of a message have in common."""
    return f"broadcast {number}"


def stop_broadcast(changes: Changes, number: int) -> None:
    """Send no more mails of this message; those that were sent have arrived."""
    Broadcast.objects.filter(pk=number, stopped=None).update(stopped=changes.at)
    changes.log("stop_broadcast", "", str(number))
