"""Ask the mail server by SMTP whether it accepts mail for an address; none is sent."""

import smtplib

from django.conf import settings

from mailadmin import bounded_smtp
from mailadmin.email_backend import build_tls_context

CONNECT_TIMEOUT_SECONDS = 5
SESSION_TIMEOUT_SECONDS = 10  # a page waits for it


class ProbeError(Exception):
    """The mail server cannot be reached, or breaks off the session."""


class ProbeSMTP(bounded_smtp.BoundedSMTP):
    session_seconds = SESSION_TIMEOUT_SECONDS


class ProbeSMTPSSL(bounded_smtp.BoundedSMTPSSL):  # noqa: N801 (smtplib's name)
    session_seconds = SESSION_TIMEOUT_SECONDS


def probe_recipient(address: str) -> str:
    """Return the reply to RCPT TO, such as `250 2.1.5 Ok`."""
    try:
        with open_session() as client:
            client.ehlo_or_helo_if_needed()
            code, text = client.mail(settings.EMAIL_HOST_USER or "")
            if code == 250:
                code, text = client.rcpt(address)
            return f"{code} {text.decode(errors='replace')}"
    except (OSError, smtplib.SMTPException) as error:
        raise ProbeError(f"{settings.EMAIL_HOST}:{settings.EMAIL_PORT}: {error}") from error


def open_session() -> bounded_smtp.BoundedSessionMixin:
    """Open a session with the settings of the panel's own mails."""
    place = settings.EMAIL_HOST, settings.EMAIL_PORT
    client: bounded_smtp.BoundedSessionMixin
    if settings.EMAIL_USE_SSL:
        context = build_tls_context()
        client = ProbeSMTPSSL(*place, timeout=CONNECT_TIMEOUT_SECONDS, context=context)
    else:
        client = ProbeSMTP(*place, timeout=CONNECT_TIMEOUT_SECONDS)
    if settings.EMAIL_USE_TLS:
        client.starttls(context=build_tls_context())
    if settings.EMAIL_HOST_USER:
        client.login(settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD)
    return client
