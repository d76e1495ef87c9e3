"""`apply FILE`: bring domains, mailboxes and aliases to the state that a file describes."""

import json
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from mailadmin.changes.perform import Actor, perform
from mailadmin.console import make_printable
from mailadmin.tables.csv_cells import format_cell
from mailboxes.transfer.console import report_errors
from mailboxes.transfer.manifest.parse import parse_manifest
from mailboxes.transfer.manifest.reconcile import (
    DryRunRollback,
    ReconcileStep,
    hash_passwords,
    reconcile,
)

VERB_SIGNS = {"create": "+", "edit": "~", "delete": "-"}
PLANNED_SUMMARY = gettext_lazy(
    "Nothing was changed: %(new)s new, %(changed)s changed, %(gone)s to delete."
)
DONE_SUMMARY = gettext_lazy("%(new)s created, %(changed)s changed, %(gone)s deleted.")


class Command(BaseCommand):
    help = "Apply a YAML file: make the domains in it and their rows match the file."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", metavar="FILE", help="YAML or JSON file; - for standard input")
        parser.add_argument("--plan", action="store_true", help="only show what would change")
        parser.add_argument("--json", action="store_true", help="print JSON")

    def handle(self, *args: Any, file: str, plan: bool, **options: Any) -> None:
        with report_errors():
            steps = self.reconcile_file(file, plan)
        if options["json"]:
            self.stdout.write(json.dumps([step._asdict() for step in steps], ensure_ascii=False))
        else:
            self.print_steps(steps, plan)

    def reconcile_file(self, file: str, dry_run: bool) -> list[ReconcileStep]:
        manifest = parse_manifest(read_manifest_text(file), file)
        hash_passwords(manifest)
        try:
            return perform(Actor.console(), reconcile, manifest, dry_run)
        except DryRunRollback as rollback:
            return rollback.steps

    def print_steps(self, steps: list[ReconcileStep], dry_run: bool) -> None:
        for step in steps:
            self.stdout.write(make_printable(f"{VERB_SIGNS[step.verb]} {step.kind} {step.key}"))
            for name, old, new in step.differences:
                change = (
                    f": {format_cell(old)} → {format_cell(new)}" if (old, new) != ("", "") else ""
                )
                self.stdout.write(make_printable(f"    {name}{change}"))
        verbs = [step.verb for step in steps]
        numbers = {"new": "create", "changed": "edit", "gone": "delete"}
        counts = {name: verbs.count(verb) for name, verb in numbers.items()}
        self.stdout.write(str((PLANNED_SUMMARY if dry_run else DONE_SUMMARY) % counts))


def read_manifest_text(file: str) -> str:
    try:
        data = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        return data.decode("utf-8-sig")
    except OSError as error:
        text = _("Cannot read %(file)s: %(error)s.")
        raise CommandError(text % {"file": file, "error": error.strerror}) from error
    except UnicodeDecodeError as error:
        raise CommandError(_("%(file)s is not UTF-8.") % {"file": file}) from error
