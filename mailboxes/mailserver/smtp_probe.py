"""Asking the mail server by SMTP whether it takes mail for an address; none is sent."""

import smtplib
import ssl

from django.conf import settings

from mailadmin import bounded_smtp

PATIENCE = 5  # seconds for a connection
WHOLE = 10  # seconds for all of it: a page waits


class NoAnswer(Exception):
    """No mail server, or one that breaks off."""


class Session(bounded_smtp.SMTP):
    seconds = WHOLE


class Session_SSL(bounded_smtp.SMTP_SSL):  # noqa: N801 (smtplib's name)
    seconds = WHOLE


def knock(address):
    """The reply to RCPT TO, as `250 2.1.5 Ok`."""
    try:
        with connected() as client:
            client.ehlo_or_helo_if_needed()
            code, text = client.mail(settings.EMAIL_HOST_USER or "")
            if code == 250:
                code, text = client.rcpt(address)
            return f"{code} {text.decode(errors='replace')}"
    except (OSError, smtplib.SMTPException) as error:
        raise NoAnswer(f"{settings.EMAIL_HOST}:{settings.EMAIL_PORT}: {error}") from error


def connected():
    """A session as the panel's own mails have it."""
    server = Session_SSL if settings.EMAIL_USE_SSL else Session
    client = server(settings.EMAIL_HOST, settings.EMAIL_PORT, timeout=PATIENCE)
    if settings.EMAIL_USE_TLS:
        client.starttls(context=ssl.create_default_context())
    if settings.EMAIL_HOST_USER:
        client.login(settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD)
    return client
