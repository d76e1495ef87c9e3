"""Sending mail to a server that may never come to an end."""

from django.core.mail.backends import smtp

from mailadmin import bounded_smtp

SECONDS = 60.0  # for all that is said about a mail, however slowly the server talks


class Session(bounded_smtp.SMTP):
    seconds = SECONDS


class EncryptedSession(bounded_smtp.SMTP_SSL):
    seconds = SECONDS


class EmailBackend(smtp.EmailBackend):
    """Django's, by sessions that end."""

    @property
    def connection_class(self):
        return EncryptedSession if self.use_ssl else Session
