"""Send mail within a time limit, however slow the server is."""

import smtplib
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.mail.backends import smtp
from django.utils.functional import cached_property

from mailadmin import bounded_smtp

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer as Buffer

SESSION_SECONDS = 60.0  # for a whole session, however slowly the server answers


class ReplyMissing(smtplib.SMTPServerDisconnected):
    """The content of a message was sent, and the server did not say whether it has accepted it."""


class EmailSessionMixin(bounded_smtp.BoundedSessionMixin):
    """A session that asks before it sends the content of a message whether it still should."""

    session_seconds = SESSION_SECONDS
    before_data: Callable[[], None] | None = None  # raises an error to stop

    def __init__(self, *args: Any, **options: Any) -> None:
        if settings.MAILADMIN_SMTP_CLIENT:
            options["local_hostname"] = settings.MAILADMIN_SMTP_CLIENT
        super().__init__(*args, **options)

    def data(self, msg: "Buffer | str") -> tuple[int, bytes]:
        if self.before_data is not None:
            self.before_data()
        try:
            return super().data(msg)
        except smtplib.SMTPDataError:  # the server's answer to DATA, before any content
            raise
        except OSError as error:  # smtplib's own errors are such, too
            raise ReplyMissing(str(error)) from error


class EmailSMTP(EmailSessionMixin, bounded_smtp.BoundedSMTP):
    pass


class EmailSMTPSSL(EmailSessionMixin, bounded_smtp.BoundedSMTPSSL):
    pass


class EmailBackend(smtp.EmailBackend):
    """Django's SMTP backend, with sessions of limited time."""

    connection: EmailSessionMixin | None

    @property
    def connection_class(self) -> type[smtplib.SMTP]:
        return EmailSMTPSSL if self.use_ssl else EmailSMTP

    @cached_property
    def ssl_context(self) -> ssl.SSLContext:  # type: ignore[override]  # of the settings alone
        return build_tls_context()


def build_tls_context() -> ssl.SSLContext:
    """Return how the certificate of the panel's SMTP server is verified."""
    context = ssl.create_default_context(cafile=settings.EMAIL_CA_FILE or None)
    if not settings.EMAIL_VERIFIES_TLS:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
