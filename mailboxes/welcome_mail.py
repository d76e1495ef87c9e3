"""The welcome mail to new mailboxes."""

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.utils.translation import get_language

from mailadmin.changes.perform import Changes
from mailadmin.db.bulk import chunks
from mailadmin.db.fields import is_known_date
from mailadmin.jobs.models import Job
from mailadmin.jobs.runner import JobCanceled
from mailadmin.mails.mail_kinds import MailKind
from mailadmin.mails.messages import preview_texts
from mailadmin.mails.models import OutgoingMail
from mailadmin.mails.queue import NewMail, queue_mails
from mailadmin.names import fold
from mailadmin.registry import JobStep
from mailadmin.translation import gettext_lazy as _
from mailboxes.models import Mailbox


def get_configured_texts() -> tuple[str, str]:
    """Return subject and text of the settings; in a file of settings `\\n` is a line break."""
    text = settings.MAILADMIN_WELCOME_TEXT.replace("\\n", "\n")
    return settings.MAILADMIN_WELCOME_SUBJECT, text


# The first mail to a mailbox, by which Dovecot creates its maildir.
WELCOME = MailKind(
    "welcome",
    _("Welcome email"),
    "A mailbox was created.",
    _("Welcome"),
    _("Your mailbox %(address)s is ready."),
    {"address": "the address of the mailbox"},
    get_configured_texts=get_configured_texts,
)


def queue_welcome_mails(changes: Changes, mailboxes: Iterable[Mailbox]) -> None:
    """Queue the welcome mails to new mailboxes, sent by who created them."""
    sender = str(changes.principal.pk or "")
    queue_mails(
        WELCOME.name,
        [
            NewMail(mailbox.pk, {"address": mailbox.pk}, "", mailbox.domain_id, sender)
            for mailbox in mailboxes
        ],
    )


def find_welcome_mail(principal: Any, mailbox: Mailbox) -> OutgoingMail | None:
    """Return the welcome mail to this mailbox, not one to an earlier mailbox of the same name."""
    mails = OutgoingMail.objects.visible_to(principal)
    mails = mails.filter(kind=WELCOME.name, recipient=mailbox.pk)
    if is_known_date(mailbox.created):
        mails = mails.filter(created__gte=mailbox.created)
    return mails.order_by("-pk").first()


def preview_welcome_mail(address: str) -> tuple[str, str]:
    """Return subject and text of the mail to this address in the active language."""
    return preview_texts(WELCOME, get_language() or settings.LANGUAGE_CODE, {"address": address})


# Jobs of an earlier version, which sent the mail themselves


def run_welcome_step(job: Job) -> JobStep | None:
    """Return the step that queues the mail of a job."""
    if job.done:
        return None
    mailbox = Mailbox.objects.filter(pk=job.arguments["to"]).first()
    if mailbox is None:
        raise JobCanceled(_("The mailbox no longer exists."))
    return queue_welcome_mails, ([mailbox],), 1


def purge_failed_welcome_jobs() -> None:
    """Delete failed welcome mails to mailboxes that do not exist any more."""
    failed = Job.objects.filter(kind="welcome", state=Job.State.FAILED)
    wanted = {job.pk: job.arguments["to"] for job in failed.iterator()}
    for part in chunks(wanted):
        there = Mailbox.objects.filter(pk__in=[wanted[number] for number in part])
        kept = {fold(key) for key in there.values_list("pk", flat=True)}
        gone = [number for number in part if fold(wanted[number]) not in kept]
        Job.objects.filter(pk__in=gone).delete()
