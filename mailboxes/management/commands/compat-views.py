"""`compat-views`: an older system's map files go on working on the panel's tables."""

import json

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from mailadmin.console import make_printable, report_database_errors
from mailboxes.transfer.legacy_views import grants, work
from mailboxes.transfer.legacy_views.folders import find_relocated_mailboxes
from mailboxes.transfer.legacy_views.views import LEGACY_SYSTEMS

MAX_LISTED_MAILBOXES = 5
OUTCOME_LABELS = {
    work.CREATED: gettext_lazy("made"),
    work.CHANGED: gettext_lazy("made anew"),
    work.UNCHANGED: gettext_lazy("as it was"),
    work.REMOVED: gettext_lazy("removed"),
    work.ABSENT: gettext_lazy("was not there"),
}


class Command(BaseCommand):
    help = "Make views with an older system's names, for the map files that it left."

    def add_arguments(self, parser):
        parser.add_argument("system", choices=LEGACY_SYSTEMS)
        parser.add_argument("--database", metavar="NAME", help="put them there (default: here)")
        parser.add_argument("--drop", action="store_true", help="remove them")
        for name in ("postfix", "dovecot"):
            parser.add_argument(
                f"--{name}-account",
                metavar="USER@HOST",
                default=f"{name}@localhost",
                help=f"the database account in {name.title()}'s files (default: %(default)s)",
            )
        parser.add_argument("--json", action="store_true", help="print everything as JSON")

    def handle(self, *args, system, database, drop, **options):
        if database == "":
            raise CommandError(_("--database needs a name."), returncode=2)
        accounts = self.accounts(options)
        with report_database_errors():
            try:
                outcome = (work.drop_views if drop else work.create_views)(system, database)
            except ValidationError as error:
                raise CommandError(make_printable(" ".join(error.messages))) from error
        told = {"database": database or connection.settings_dict["NAME"], "views": outcome}
        if not drop:
            told |= find_manual_steps(system, told["database"], accounts)
        if options["json"]:
            self.stdout.write(json.dumps(told, indent=2, ensure_ascii=False))
            return
        for line in iter_sql_lines(**told):
            self.stdout.write(line)

    def accounts(self, options):
        try:
            return [
                grants.parse_account(options[f"{name}_account"]) for name in ("postfix", "dovecot")
            ]
        except ValidationError as error:
            raise CommandError(make_printable(" ".join(error.messages)), returncode=2) from error


def find_manual_steps(system, database, accounts):
    """What is left to somebody else: the grants, and mail that lies in another folder."""
    return {
        "grants": list(grants.iter_grants(system, database, *accounts)),
        "elsewhere": list(find_relocated_mailboxes(system).values_list("pk", flat=True)),
    }


def iter_sql_lines(database, views, grants=(), elsewhere=()):
    """As SQL, in which all but the grants is a comment."""
    for name, verb in views.items():
        yield format_sql_comment(f"{database}.{name}: {OUTCOME_LABELS[verb]}")
    if grants:
        yield format_sql_comment(_("For an account that may grant, such as root:"))
    yield from grants
    if elsewhere:
        text = ngettext(
            "%(count)s mailbox has another folder in the panel than in older files: %(names)s",
            "%(count)s mailboxes have other folders in the panel than in older files: %(names)s",
            len(elsewhere),
        )
        yield format_sql_comment(text % {"count": len(elsewhere), "names": format_some(elsewhere)})


def format_sql_comment(text):
    return make_printable(f"-- {text}")


def format_some(names):
    return ", ".join(names[:MAX_LISTED_MAILBOXES]) + (
        " …" if len(names) > MAX_LISTED_MAILBOXES else ""
    )
