"""Mail that the panel itself sends."""

import smtplib

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage
from django.utils.translation import gettext as _


def next_welcome(job):
    return None if job.done else (send_welcome, (job.arguments["to"],), 1)


def send_welcome(changes, address):
    """The first mail in a mailbox, which also makes its maildir."""
    sender = settings.MAILADMIN_ADMIN_EMAIL or changes.actor.principal.username
    sender = sender or f"postmaster@{address.rpartition('@')[2]}"
    mail = EmailMessage(
        settings.MAILADMIN_WELCOME_SUBJECT, settings.MAILADMIN_WELCOME_TEXT, sender, [address]
    )
    try:
        mail.send()
    except (OSError, smtplib.SMTPException) as error:
        raise ValidationError(
            _("The mail server did not take the mail: %(error)s"), params={"error": error}
        ) from error
