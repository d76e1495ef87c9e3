"""The welcome mail to new mailboxes."""

import smtplib
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage

from mailadmin.changes.perform import Changes
from mailadmin.db.bulk import chunks
from mailadmin.db.fields import is_known_date
from mailadmin.jobs.models import Job
from mailadmin.jobs.runner import JobCanceled
from mailadmin.names import fold
from mailadmin.registry import JobStep
from mailadmin.translation import gettext as _
from mailboxes.models import Mailbox

SEARCHED_JOBS = 50  # the page that tells their state follows the form at once


def run_welcome_step(job: Job) -> JobStep | None:
    """Send the mail, then return the step that records it.

    It is sent outside of the transaction, so that none waits for the mail server.
    """
    if job.done:
        return None
    if not Mailbox.objects.filter(pk=job.arguments["to"]).exists():
        raise JobCanceled(_("The mailbox no longer exists."))
    send_welcome_mail(job.owner_key, job.arguments["to"])
    return record_progress, (), 1


def find_welcome_job(principal: Any, mailbox: Mailbox) -> Job | None:
    """Return the job of the welcome mail to this mailbox, if it is one of the latest.

    An older one was for a mailbox of the same name that was deleted.
    """
    jobs = Job.objects.visible_to(principal).filter(kind="welcome").order_by("-pk")
    if is_known_date(mailbox.created):
        jobs = jobs.filter(created__gte=mailbox.created)
    found = (job for job in jobs[:SEARCHED_JOBS] if fold(job.arguments["to"]) == fold(mailbox.pk))
    return next(found, None)


def purge_failed_welcome_jobs() -> None:
    """Delete failed welcome mails to mailboxes that do not exist any more."""
    failed = Job.objects.filter(kind="welcome", state=Job.State.FAILED)
    wanted = {job.pk: job.arguments["to"] for job in failed.iterator()}
    for part in chunks(wanted):
        there = Mailbox.objects.filter(pk__in=[wanted[number] for number in part])
        kept = {fold(key) for key in there.values_list("pk", flat=True)}
        gone = [number for number in part if fold(wanted[number]) not in kept]
        Job.objects.filter(pk__in=gone).delete()


def record_progress(changes: Changes) -> None:
    """Change nothing: the progress is recorded with the step."""


def get_welcome_texts(address: str) -> tuple[str, str]:
    """Return subject and text of the mail to this address."""
    subject = settings.MAILADMIN_WELCOME_SUBJECT or _("Welcome")
    text = settings.MAILADMIN_WELCOME_TEXT or _("Your mailbox %(address)s is ready.")
    return subject, text.replace("%(address)s", address)


def send_welcome_mail(owner: str, address: str) -> None:
    """Send the first mail to a mailbox, by which Dovecot creates its maildir."""
    sender = settings.MAILADMIN_ADMIN_EMAIL or owner
    sender = sender or f"postmaster@{address.rpartition('@')[2]}"
    mail = EmailMessage(*get_welcome_texts(address), sender, [address])
    try:
        mail.send()
    except (OSError, smtplib.SMTPException) as error:
        raise ValidationError(
            _("The SMTP server did not accept the message: %(error)s"), params={"error": error}
        ) from error
