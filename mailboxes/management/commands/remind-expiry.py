"""`remind-expiry`: remind mailbox owners of passwords that expire soon."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from domains.models import Domain
from mailadmin.console import report_database_errors
from mailadmin.names import try_normalize_domain
from mailadmin.tables.cli_output import print_rows
from mailboxes.services.expiry_reminders import iter_due_reminders, send_reminders

COLUMNS = ("mailbox", "expires", "days")


class Command(BaseCommand):
    help = "Send the reminders of expiring passwords that are due; the worker does so every hour."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--domain", default="", help="only mailboxes of this domain")
        parser.add_argument("--plan", action="store_true", help="print what is due, send nothing")
        parser.add_argument("--json", action="store_true", help="print JSON")

    def handle(self, *args: Any, domain: str, plan: bool, json: bool, **options: Any) -> None:
        name = try_normalize_domain(domain)
        with report_database_errors():
            if name and not Domain.objects.filter(pk=name).exists():
                raise CommandError(_("There is no domain %(name)s.") % {"name": domain})
            if plan:
                print_rows(self.stdout, COLUMNS, iter_rows(name), json)
                return
            count = send_reminders(name)
        text = ngettext("%(count)s person was reminded.", "%(count)s people were reminded.", count)
        self.stdout.write(f'{{"reminded": {count}}}' if json else text % {"count": count})


def iter_rows(domain: str) -> Any:
    """Yield a row for each reminder that is due."""
    for reminders in iter_due_reminders(domain):
        for mailbox, days in reminders:
            expires = mailbox.password_expiry.isoformat()
            yield {"mailbox": mailbox.pk, "expires": expires, "days": days}
