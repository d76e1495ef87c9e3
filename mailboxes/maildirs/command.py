"""`maildirs`: the list of leftover maildirs as a command, and the work on them."""

import json
from collections.abc import Callable
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext as _

from mailadmin.changes.perform import perform
from mailadmin.console import make_printable
from mailadmin.jobs.leases import LeaseLost
from mailadmin.tables.cli import TableCommand, format_errors
from mailadmin.tables.serialization import validation_texts
from mailboxes.maildirs.archiving import archive_maildirs, settle_unfinished
from mailboxes.maildirs.errors import MaildirRunRefused
from mailboxes.maildirs.purging import purge_archives
from mailboxes.maildirs.restoring import restore_maildir
from mailboxes.maildirs.scanning import scan
from mailboxes.maildirs.session import (
    MaildirSession,
    describe_failures,
    open_session,
    record_run,
)
from mailboxes.services.maildirs import set_leftover_maildirs

Work = Callable[[MaildirSession], Any]


def archive(session: MaildirSession) -> None:
    settle_unfinished(session)
    archive_maildirs(session)


def run_all(session: MaildirSession) -> None:
    """Do all that is due."""
    settle_unfinished(session)
    archive_maildirs(session, scan(session))
    purge_archives(session)


# Verb → what it does, and its help
WORK: dict[str, tuple[Work, str]] = {
    "scan": (scan, "list the maildirs without a mailbox; nothing on disk is changed"),
    "archive": (archive, "archive those whose waiting time is over, and delete their folders"),
    "purge": (purge_archives, "delete the archives whose time is over"),
    "run": (run_all, "all of this, as the timer does"),
}


class MaildirsCommand(TableCommand):
    slug = "maildirs"
    help = "List, archive, purge and restore maildirs that belong to no mailbox any more."  # type: ignore[assignment]

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
        rows = verbs.add_parser("list", help="list all maildirs, or those that match")
        self.add_list_arguments(rows)
        rows.set_defaults(run=self.print_list)
        shown = self.add_key_argument(verbs.add_parser("show", help="show one maildir"))
        shown.set_defaults(run=self.show)
        for verb, value in (("keep", True), ("release", False)):
            text = "never archive or purge this maildir" if value else "undo `keep`"
            setter = self.add_key_argument(verbs.add_parser(verb, help=text))
            setter.set_defaults(run=self.set_kept, value=value)
        for verb, (work, text) in WORK.items():
            worker = verbs.add_parser(verb, help=text)
            self.add_run_arguments(worker)
            worker.set_defaults(run=self.run_work, work=work)
        restored = verbs.add_parser("restore", help="unpack an archive where its maildir was")
        self.add_run_arguments(self.add_key_argument(restored), has_output=True)
        restored.set_defaults(run=self.restore)

    def add_run_arguments(self, parser: CommandParser, has_output: bool = False) -> None:
        parser.add_argument(
            "--dry-run", action="store_true", help="print what would be done, and change nothing"
        )
        parser.add_argument(
            "--force",
            action="store_true",
            help="continue if suspiciously many mailboxes are gone; close rows without archive",
        )
        parser.add_argument("--allow-root", action="store_true", help="run even as root")
        if not has_output:
            self.add_output_arguments(parser)

    def set_kept(self, key: str) -> None:
        row = self.get_row(key)
        try:
            perform(self.actor, set_leftover_maildirs, [row.pk], "kept", self.options["value"])
        except ValidationError as error:
            raise CommandError("\n".join(format_errors(validation_texts(error)))) from error
        self.print_row(self.get_row(key))

    def restore(self, key: str) -> None:
        row = self.get_row(key)
        self.run_in_session(lambda session: restore_maildir(session, row.pk))

    def run_work(self, _key: str) -> None:
        """Do what the verb says, and have the page say how it has ended."""

        def run_recorded(session: MaildirSession) -> None:
            with record_run(session):
                self.options["work"](session)

        self.run_in_session(run_recorded)

    def run_in_session(self, work: Work) -> None:
        """Open the storage and work on it; print what was done, however it ends."""
        if not self.table.is_enabled():
            raise CommandError(_("MAILADMIN_MAILDIRS is off."))
        options = self.options
        try:
            with open_session(
                is_dry_run=options["dry_run"],
                is_forced=options["force"],
                allows_root=options["allow_root"],
            ) as session:
                try:
                    work(session)
                finally:
                    self.print_steps(session)
        except MaildirRunRefused as refusal:
            raise CommandError(make_printable(refusal.args[0])) from refusal
        except LeaseLost as error:
            text = _("Another process has taken over this storage.")
            raise CommandError(text) from error
        except OSError as error:
            text = _("Error of the file system: %(error)s") % {"error": str(error)}
            raise CommandError(make_printable(text)) from error
        if session.problems:
            raise CommandError(describe_failures(len(session.problems)))

    def print_steps(self, session: MaildirSession) -> None:
        """Print a line for each maildir to which something was done."""
        if self.options["json"]:
            steps = [each._asdict() | {"dry_run": session.is_dry_run} for each in session.steps]
            self.stdout.write(json.dumps(steps))
            return
        for step in session.steps:
            is_fact = not session.is_dry_run or step.action == "problem"
            verb = step.action if is_fact else f"would {step.action}"
            text = f": {step.text}" if step.text else ""
            self.stdout.write(make_printable(f"{verb} {step.path}{text}"))
