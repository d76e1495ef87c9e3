"""`password-report`: in which schemes the passwords of each domain are stored."""

from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import gettext as _

from domains.models import Admin, Domain
from mailadmin.accounts.stored_schemes import count_schemes
from mailadmin.changes.perform import ConsolePrincipal
from mailadmin.console import report_database_errors
from mailadmin.names import try_normalize_domain
from mailadmin.tables.cli_output import print_rows
from mailboxes.services.password_schemes import SchemeCount, count_mailbox_schemes

COLUMNS = ("domain", "scheme", "people", "weak", "rejected")
ADMINS = "(admins)"


class Command(BaseCommand):
    help = "Print in which schemes passwords are stored, by domain; weak ones are marked."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--domain", default="", help="only mailboxes of this domain")
        parser.add_argument("--json", action="store_true", help="print JSON")

    def handle(self, *args: Any, domain: str, json: bool, **options: Any) -> None:
        name = try_normalize_domain(domain)
        with report_database_errors():
            if name and not Domain.objects.filter(pk=name).exists():
                raise CommandError(_("There is no domain %(name)s.") % {"name": domain})
            print_rows(self.stdout, COLUMNS, iter_rows(name), json)


def iter_rows(domain: str) -> Iterator[dict[str, Any]]:
    """Yield a row for each domain and scheme, and for each scheme of admins."""
    for (name, scheme), number in sorted(count_mailbox_schemes(ConsolePrincipal(), domain).items()):
        yield build_row(name, SchemeCount(scheme, number))
    if not domain:
        for (scheme,), number in sorted(count_schemes(Admin.objects.all()).items()):
            yield build_row(ADMINS, SchemeCount(scheme, number))


def build_row(domain: str, found: SchemeCount) -> dict[str, Any]:
    return {
        "domain": domain,
        "scheme": found.scheme,
        "people": found.people,
        "weak": found.is_weak,
        "rejected": found.is_rejected,
    }
