"""Send mail within a time limit, however slow the server is."""

import smtplib

from django.core.mail.backends import smtp

from mailadmin import bounded_smtp

SESSION_SECONDS = 60.0  # for a whole session, however slowly the server answers


class EmailSMTP(bounded_smtp.BoundedSMTP):
    session_seconds = SESSION_SECONDS


class EmailSMTPSSL(bounded_smtp.BoundedSMTPSSL):
    session_seconds = SESSION_SECONDS


class EmailBackend(smtp.EmailBackend):
    """Django's SMTP backend, with sessions of limited time."""

    @property
    def connection_class(self) -> type[smtplib.SMTP]:
        return EmailSMTPSSL if self.use_ssl else EmailSMTP
