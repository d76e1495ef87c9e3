"""Send the mails that are due; the worker does this between the steps of jobs."""

import contextlib
import functools
import logging
import smtplib
import time
from collections.abc import Callable
from typing import Any

from django.core.mail import get_connection
from django.db import InterfaceError, OperationalError
from django.utils import timezone

from mailadmin.email_backend import EmailBackend
from mailadmin.jobs import queued_rows
from mailadmin.jobs.leases import LeaseLost
from mailadmin.mails.messages import MessageError, build_message
from mailadmin.mails.models import OutgoingMail
from mailadmin.mails.outcomes import Outcome, get_columns, get_smtp_outcome
from mailadmin.translation import gettext as _

logger = logging.getLogger("mailadmin.mails")

BATCH_SECONDS = 10  # after which jobs have their turn; a session that hangs lasts longer
PAUSE_SECONDS = 30  # after the SMTP server could not be used, so that it does not hold up jobs


class MailSender:
    """Sends mails in a worker: one session with the SMTP server for those that are due."""

    def __init__(self) -> None:
        self.paused_until = 0.0
        # Accepted by the server, but the database did not answer when it was to be recorded.
        self.unrecorded: list[tuple[OutgoingMail, Outcome]] = []

    def send_due_mails(self, should_stop: Callable[[], bool] = lambda: False) -> bool:
        """Send mails for a few seconds; return whether there may be more to send now."""
        self.record_outcomes()
        if time.monotonic() < self.paused_until:
            return False
        connection, deadline = get_connection(), time.monotonic() + BATCH_SECONDS
        try:
            while not should_stop() and (mail := queued_rows.claim_row(OutgoingMail)):
                outcome = self.attempt(mail, connection)
                self.unrecorded.append((mail, outcome))
                self.record_outcomes()
                if outcome.is_server_away:
                    self.paused_until = time.monotonic() + PAUSE_SECONDS
                    return False
                if time.monotonic() > deadline:
                    return True
            return False
        finally:
            close_connection(connection)

    def record_outcomes(self) -> None:
        """Record what became of mails, those first that the database could not record before."""
        while self.unrecorded:
            mail, outcome = self.unrecorded[0]
            if not queued_rows.update_held(mail, **get_columns(mail, outcome)):
                logger.warning("mail %s: the lease was lost", mail.message_id)
            del self.unrecorded[0]

    def attempt(self, mail: OutgoingMail, connection: Any) -> Outcome:
        """Try to send a mail; return what became of it."""
        try:
            outcome = give_up_if_deadly(mail) or send_mail(mail, connection)
        except (OperationalError, InterfaceError):
            raise
        except LeaseLost:
            return Outcome()  # recorded nowhere, as the lease is another's
        except Exception:  # a mail that cannot be built must not stop all others
            logger.exception("mail %s: %s", mail.message_id, mail.kind)
            text = _("The email could not be built. See the server log for details.")
            outcome = Outcome(text)
        if outcome.error:
            logger.warning("mail %s to %s: %s", mail.message_id, mail.recipient, outcome.error)
        else:
            logger.info("mail %s to %s was sent", mail.message_id, mail.recipient)
        return outcome


def give_up_if_deadly(mail: OutgoingMail) -> Outcome | None:
    """Return that a mail is given up whose workers have died with it for a day; else None."""
    first = mail.first_attempt
    if mail.was_interrupted and first and timezone.now() > first + queued_rows.RETRY_PERIOD:
        return Outcome(_("Each worker that was to send it has ended."), is_final=True)
    return None


def send_mail(mail: OutgoingMail, connection: Any) -> Outcome:
    """Send a mail by this connection, which is opened if it is not open."""
    try:
        message = build_message(mail)
    except MessageError as error:
        return Outcome(error.text, is_final=error.is_final)
    try:
        connection.open()
        if isinstance(connection, EmailBackend) and connection.connection:
            renew = functools.partial(queued_rows.renew_lease, mail)
            connection.connection.before_data = renew
        connection.send_messages([message])
    except LeaseLost:
        close_connection(connection)  # the server was told of a recipient already
        raise
    except (OSError, smtplib.SMTPException) as error:
        outcome = get_smtp_outcome(error)
        if outcome.is_server_away:
            close_connection(connection)
        return outcome
    return Outcome()


def close_connection(connection: Any) -> None:
    """Close a session; one that has failed is closed already."""
    with contextlib.suppress(OSError, smtplib.SMTPException):
        connection.close()
