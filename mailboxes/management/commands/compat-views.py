"""`compat-views`: let an older system's map files, SOGo or Nextcloud read the panel's tables."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from mailadmin.console import make_printable
from mailboxes.transfer.console import report_errors
from mailboxes.transfer.legacy_views import grants, work
from mailboxes.transfer.legacy_views.folders import find_relocated_mailboxes
from mailboxes.transfer.legacy_views.systems import ACCOUNTS, LEGACY_SYSTEMS

MAX_LISTED_MAILBOXES = 5
OUTCOME_LABELS = {
    work.CREATED: gettext_lazy("created"),
    work.CHANGED: gettext_lazy("created again"),
    work.UNCHANGED: gettext_lazy("unchanged"),
    work.REMOVED: gettext_lazy("removed"),
    work.ABSENT: gettext_lazy("did not exist"),
}


class Command(BaseCommand):
    help = (
        "Create views with the table names of an older system, so that its map files keep working,"
        " or views by which SOGo or Nextcloud sign mailbox owners in."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("system", choices=LEGACY_SYSTEMS)
        parser.add_argument(
            "--database", metavar="NAME", help="database for the views (default: the panel's own)"
        )
        parser.add_argument("--drop", action="store_true", help="remove the views")
        for name, program in ACCOUNTS.items():
            parser.add_argument(
                f"--{name}-account",
                metavar="USER@HOST",
                default=f"{name}@localhost",
                help=f"database account in {program.title}'s files (default: %(default)s)",
            )
        parser.add_argument("--json", action="store_true", help="print everything as JSON")

    def handle(
        self, *args: Any, system: str, database: str | None, drop: bool, **options: Any
    ) -> None:
        if database == "":
            raise CommandError(_("--database requires a name."), returncode=2)
        accounts = self.parse_accounts(system, options)
        with report_errors():
            outcome = (work.drop_views if drop else work.create_views)(system, database)
        database = database or connection.settings_dict["NAME"]
        result: dict[str, Any] = {"database": database, "views": outcome}
        if not drop:
            result |= find_manual_steps(system, database, accounts)
        if options["json"]:
            self.stdout.write(json.dumps(result, indent=2, ensure_ascii=False))
            return
        for line in iter_sql_lines(**result):
            self.stdout.write(line)

    def parse_accounts(self, system: str, options: dict[str, Any]) -> dict[str, str]:
        """Return program → its account, quoted for SQL."""
        try:
            return {
                program.name: grants.parse_account(options[f"{program.name}_account"])
                for program in LEGACY_SYSTEMS[system].accounts
            }
        except ValidationError as error:
            raise CommandError(make_printable(" ".join(error.messages)), returncode=2) from error


def find_manual_steps(
    system: str, database: str, accounts: Mapping[str, str]
) -> dict[str, list[str]]:
    """Return what is left to the operator: grants, and mailboxes with mail in another folder."""
    return {
        "grants": list(grants.iter_grants(system, database, accounts)),
        "elsewhere": list(find_relocated_mailboxes(system).values_list("pk", flat=True)),
    }


def iter_sql_lines(
    database: str, views: dict[str, str], grants: Sequence[str] = (), elsewhere: Sequence[str] = ()
) -> Iterator[str]:
    """Yield the result as SQL, in which everything except the grants is a comment."""
    for name, outcome in views.items():
        yield format_sql_comment(f"{database}.{name}: {OUTCOME_LABELS[outcome]}")
    if grants:
        yield format_sql_comment(_("Run as an account that may grant privileges, such as root:"))
    yield from grants
    if elsewhere:
        text = ngettext(
            "%(count)s mailbox has a different folder in the panel than in the older"
            " files: %(names)s",
            "%(count)s mailboxes have different folders in the panel than in the older"
            " files: %(names)s",
            len(elsewhere),
        )
        yield format_sql_comment(text % {"count": len(elsewhere), "names": format_some(elsewhere)})


def format_sql_comment(text: str) -> str:
    return make_printable(f"-- {text}")


def format_some(names: Sequence[str]) -> str:
    return ", ".join(names[:MAX_LISTED_MAILBOXES]) + (
        " …" if len(names) > MAX_LISTED_MAILBOXES else ""
    )
