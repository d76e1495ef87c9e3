"""The import command: shows a plan first, and applies it only on demand."""

import itertools
import os
import sys
from getpass import getpass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from mailadmin.changes.perform import Actor, perform
from mailadmin.console import make_printable
from mailboxes.models import Plan
from mailboxes.transfer.console import report_errors
from mailboxes.transfer.plan import workflow
from mailboxes.transfer.plan.output import iter_plan_json, redact_source, render_plan
from mailboxes.transfer.plan.rejected_rows import get_refused_rows, rejects_filename, render_rejects
from mailboxes.transfer.progress import ProgressBar
from mailboxes.transfer.readers import READERS
from mailboxes.transfer.row_types import ROW_TYPES_BY_TABLE

DEFAULT_ROW_LIMIT = 20
State = Plan.State


class Command(BaseCommand):
    help = "Import domains, mailboxes and aliases from another system: preview first, then apply."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--from", dest="format", choices=READERS, help="type of the source")
        parser.add_argument("--source", help="database URL, SQL dump, file or folder")
        parser.add_argument(
            "--table", choices=ROW_TYPES_BY_TABLE, help="type of rows in a CSV or JSON file"
        )
        parser.add_argument(
            "--scheme",
            help="default_pass_scheme of the source's Dovecot, for hashes without {SCHEME} prefix",
        )
        what = parser.add_mutually_exclusive_group()
        what.add_argument(
            "--plan", action="store_true", help="only show an import preview (default)"
        )
        what.add_argument(
            "--apply",
            nargs="?",
            type=int,
            const=0,
            metavar="PLAN",
            help="apply the source as it is now, or the import preview with this number",
        )
        what.add_argument("--take-back", type=int, metavar="PLAN", help="undo an import")
        parser.add_argument("--rejects", metavar="FILE", help="file to write the rejected rows to")
        parser.add_argument(
            "--all", action="store_true", help="print all rows, not only the first ones"
        )
        parser.add_argument("--json", action="store_true", help="print everything as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        self.options, self.actor = options, Actor.console()
        with report_errors():
            self.run_import()

    def run_import(self) -> None:
        options = self.options
        if options["take_back"]:
            return self.run_operation(self.get_plan(options["take_back"]), State.RETURNING)
        if options["apply"]:
            return self.run_operation(self.get_plan(options["apply"]), State.APPLYING)
        if not options["format"] or not options["source"]:
            raise CommandError(_("Give --from and --source."), returncode=2)
        plan = self.read_source()
        if options["apply"] is None:
            return self.print_preview(plan)
        return self.run_operation(plan, State.APPLYING)

    def get_plan(self, plan_id: int) -> Plan:
        plan = Plan.objects.visible_to(self.actor.principal).filter(pk=plan_id).first()
        if plan is None:
            raise CommandError(_("There is no import %(number)s.") % {"number": plan_id})
        return plan

    def read_source(self) -> Plan:
        options = self.options
        reader_options = {name: options[name] for name in ("table", "scheme") if options[name]}
        if set(reader_options) - {READERS[options["format"]].option}:
            raise CommandError(
                _("--table works only with csv and json, --scheme only with the other sources."),
                returncode=2,
            )
        display_source = redact_source(options["source"])
        plan = perform(
            self.actor, workflow.create_plan, options["format"], display_source, reader_options
        )
        try:
            with self.progress_bar(
                _("reading"), workflow.estimate_row_count(plan, options["source"])
            ) as bar:
                workflow.read_in_foreground(
                    self.actor, plan, add_database_password(options["source"]), bar.advance
                )
        except KeyboardInterrupt as error:
            perform(self.actor, workflow.discard_plan, plan.pk)
            raise CommandError(_("Stopped; nothing was changed.")) from error
        plan.refresh_from_db()
        return plan

    def run_operation(self, plan: Plan, state: Plan.State) -> None:
        total = workflow.OPERATIONS[state].pending_rows(plan).count()
        try:
            with self.progress_bar(State(state).label, total) as bar:
                workflow.run_in_foreground(self.actor, plan.pk, state, bar.advance)
        except KeyboardInterrupt as error:
            perform(self.actor, workflow.stop_plan, plan.pk)
            text = _("Stopped; the rows done so far are kept. Continue with %(option)s %(number)s.")
            option = "--apply" if state == State.APPLYING else "--take-back"
            raise CommandError(text % {"option": option, "number": plan.pk}) from error
        plan.refresh_from_db()
        self.print_plan(plan)
        if state == State.APPLYING:
            self.write_refused_rows(plan)

    def progress_bar(self, title: str | Promise, total: int = 0) -> ProgressBar:
        return ProgressBar(self.stderr, title, total)

    # Output

    def print_preview(self, plan: Plan) -> None:
        self.print_plan(plan)
        if not self.options["json"]:
            text = _(
                "Nothing was changed. Apply this import with: mailadmin import --apply %(number)s"
            )
            self.stdout.write("\n" + text % {"number": plan.pk})

    def print_plan(self, plan: Plan) -> None:
        """Print the plan, every row of it with --all or --json."""
        if self.options["json"]:
            for piece in iter_plan_json(plan):
                self.stdout.write(piece, ending="")
            return
        for line in render_plan(plan, None if self.options["all"] else DEFAULT_ROW_LIMIT):
            self.stdout.write(make_printable(line))

    def write_refused_rows(self, plan: Plan) -> None:
        """Write refused rows into a file, and fail with its name."""
        if not (count := get_refused_rows(plan).count()):
            return
        path = Path(self.options["rejects"] or find_free_path(rejects_filename(plan)))
        try:
            with open(path, "w", encoding="utf-8", opener=open_private, newline="") as file:
                os.fchmod(file.fileno(), 0o600)  # an existing file keeps its mode when opened
                file.writelines(render_rejects(plan))
        except OSError as error:
            text = _("Some rows were rejected, but %(file)s cannot be written: %(error)s.")
            values = {"file": path, "error": error.strerror}
            raise CommandError(text % values) from error
        text = ngettext(
            "%(count)s row was rejected and written to %(file)s. Fix it there and import"
            " that file.",
            "%(count)s rows were rejected and written to %(file)s. Fix them there and"
            " import that file.",
            count,
        )
        raise CommandError(text % {"count": count, "file": path})


def add_database_password(url: str) -> str:
    """Add the password to a database URL without one, from MYSQL_PWD or by asking for it.

    Everybody on the machine can read the arguments of a command while it runs.
    """
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    if parts.scheme not in ("mysql", "mariadb") or not at or ":" in user:
        return url
    password = os.environ.get("MYSQL_PWD", "")
    if not password and sys.stdin.isatty():
        password = getpass(_("Password of %(user)s: ") % {"user": user})
    return urlunsplit(parts._replace(netloc=f"{user}:{quote(password, safe='')}@{host}"))


def find_free_path(name: str) -> Path:
    """Return the name, or the first free one with a number: the last file may be half corrected."""
    path = Path(name)
    names = (path.with_stem(f"{path.stem}-{number}") for number in itertools.count(2))
    return next(name for name in itertools.chain([path], names) if not name.exists())


def open_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
