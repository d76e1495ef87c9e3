"""Sending mail to a server that may never come to an end."""

from django.core.mail.backends import smtp

from mailadmin import bounded_smtp

SESSION_SECONDS = 60.0  # for all that is said about a mail, however slowly the server talks


class EmailSMTP(bounded_smtp.BoundedSMTP):
    session_seconds = SESSION_SECONDS


class EmailSMTPSSL(bounded_smtp.BoundedSMTPSSL):
    session_seconds = SESSION_SECONDS


class EmailBackend(smtp.EmailBackend):
    """Django's, by sessions that end."""

    @property
    def connection_class(self):
        return EmailSMTPSSL if self.use_ssl else EmailSMTP
