"""The vacation responder: Postfix's pipe(8) runs `mailadmin autoreply` for each mail.

In master.cf (with `=`, since a sender may begin with `-`):

    mailadmin-autoreply unix - n n - - pipe flags=Rq user=mailadmin-autoreply null_sender=
      argv=/path/mailadmin autoreply --env-file=/etc/mailadmin/autoreply.env --sender=${sender}
      --recipient=${recipient} --original-recipient=${original_recipient}

It ends with 0 when the mail is dealt with, answered or not, and with 75 when Postfix has to try
again. There is no other end: pipe(8) would bounce the mail and tell its sender who is away.
"""

import argparse
import os
import sys

from mailadmin import conf
from mailboxes.mailserver.autoresponder import addresses, log, rules
from mailboxes.mailserver.autoresponder.incoming_message import read_message
from mailboxes.mailserver.autoresponder.notifications import record_notification
from mailboxes.mailserver.autoresponder.tables import DatabaseUnavailable, open_database
from mailboxes.mailserver.autoresponder.vacation_rows import find_active_vacation, get_local_now

EX_OK, EX_TEMPFAIL = 0, 75  # EX_OK and EX_TEMPFAIL of sysexits.h
DEFAULT_SENDMAIL = "/usr/sbin/sendmail"
SETTING_NAMES = (
    "MAILADMIN_DATABASE_URL",
    "MAILADMIN_TABLE_PREFIX",
    "MAILADMIN_TIME_ZONE",
    "MAILADMIN_VACATION",
    "MAILADMIN_VACATION_DOMAIN",
    "MAILADMIN_RECIPIENT_DELIMITER",
)


class ReplyNotSent(Exception):
    """The answer could not be handed over; nobody has been told."""


# The command


def main(arguments):
    """Deal with the mail on standard input; the status to end with."""
    sys.excepthook = handle_unexpected_error
    try:
        return run_responder(build_parser().parse_args(arguments))
    except SystemExit as end:  # argparse after --help, or a setting or option that is wrong
        return defer_message(end.code) if end.code else EX_OK


def run_responder(options):
    log.configure(sys.stderr if options.log_to_stderr else None)
    return respond_to_message(options, load_settings(options.env_file), sys.stdin.buffer)


def defer_message(words):
    """The reason is for the log; what is printed may reach a sender whose mail waited too long."""
    log.write_line(words)
    print("4.3.0 the vacation responder is not available", file=sys.stderr)
    return EX_TEMPFAIL


def handle_unexpected_error(kind, error, traceback):
    """The mail waits for somebody to mend this: a traceback would reach its sender in a bounce."""
    while traceback.tb_next:
        traceback = traceback.tb_next
    file = traceback.tb_frame.f_code.co_filename
    os._exit(defer_message(f"a fault: {kind.__name__} in {file}, line {traceback.tb_lineno}"))


class AutoreplyArgumentParser(argparse.ArgumentParser):
    def error(self, message):
        raise SystemExit(f"mailadmin autoreply: {message}")


def build_parser():
    made = AutoreplyArgumentParser(
        prog="mailadmin autoreply",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add_arguments(made)
    return made


def add_arguments(parser):
    add = parser.add_argument
    several = {"action": "extend", "nargs": "+", "metavar": "ADDRESS"}
    add("--sender", required=True, metavar="ADDRESS", help="of the envelope")
    add("--recipient", required=True, **several, help="user#example.org@autoreply.localhost")
    add("--original-recipient", default=[], **several, help="as it was before all aliases")
    add("--env-file", metavar="FILE", help="settings, instead of MAILADMIN_ENV_FILE")
    add(
        "--sendmail",
        default=DEFAULT_SENDMAIL,
        metavar="PROGRAM",
        help=f"instead of {DEFAULT_SENDMAIL}",
    )
    add("--log-to-stderr", action="store_true", help="instead of the mail log")


def load_settings(path=None, environ=os.environ):
    """The few settings that matter here; secrets of the others need not be readable for us."""
    values = filter_settings(
        conf.read_env_file(path or environ.get("MAILADMIN_ENV_FILE"))
    ) | filter_settings(environ)
    return {
        one.name: conf.parse_variable(one, values)
        for one in conf.SETTINGS
        if one.name in SETTING_NAMES
    }


def filter_settings(values):
    names = [*SETTING_NAMES, *(f"{name}_FILE" for name in SETTING_NAMES)]
    return conf.read_secret_files({name: values[name] for name in names if name in values})


# The answers


def respond_to_message(options, known, stream):
    """Answer for every recipient who is away and has reason to; the status to end with."""
    letter = read_message(stream, options.sender)
    if reason := next(rules.iter_no_reply_reasons(letter, known), None):
        log.write_line(f"no answer to {letter.sender}: {reason}")
        return EX_OK
    try:
        with open_database(known) as database:
            for recipient, original in pair_recipients(options):
                decision = reply_for_recipient(
                    database, letter, recipient, original, options.sendmail
                )
                log.write_line(f"{recipient}, mail from {letter.sender}: {decision}")
    except (DatabaseUnavailable, ReplyNotSent) as trouble:
        return defer_message(f"the answer to {letter.sender} has to wait: {trouble}")
    return EX_OK


def pair_recipients(options):
    """Each with the address it was before aliases, where Postfix says so."""
    known = options.original_recipient
    known = known if len(known) == len(options.recipient) else [""] * len(options.recipient)
    return zip(options.recipient, known, strict=True)


def reply_for_recipient(database, letter, recipient, original, sendmail):
    """Send one person's answer, unless there is a reason for none; what was done."""
    now = get_local_now(database.known["MAILADMIN_TIME_ZONE"])
    vacation = find_active_vacation(
        database, addresses.find_possible_owners(recipient, database.known), now
    )
    if vacation is None:
        return "no answer: nobody is away there"
    if reason := next(rules.iter_owner_reasons(vacation, letter, original, database), None):
        return f"no answer: {reason}"
    if not (note := record_notification(database, vacation, letter.sender, now)):
        return "no answer: told already"
    return send_reply(note, vacation, letter, now, sendmail)


def send_reply(note, vacation, letter, now, sendmail):
    """Send what is noted down; what could not be sent is noted no longer.

    What may have been sent stays noted: nobody is answered twice.
    """
    from mailboxes.mailserver.autoresponder import answers  # much to load, and most mail needs none

    try:
        answers.run_sendmail(answers.compose_reply(vacation, letter, now), letter.sender, sendmail)
    except OSError as error:
        note.revert()
        raise ReplyNotSent(f"{sendmail}: {error}") from error
    except answers.DeliveryUnconfirmed as error:
        return f"cannot determine whether the answer was sent, {sendmail}: {error}"
    return "answered"
