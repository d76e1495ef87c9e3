"""The vacation responder: Postfix's pipe(8) runs `mailadmin autoreply` for each mail.

In master.cf (with `=`, since a sender may begin with `-`):

    mailadmin-autoreply unix - n n - - pipe flags=Rq user=mailadmin-autoreply null_sender=
      argv=/path/mailadmin autoreply --env-file=/etc/mailadmin/autoreply.env --sender=${sender}
      --recipient=${recipient} --original-recipient=${original_recipient}

It exits with 0 when the mail is dealt with, answered or not, and with 75 when Postfix has to try
again. There is no other status: pipe(8) would bounce the mail and tell its sender who is away.
"""

import argparse
import datetime
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, BinaryIO, NoReturn

from mailadmin import conf
from mailboxes.mailserver.autoresponder import log, rules
from mailboxes.mailserver.autoresponder.incoming_message import IncomingMessage, read_message
from mailboxes.mailserver.autoresponder.notifications import (
    RecordedNotification,
    record_notification,
)
from mailboxes.mailserver.autoresponder.tables import (
    AutoreplyDatabase,
    DatabaseUnavailable,
    open_database,
)
from mailboxes.mailserver.autoresponder.vacation_rows import (
    VacationRow,
    find_active_vacation,
    get_local_now,
)
from mailboxes.postfix.vacation_addresses import find_possible_owners

EX_OK, EX_TEMPFAIL = 0, 75  # of sysexits.h
DEFAULT_SENDMAIL = "/usr/sbin/sendmail"
SETTING_NAMES = (
    "MAILADMIN_DATABASE_URL",
    "MAILADMIN_TABLE_PREFIX",
    "MAILADMIN_DATABASE_TABLES",
    "MAILADMIN_TIME_ZONE",
    "MAILADMIN_VACATION",
    "MAILADMIN_VACATION_DOMAIN",
    "MAILADMIN_RECIPIENT_DELIMITER",
)


class ReplyNotSent(Exception):
    """Sendmail has not accepted the reply."""


# The command


def main(arguments: Sequence[str]) -> int:
    """Process the message on standard input and return the exit status."""
    sys.excepthook = handle_unexpected_error
    try:
        return run_responder(build_parser().parse_args(arguments))
    except SystemExit as end:  # argparse after --help, or a wrong setting or option
        return defer_message(str(end.code)) if end.code else EX_OK


def run_responder(options: argparse.Namespace) -> int:
    log.configure(sys.stderr if options.log_to_stderr else None)
    return respond_to_message(options, load_settings(options.env_file), sys.stdin.buffer)


def defer_message(reason: str) -> int:
    """Log the reason; what is printed may reach a sender whose mail waited too long."""
    log.write_line(reason)
    print("4.3.0 the vacation responder is not available", file=sys.stderr)
    return EX_TEMPFAIL


def handle_unexpected_error(
    kind: type[BaseException], error: BaseException, traceback: TracebackType | None
) -> NoReturn:
    """Log the error and defer the mail: a traceback would reach its sender in a bounce."""
    place = ""
    while traceback:
        place = f" in {traceback.tb_frame.f_code.co_filename}, line {traceback.tb_lineno}"
        traceback = traceback.tb_next
    os._exit(defer_message(f"unexpected error: {kind.__name__}{place}"))


class AutoreplyArgumentParser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise SystemExit(f"mailadmin autoreply: {message}")


def build_parser() -> AutoreplyArgumentParser:
    parser = AutoreplyArgumentParser(
        prog="mailadmin autoreply",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add_arguments(parser)
    return parser


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    several: dict[str, Any] = {"action": "extend", "nargs": "+", "metavar": "ADDRESS"}
    add("--sender", required=True, metavar="ADDRESS", help="envelope sender")
    add("--recipient", required=True, **several, help="user#example.org@autoreply.localhost")
    add("--original-recipient", default=[], **several, help="recipient before alias expansion")
    add("--env-file", metavar="FILE", help="settings file (instead of MAILADMIN_ENV_FILE)")
    add(
        "--sendmail",
        default=DEFAULT_SENDMAIL,
        metavar="PROGRAM",
        help=f"sendmail program (default: {DEFAULT_SENDMAIL})",
    )
    add(
        "--log-to-stderr",
        action="store_true",
        help="log to standard error instead of the mail log",
    )


def load_settings(
    path: str | None = None, environ: Mapping[str, str] = os.environ
) -> dict[str, Any]:
    """Return the settings of SETTING_NAMES; secret files of others need not be readable here."""
    values = filter_settings(
        conf.read_env_file(path or environ.get("MAILADMIN_ENV_FILE"))
    ) | filter_settings(environ)
    return {
        setting.name: conf.parse_variable(setting, values)
        for setting in conf.SETTINGS
        if setting.name in SETTING_NAMES
    }


def filter_settings(values: Mapping[str, str]) -> dict[str, str]:
    names = [*SETTING_NAMES, *(f"{name}_FILE" for name in SETTING_NAMES)]
    return conf.read_secret_files({name: values[name] for name in names if name in values})


# Replies


def respond_to_message(
    options: argparse.Namespace, settings: Mapping[str, Any], stream: BinaryIO
) -> int:
    """Reply for every recipient who is away, and return the exit status."""
    message = read_message(stream, options.sender)
    if reason := next(rules.iter_no_reply_reasons(message, settings), None):
        log.write_line(f"no reply to {message.sender}: {reason}")
        return EX_OK
    try:
        with open_database(settings) as database:
            for recipient, original in pair_recipients(options):
                decision = reply_for_recipient(
                    database, message, recipient, original, options.sendmail
                )
                log.write_line(f"{recipient}, mail from {message.sender}: {decision}")
    except (DatabaseUnavailable, ReplyNotSent) as error:
        return defer_message(f"the reply to {message.sender} is deferred: {error}")
    return EX_OK


def pair_recipients(options: argparse.Namespace) -> Iterable[tuple[str, str]]:
    """Return each recipient with its address before aliases, or an empty string."""
    originals = options.original_recipient
    if len(originals) != len(options.recipient):
        originals = [""] * len(options.recipient)
    return zip(options.recipient, originals, strict=True)


def reply_for_recipient(
    database: AutoreplyDatabase,
    message: IncomingMessage,
    recipient: str,
    original: str,
    sendmail: str,
) -> str:
    """Send the reply of one recipient, unless there is a reason not to; return what was done."""
    now = get_local_now(database.settings["MAILADMIN_TIME_ZONE"])
    owners = find_possible_owners(recipient, database.settings)
    vacation = find_active_vacation(database, owners, now)
    if vacation is None:
        return "no reply: the vacation reply is not active"
    if reason := next(rules.iter_owner_reasons(vacation, message, original, database), None):
        return f"no reply: {reason}"
    if not (notification := record_notification(database, vacation, message.sender, now)):
        return "no reply: already notified"
    return send_reply(notification, vacation, message, now, sendmail)


def send_reply(
    notification: RecordedNotification,
    vacation: VacationRow,
    message: IncomingMessage,
    now: datetime.datetime,
    sendmail: str,
) -> str:
    """Send a recorded reply; the record is reverted only if it certainly was not sent."""
    from mailboxes.mailserver.autoresponder import answers  # slow to import, and rarely needed

    try:
        reply = answers.compose_reply(vacation, message, now)
        answers.run_sendmail(reply, message.sender, sendmail)
    except OSError as error:
        notification.revert()
        raise ReplyNotSent(f"{sendmail}: {error}") from error
    except answers.DeliveryUnconfirmed as error:
        return f"cannot determine whether the reply was sent, {sendmail}: {error}"
    return "answered"
