"""What became of an attempt to send a mail, and when the next one is due."""

import datetime
import smtplib
from typing import NamedTuple

from django.utils import timezone

from mailadmin.email_backend import ReplyMissing
from mailadmin.jobs import queued_rows
from mailadmin.mails.models import OutgoingMail
from mailadmin.translation import gettext as _


class Outcome(NamedTuple):
    """How an attempt ended: without an error the SMTP server has accepted the mail."""

    error: str = ""
    is_final: bool = False  # it would fail again
    is_server_away: bool = False  # other mails would fail as well
    is_uncertain: bool = False  # the server may have accepted it


def get_smtp_outcome(error: Exception) -> Outcome:
    """Return what an error of a session means.

    A refused recipient or content is final. All else may be a matter of the server or its settings,
    which somebody may fix within a day: a refused sender, password or certificate.
    """
    match error:
        case smtplib.SMTPRecipientsRefused():
            code, reply = next(iter(error.recipients.values()))
            return Outcome(describe_refusal(code, reply), is_final=code >= 500)
        case smtplib.SMTPDataError():
            text = describe_refusal(error.smtp_code, error.smtp_error)
            return Outcome(text, is_final=error.smtp_code >= 500)
        case smtplib.SMTPSenderRefused():
            return Outcome(describe_refusal(error.smtp_code, error.smtp_error))
        case ReplyMissing():
            message = _("The SMTP server did not say whether it accepted the message: %(error)s")
            return Outcome(message % {"error": error}, is_server_away=True, is_uncertain=True)
    text = _("The SMTP server cannot be used: %(error)s") % {"error": error}
    return Outcome(text, is_server_away=True)


def describe_refusal(code: int, reply: bytes | str) -> str:
    text = reply.decode(errors="replace") if isinstance(reply, bytes) else reply
    message = _("The SMTP server did not accept the message: %(error)s")
    return message % {"error": f"{code} {' '.join(text.split())}"}


def get_columns(mail: OutgoingMail, outcome: Outcome) -> dict[str, object]:
    """Return what is stored for an outcome: the values of a finished mail are erased."""
    now = timezone.now()
    if not outcome.error:
        return finish(OutgoingMail.State.SENT, now)
    due = None if outcome.is_final else get_next_attempt(mail, now, outcome)
    if due is None:
        return finish(OutgoingMail.State.FAILED, now, outcome.error)
    return {"state": OutgoingMail.State.WAITING, "due": due, "error": outcome.error}


def finish(state: str, now: datetime.datetime, error: str = "") -> dict[str, object]:
    return {"state": state, "finished": now, "error": error, "sealed_values": ""}


def get_next_attempt(
    mail: OutgoingMail, now: datetime.datetime, outcome: Outcome
) -> datetime.datetime | None:
    """Return when to try again; what may have arrived not before the longest interval."""
    number = len(queued_rows.RETRY_MINUTES) if outcome.is_uncertain else mail.attempts
    return queued_rows.get_next_attempt(mail, now, number)
