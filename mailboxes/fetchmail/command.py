"""`fetchmail`: the table of entries as a command, and the runner."""

import json
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from mailadmin.tables.cli import TableCommand
from mailboxes.fetchmail.runner import run_due_entries


class FetchmailCommand(TableCommand):
    slug = "fetchmail"
    password_field = "src_password"  # noqa: S105 (the name of a field)

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        # Argparse keeps one group of verbs, which the table has made.
        verbs: Any = next(a for a in parser._subparsers._group_actions)  # type: ignore[union-attr]
        runner = verbs.add_parser("run", help="fetch mail for all entries that are due")
        runner.add_argument("--all", action="store_true", help="whether or not they are due")
        self.add_output_arguments(runner)
        runner.set_defaults(run=self.run_entries)

    def run_entries(self, _key: str) -> None:
        """Run fetchmail; fail if it failed for an entry, so that a timer reports it."""
        if not self.table.is_enabled():
            raise CommandError(_("MAILADMIN_FETCHMAIL is off."))
        totals = run_due_entries(self.options["all"])
        if self.options["json"]:
            self.stdout.write(json.dumps(totals._asdict()))
        else:
            self.stdout.write(describe_totals(totals.fetched, totals.failed))
        if totals.failed:
            raise CommandError(_("Some entries failed: see `fetchmail list`."), returncode=1)


def describe_totals(fetched: int, failed: int) -> str:
    """Return how many entries were run."""
    done = ngettext("%(count)s entry done", "%(count)s entries done", fetched)
    bad = ngettext("%(count)s failed", "%(count)s failed", failed)
    return f"{done % {'count': fetched}}, {bad % {'count': failed}}"
