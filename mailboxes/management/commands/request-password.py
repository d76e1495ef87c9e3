"""`request-password`: ask mailbox owners or admins to set a new password."""

from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import gettext as _

from mailadmin import registry
from mailadmin.accounts.password_requests import REQUEST_PASSWORD, request_passwords
from mailadmin.accounts.stored_schemes import is_scheme_filter
from mailadmin.changes.perform import Actor, perform
from mailadmin.console import report_database_errors
from mailadmin.db.bulk import chunks

BATCH_SIZE = 200  # people in one transaction


class Command(BaseCommand):
    help = "Ask people to set a new password: these, or all with passwords in a weak scheme."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("addresses", nargs="*", metavar="ADDRESS")
        parser.add_argument(
            "--scheme", default="", help="all with this scheme: weak, rejected or its name"
        )
        parser.add_argument("--domain", default="", help="only those of this domain")
        parser.add_argument(
            "--admins",
            action="store_const",
            const="admins",
            default="mailboxes",
            dest="slug",
            help="of admins, not of mailbox owners",
        )
        parser.add_argument("--plan", action="store_true", help="print who would be asked")

    def handle(
        self, *args: Any, addresses: list[str], scheme: str, plan: bool, **options: Any
    ) -> None:
        if bool(addresses) == bool(scheme) or (addresses and options["domain"]):
            raise CommandError(_("Give addresses, or --scheme."), returncode=2)
        if scheme and not is_scheme_filter(scheme):
            text = _("Unknown password scheme %(scheme)s.") % {"scheme": scheme}
            raise CommandError(text, returncode=2)
        self.actor, self.table = Actor.console(), registry.tables[options["slug"]]
        with report_database_errors():
            keys = [self.table.parse_key(address) for address in addresses]
            keys = keys or self.find_keys({"scheme": scheme, "domain": options["domain"]})
            if plan:
                self.stdout.writelines(f"{key}\n" for key in keys)
            else:
                self.request(keys)

    def find_keys(self, filters: dict[str, str]) -> list[str]:
        rows = self.table.select(self.actor.principal, self.table.filters(filters))
        return list(rows.order_by("pk").values_list("pk", flat=True))

    def request(self, keys: list[str]) -> None:
        count = 0
        for part in chunks(keys, BATCH_SIZE):
            try:
                count += perform(self.actor, request_passwords, self.table.model, part)
            except ValidationError as error:
                raise CommandError(" ".join(error.messages)) from error
        self.stdout.write(REQUEST_PASSWORD.describe_done(self.table.format_count(count)))
