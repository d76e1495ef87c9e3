"""`integrity`: find rows that contradict each other, and fix those that need no decision."""

import sys
from collections.abc import Iterable, Iterator
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from mailadmin.changes.perform import Actor, ConsolePrincipal, perform
from mailadmin.console import make_printable, report_database_errors
from mailadmin.names import try_normalize_domain
from mailadmin.tables.cli_output import print_rows
from mailboxes.integrity.catalog import CHECKS
from mailboxes.integrity.checks import IntegrityCheck
from mailboxes.integrity.fixes import MAX_FIXED, digest_plan, fix_problems, plan_fix
from mailboxes.integrity.output import render_plan
from mailboxes.integrity.scanning import Located, Scope, iter_problems

COLUMNS = ("check", "name", "domain", "text", "fix", "fixed")
PROBLEMS_STATUS = 1


class Command(BaseCommand):
    help = "Find rows that contradict each other, and fix those that need no decision."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--domain", default="", help="only rows of this domain")
        parser.add_argument(
            "--check", action="append", choices=list(CHECKS), metavar="NAME", help="only this check"
        )
        parser.add_argument("--list", action="store_true", help="print the checks, and run none")
        parser.add_argument("--fix", action="store_true", help="fix what needs no decision")
        parser.add_argument("--yes", action="store_true", help="do not ask before fixing")
        parser.add_argument("--json", action="store_true", help="print JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        self.options = options
        self.scope = Scope(ConsolePrincipal(), try_normalize_domain(options["domain"]))
        self.left = 0
        if options["list"]:
            print_rows(self.stdout, LIST_COLUMNS, map(describe_check, CHECKS.values()), self.json)
            return
        self.check_usage()
        with report_database_errors():
            print_rows(self.stdout, COLUMNS, self.iter_lines(), self.json)
        if self.left:
            text = ngettext("%(count)s problem.", "%(count)s problems.", self.left)
            raise CommandError(text % {"count": self.left}, returncode=PROBLEMS_STATUS)

    @property
    def json(self) -> bool:
        return self.options["json"]

    def check_usage(self) -> None:
        """Refuse to ask questions where nobody can answer, or where they would disturb JSON."""
        if not self.options["fix"] or self.options["yes"]:
            return
        if self.json or not sys.stdin.isatty():
            text = _("The terminal is not interactive: confirm with --yes.")
            raise CommandError(text, returncode=2)

    def iter_lines(self) -> Iterator[dict[str, Any]]:
        """Yield a line for each problem; those that are fixed say so."""
        names = self.options["check"] or list(CHECKS)
        for check in (CHECKS[name] for name in CHECKS if name in names):
            for part in iter_parts(iter_problems(check, self.scope)):
                fixed = self.fix(check, part) if self.options["fix"] and check.is_fixable else set()
                self.left += sum(each.id not in fixed for each in part)
                yield from (build_line(check, each, each.id in fixed) for each in part)

    def fix(self, check: IntegrityCheck, part: list[Located]) -> set[str]:
        """Show what is changed, ask if nobody has said yes, and fix these problems.

        Return the ids of those that were fixed.
        """
        plan = plan_fix(check, self.scope, part)
        if not self.json:
            self.stderr.write(make_printable(f"{check.title}: {check.fix_text}"))
            for line in render_plan(plan):
                self.stderr.write("  " + make_printable(line))
        if not self.options["yes"] and not is_confirmed():
            return set()
        ids = [each.id for each in part]
        try:
            return perform(Actor.console(), fix_problems, check.name, ids, digest_plan(plan))
        except ValidationError as error:
            self.stderr.write(make_printable("\n".join(error.messages)))
            return set()


LIST_COLUMNS = ("check", "title", "fix")


def describe_check(check: IntegrityCheck) -> dict[str, Any]:
    fix = str(check.fix_text) if check.is_fixable else str(check.decision)
    return {"check": check.name, "title": str(check.title), "fix": fix}


def build_line(check: IntegrityCheck, each: Located, is_fixed: bool) -> dict[str, Any]:
    problem = each.problem
    return {
        "check": check.name,
        "name": problem.key,
        "domain": problem.domain,
        "text": str(problem.text),
        "fix": "automatic" if check.is_fixable else "manual",
        "fixed": is_fixed,
    }


def iter_parts(found: Iterable[Located]) -> Iterator[list[Located]]:
    """Yield the problems in parts that one transaction fixes."""
    part: list[Located] = []
    for each in found:
        part.append(each)
        if len(part) == MAX_FIXED:
            yield part
            part = []
    if part:
        yield part


def is_confirmed() -> bool:
    return input(_("Make these changes? [y/N] ")).strip().lower() in ("y", "yes", _("yes"))
