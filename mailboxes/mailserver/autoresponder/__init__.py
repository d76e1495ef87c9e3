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
from mailboxes.mailserver.autoresponder.incoming_message import read_letter
from mailboxes.mailserver.autoresponder.notifications import note_down
from mailboxes.mailserver.autoresponder.tables import DatabaseTrouble, connected
from mailboxes.mailserver.autoresponder.vacation_rows import find_vacation, now_in

DONE, TRY_AGAIN = 0, 75  # EX_OK and EX_TEMPFAIL of sysexits.h
SENDMAIL = "/usr/sbin/sendmail"
SETTINGS = (
    "MAILADMIN_DATABASE_URL",
    "MAILADMIN_TABLE_PREFIX",
    "MAILADMIN_TIME_ZONE",
    "MAILADMIN_VACATION",
    "MAILADMIN_VACATION_DOMAIN",
    "MAILADMIN_RECIPIENT_DELIMITER",
)


class NotSent(Exception):
    """The answer could not be handed over; nobody has been told."""


# The command


def main(arguments):
    """Deal with the mail on standard input; the status to end with."""
    sys.excepthook = unforeseen
    try:
        return run(parser().parse_args(arguments))
    except SystemExit as end:  # argparse after --help, or a setting or option that is wrong
        return try_again(end.code) if end.code else DONE


def run(options):
    log.use(sys.stderr if options.log_to_stderr else None)
    return respond(options, settings(options.env_file), sys.stdin.buffer)


def try_again(words):
    """The reason is for the log; what is printed may reach a sender whose mail waited too long."""
    log.line(words)
    print("4.3.0 the vacation responder is not available", file=sys.stderr)
    return TRY_AGAIN


def unforeseen(kind, error, traceback):
    """The mail waits for somebody to mend this: a traceback would reach its sender in a bounce."""
    while traceback.tb_next:
        traceback = traceback.tb_next
    file = traceback.tb_frame.f_code.co_filename
    os._exit(try_again(f"a fault: {kind.__name__} in {file}, line {traceback.tb_lineno}"))


class Parser(argparse.ArgumentParser):
    def error(self, message):
        raise SystemExit(f"mailadmin autoreply: {message}")


def parser():
    made = Parser(
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
    add("--sendmail", default=SENDMAIL, metavar="PROGRAM", help=f"instead of {SENDMAIL}")
    add("--log-to-stderr", action="store_true", help="instead of the mail log")


def settings(path=None, environ=os.environ):
    """The few settings that matter here; secrets of the others need not be readable for us."""
    values = wanted(conf.env_file(path or environ.get("MAILADMIN_ENV_FILE"))) | wanted(environ)
    return {one.name: conf.parsed(one, values) for one in conf.SETTINGS if one.name in SETTINGS}


def wanted(values):
    names = [*SETTINGS, *(f"{name}_FILE" for name in SETTINGS)]
    return conf.with_secrets({name: values[name] for name in names if name in values})


# The answers


def respond(options, known, stream):
    """Answer for every recipient who is away and has reason to; the status to end with."""
    letter = read_letter(stream, options.sender)
    if reason := next(rules.against_any_answer(letter, known), None):
        log.line(f"no answer to {letter.sender}: {reason}")
        return DONE
    try:
        with connected(known) as database:
            for recipient, original in recipients(options):
                decision = answer(database, letter, recipient, original, options.sendmail)
                log.line(f"{recipient}, mail from {letter.sender}: {decision}")
    except (DatabaseTrouble, NotSent) as trouble:
        return try_again(f"the answer to {letter.sender} has to wait: {trouble}")
    return DONE


def recipients(options):
    """Each with the address it was before aliases, where Postfix says so."""
    known = options.original_recipient
    known = known if len(known) == len(options.recipient) else [""] * len(options.recipient)
    return zip(options.recipient, known, strict=True)


def answer(database, letter, recipient, original, sendmail):
    """Send one person's answer, unless there is a reason for none; what was done."""
    now = now_in(database.known["MAILADMIN_TIME_ZONE"])
    vacation = find_vacation(database, addresses.owners(recipient, database.known), now)
    if vacation is None:
        return "no answer: nobody is away there"
    if reason := next(rules.against_answer_of(vacation, letter, original, database), None):
        return f"no answer: {reason}"
    if not (note := note_down(database, vacation, letter.sender, now)):
        return "no answer: told already"
    return deliver(note, vacation, letter, now, sendmail)


def deliver(note, vacation, letter, now, sendmail):
    """Send what is noted down; what could not be sent is noted no longer.

    What may have been sent stays noted: nobody is answered twice.
    """
    from mailboxes.mailserver.autoresponder import answers  # much to load, and most mail needs none

    try:
        answers.send(answers.compose(vacation, letter, now), letter.sender, sendmail)
    except OSError as error:
        note.take_back()
        raise NotSent(f"{sendmail}: {error}") from error
    except answers.Unconfirmed as error:
        return f"cannot determine whether the answer was sent, {sendmail}: {error}"
    return "answered"
