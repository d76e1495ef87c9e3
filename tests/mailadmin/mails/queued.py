"""Mails of the queue, and sending them."""

from mailadmin.mails.models import OutgoingMail
from mailadmin.mails.queue import queue_mail
from mailadmin.mails.sending import MailSender

EVENT = {"account": "bob", "what": "", "when": "", "address": "", "device": ""}


def queued():
    return list(OutgoingMail.objects.order_by("pk"))


def add_mail(recipient="bob@example.org", kind="new_sign_in", language="en", **values):
    """Queue a mail and return it."""
    queue_mail(kind, recipient, EVENT | values, language, domain=recipient.partition("@")[2])
    return queued()[-1]


def send():
    return MailSender().send_due_mails()
