"""Mail that the panel itself sends."""

import smtplib

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage
from django.utils.translation import gettext as _

from mailadmin.db.bulk import chunks
from mailadmin.jobs.models import Job
from mailadmin.jobs.runner import JobCanceled
from mailadmin.names import fold
from mailboxes.models import Mailbox


def run_welcome_step(job):
    """Send, then note that it was sent: no transaction waits for the mail server."""
    if job.done:
        return None
    if not Mailbox.objects.filter(pk=job.arguments["to"]).exists():
        raise JobCanceled(_("The mailbox does not exist any more."))
    send_welcome_mail(job.owner_key, job.arguments["to"])
    return record_progress, (), 1


def purge_failed_welcome_jobs():
    """Failed welcome mails to mailboxes that were deleted since: nobody can send them."""
    failed = Job.objects.filter(kind="welcome", state=Job.State.FAILED)
    wanted = {job.pk: job.arguments["to"] for job in failed.iterator()}
    for part in chunks(wanted):
        there = Mailbox.objects.filter(pk__in=[wanted[number] for number in part])
        kept = {fold(key) for key in there.values_list("pk", flat=True)}
        gone = [number for number in part if fold(wanted[number]) not in kept]
        Job.objects.filter(pk__in=gone).delete()


def record_progress(changes):
    """Nothing to change but the progress."""


def send_welcome_mail(owner, address):
    """The first mail in a mailbox, which also makes its maildir."""
    sender = settings.MAILADMIN_ADMIN_EMAIL or owner
    sender = sender or f"postmaster@{address.rpartition('@')[2]}"
    subject = settings.MAILADMIN_WELCOME_SUBJECT or _("Welcome")
    text = settings.MAILADMIN_WELCOME_TEXT or _("Your mailbox %(address)s is ready.")
    mail = EmailMessage(subject, text.replace("%(address)s", address), sender, [address])
    try:
        mail.send()
    except (OSError, smtplib.SMTPException) as error:
        raise ValidationError(
            _("The mail server did not take the mail: %(error)s"), params={"error": error}
        ) from error
