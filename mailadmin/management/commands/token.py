"""`token list | show | add | delete`: API tokens of admins, for the operator."""

from collections.abc import Callable
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import gettext as _

from mailadmin.api.forms import TokenForm
from mailadmin.api.models import Token
from mailadmin.api.tokens import TOKEN_VERBS, delete_token
from mailadmin.changes.perform import Actor, perform
from mailadmin.console import report_database_errors
from mailadmin.db.column_facts import get_column_field
from mailadmin.names import try_normalize_address
from mailadmin.tables.cli import format_errors
from mailadmin.tables.cli_options import parse_comma_list
from mailadmin.tables.cli_output import print_row, print_rows
from mailadmin.tables.serialization import error_texts, to_json_value

TOKEN_COLUMNS = (
    *("id", "owner", "name", "hint", "tables", "verbs", "domains", "networks"),
    *("created", "expires", "last_used", "last_address"),
)
LIST_OPTIONS = {  # option of several values → its help
    "tables": "allow only these tables",
    "verbs": ", ".join(TOKEN_VERBS),
    "domains": "allow only these domains",
    "networks": "allow use only from these addresses or networks",
}


class Command(BaseCommand):
    help = "List, show, create and revoke API tokens."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
        listed = verbs.add_parser("list", help="list all tokens, or those of an admin")
        listed.add_argument("--owner", help="only tokens of this admin")
        added = verbs.add_parser("add", help="create a token and print it (it is shown only once)")
        self.add_create_arguments(added)
        shown = verbs.add_parser(
            "show", help="show a token's details (the token itself is not stored)"
        )
        deleted = verbs.add_parser("delete", help="revoke a token")
        listed.set_defaults(run=self.list_tokens)
        added.set_defaults(run=self.add)
        shown.set_defaults(run=self.show)
        deleted.set_defaults(run=self.delete)
        for keyed in (shown, deleted):
            keyed.add_argument("key", type=int, metavar="NUMBER")
        for each in (listed, added, shown, deleted):
            each.add_argument("--json", action="store_true", help="print JSON")

    def add_create_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("owner", metavar="ADMIN", help="the admin who owns the token")
        parser.add_argument("--name", required=True, help="program that will use the token")
        for name, text in LIST_OPTIONS.items():
            parser.add_argument(f"--{name}", type=parse_comma_list, metavar="A,B", help=text)
        parser.add_argument(
            "--expires", metavar="YYYY-MM-DD", help="last day on which the token works"
        )

    def handle(self, *args: Any, run: Callable[[], None], **options: Any) -> None:
        self.options, self.actor = options, Actor.console()
        with report_database_errors():
            run()

    def list_tokens(self) -> None:
        tokens = Token.objects.order_by("pk")
        if owner := self.options["owner"]:
            tokens = tokens.filter(owner=try_normalize_address(owner))
        print_rows(self.stdout, TOKEN_COLUMNS, map(token_values, tokens), self.options["json"])

    def show(self) -> None:
        print_row(self.stdout, token_values(self.get_token()), self.options["json"])

    def get_token(self) -> Token:
        token = Token.objects.filter(pk=self.options["key"]).first()
        if token is None:
            raise CommandError(_("There is no token %(number)s.") % {"number": self.options["key"]})
        return token

    def add(self) -> None:
        form = self.build_form(self.get_owner())
        text = form.save() if form.is_valid() else None
        if text is None:
            raise CommandError("\n".join(format_errors(error_texts(form.errors.as_data()))))
        if self.options["json"]:
            print_row(self.stdout, {"token": text}, True)
        else:
            self.stdout.write(text)

    def get_owner(self) -> Any:
        name = try_normalize_address(self.options["owner"])
        owner = get_user_model().objects.filter(pk=name, active=True).first()
        if owner is None:
            raise CommandError(_("There is no active admin %(name)s.") % {"name": name})
        return owner

    def build_form(self, owner: Any) -> TokenForm:
        lists = {name: self.options[name] or [] for name in LIST_OPTIONS}
        data = lists | {name: self.options[name] or "" for name in ("name", "expires")}
        data |= {name: "\n".join(lists[name]) for name in ("domains", "networks")}
        data["full_access"] = not any(lists[name] for name in ("tables", "verbs", "domains"))
        return TokenForm(data, actor=self.actor, owner=owner)

    def delete(self) -> None:
        token = self.get_token()
        perform(self.actor, delete_token, token.pk)
        if self.options["json"]:
            print_row(self.stdout, token_values(token), True)
            return
        text = _("The token %(name)s was revoked.")
        self.stdout.write(text % {"name": token})


def token_values(token: Token) -> dict[str, Any]:
    return {
        name: to_json_value(get_column_field(Token, name).value_from_object(token))
        for name in TOKEN_COLUMNS
    }
