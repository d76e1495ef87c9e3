"""The command of a table: `list`, `show`, `add`, `edit` and `delete` by its form and services."""

import getpass
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import gettext as _

from mailadmin import registry
from mailadmin.changes.perform import Actor
from mailadmin.console import make_printable, report_database_errors
from mailadmin.tables.actions import DELETE
from mailadmin.tables.cli_options import (
    add_filter_options,
    build_option_kwargs,
    option_strings,
    to_filter_text,
)
from mailadmin.tables.cli_output import print_row, print_rows
from mailadmin.tables.forms import PASSWORD_HASH_FIELD, TableForm, program_fields
from mailadmin.tables.saving import EditOvertaken, retry_on_conflict
from mailadmin.tables.serialization import (
    ErrorTexts,
    form_errors,
    serialize_row,
    serialize_rows,
    validation_texts,
)
from mailadmin.tables.table import Table

PAGE_SIZE = 1000  # rows read at once


class TableCommand(BaseCommand):
    """A management command that lists, shows, adds, edits and deletes rows of one table."""

    slug = ""  # the table's
    password_field = "password"  # noqa: S105 (the name of a field, which is no option)
    requires_system_checks = []  # they import all pages, which takes twice the command's time

    @property
    def table(self) -> Table:
        return registry.tables[self.slug]

    @property
    def help(self) -> str:  # type: ignore[override]  # of the table
        return f"List, show, add, edit and delete {self.slug.replace('-', ' ')}."

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
        rows = verbs.add_parser("list", help="list all rows, or those that match")
        self.add_list_arguments(rows)
        shown = self.add_key_argument(verbs.add_parser("show", help="show one row"))
        added = verbs.add_parser("add", help="create a row")
        if self.table.key_type is int:
            self.add_output_arguments(added)
        else:
            self.add_key_argument(added)
        self.add_field_options(added, "create")
        edited = self.add_key_argument(verbs.add_parser("edit", help="change a row"))
        self.add_field_options(edited, "edit")
        deleted = verbs.add_parser("delete", help="delete a row and everything that depends on it")
        self.add_key_argument(deleted).add_argument(
            "--yes", action="store_true", help="do not ask for confirmation"
        )
        rows.set_defaults(run=self.print_list)
        shown.set_defaults(run=self.show)
        added.set_defaults(run=self.add)
        edited.set_defaults(run=self.edit)
        deleted.set_defaults(run=self.delete)

    def add_list_arguments(self, parser: CommandParser) -> None:
        add_filter_options(parser, self.table)
        parser.add_argument("--columns", metavar="A,B", help="columns to print")
        self.add_output_arguments(parser)

    def add_key_argument(self, parser: CommandParser) -> CommandParser:
        parser.add_argument("key", metavar="KEY")
        self.add_output_arguments(parser)
        return parser

    def add_output_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print JSON")

    def add_field_options(self, parser: CommandParser, screen: str) -> None:
        """Add an option for each field of the form, except those that the key gives."""
        identity = self.table.form_class.identity_fields("")
        for name, field in program_fields(self.table.form_class, screen).items():
            if name not in identity and name not in (self.password_field, PASSWORD_HASH_FIELD):
                parser.add_argument(
                    *option_strings(name), dest=f"field_{name}", **build_option_kwargs(field)
                )
            elif name == self.password_field:
                self.add_password_options(parser, takes_hashes=name == "password")

    def add_password_options(self, parser: CommandParser, takes_hashes: bool) -> None:
        group = parser.add_mutually_exclusive_group()
        group.add_argument("--password", action="store_true", help="prompt for a new password")
        group.add_argument(
            "--password-stdin",
            action="store_true",
            help="read the password from the first line of standard input",
        )
        if takes_hashes:
            group.add_argument(
                "--password-hash-stdin",
                action="store_true",
                help="read a password hash from the first line of standard input",
            )

    def handle(self, *args: Any, run: Any, **options: Any) -> None:
        self.options, self.actor = options, Actor.console()
        self.principal = self.actor.principal
        with report_database_errors():
            run(options.get("key", ""))

    # Reading

    def print_list(self, _key: str) -> None:
        names = self.get_columns()
        print_rows(self.stdout, names, self.iter_rows(), self.options["json"])

    def get_columns(self) -> list[str]:
        """Return the columns to print: those asked for, or those that fit the output."""
        known = self.table.api_columns(self.principal.role)
        if not (text := self.options["columns"]):
            return self.table.terminal_columns() if self.is_terminal() else known
        names = [name.strip() for name in text.split(",")]
        if unknown := [name for name in names if name not in known]:
            text = _("Unknown column %(name)s. Columns: %(names)s.")
            values = {"name": unknown[0], "names": ", ".join(known)}
            raise CommandError(text % values, returncode=2)
        return names

    def is_terminal(self) -> bool:
        return self.stdout.isatty() and not self.options["json"]

    def get_filters(self) -> dict[str, str]:
        """Return the filters that were given; refuse values that would match nothing."""
        given = {name: self.options.get(name) for name in self.table.filter_names}
        params = {name: to_filter_text(value) for name, value in given.items()}
        filters = self.table.filters(params)
        if wrong := self.table.find_invalid_filters(filters):
            text = _("This value is not valid for this filter.")
            raise CommandError(f"{wrong[0]}: {text}", returncode=2)
        return filters

    def iter_rows(self) -> Iterator[dict[str, Any]]:
        """Yield the values of each row, read a page at a time."""
        filters, after = self.get_filters(), None
        while True:
            page = self.table.page(self.principal, filters, PAGE_SIZE, after=after)
            yield from serialize_rows(self.table, page.rows, self.principal)
            after = page.next_key
            if after is None:
                return

    def get_row(self, key: str) -> Any:
        row = self.table.find(self.principal, self.table.parse_key(key))
        if row is None:
            raise CommandError(make_printable(_("%(key)s does not exist.") % {"key": key}))
        return row

    def get_values(self, row: Any) -> dict[str, Any]:
        return serialize_row(self.table, row, self.principal)

    def show(self, key: str) -> None:
        self.print_row(self.get_row(key))

    def print_row(self, row: Any) -> None:
        print_row(self.stdout, self.get_values(row), self.options["json"])

    # Writing

    def add(self, key: str) -> None:
        form_class = self.table.form_class
        values = form_class.identity_fields(key) | self.given_values()
        if self.password_field in program_fields(form_class, "create"):
            values |= self.read_password(is_required=not values.get("invitation_to"))
        row = self.save(form_class.from_values(values, self.actor))
        self.report_saved(_("%(row)s was created."), row, self.table.get_new_values(row))

    def edit(self, key: str) -> None:
        values = self.given_values() | self.read_password()
        if not values:
            raise CommandError(_("Name at least one option to change."), returncode=2)
        try:
            row = retry_on_conflict(lambda: self.save_edit(key, values))
        except EditOvertaken as error:
            text = _("Other changes to this row keep conflicting. Nothing was saved; try again.")
            raise CommandError(text) from error
        self.report_saved(_("%(row)s was saved."), row)

    def save_edit(self, key: str, values: dict[str, Any]) -> Any:
        row = self.get_row(key)
        current = self.get_values(row)
        return self.save(self.table.form_class.from_values(values, self.actor, row, current))

    def given_values(self) -> dict[str, Any]:
        """Return field → value of the options that were given."""
        return {
            name.removeprefix("field_"): value
            for name, value in self.options.items()
            if name.startswith("field_") and value is not None
        }

    def read_password(self, is_required: bool = False) -> dict[str, str]:
        """Read a password from standard input or a prompt: command arguments are public."""
        if self.options.get("password_stdin"):
            return {self.password_field: read_first_line()}
        if self.options.get("password_hash_stdin"):
            return {PASSWORD_HASH_FIELD: read_first_line()}
        if not (is_required or self.options.get("password")):
            return {}
        if not sys.stdin.isatty():
            raise CommandError(
                _("The terminal is not interactive: use --password-stdin."), returncode=2
            )
        typed = getpass.getpass(_("Password: "))
        if typed != getpass.getpass(_("Confirm password: ")):
            raise CommandError(_("The passwords do not match."))
        return {self.password_field: typed}

    def save(self, form: TableForm) -> Any:
        row = form.save(self.table.services) if form.is_valid() else None
        if row is None:
            raise CommandError("\n".join(format_errors(form_errors(form))))
        return row

    def report_saved(self, text: str, row: Any, new: Mapping[str, Any] | None = None) -> None:
        """Report what was done; print the saved row where the output is not a terminal.

        `new` are the values of a new row that are shown now and never again.
        """
        for warning in self.table.warnings(self.principal, [row]).get(row.pk, []):
            self.stderr.write(make_printable(_("Warning: %(text)s") % {"text": warning}))
        if self.options["json"] or not self.stdout.isatty():
            values = self.get_values(row) | dict(new or {})
            print_row(self.stdout, values, self.options["json"])
            return
        self.stdout.write(make_printable(text % {"row": row}))
        for name, value in (new or {}).items():
            self.stdout.write(make_printable(f"{name}: {value}"))

    def delete(self, key: str) -> None:
        row = self.get_row(key)
        if not self.options["yes"]:
            self.confirm_deletion(row)
        name, values = str(row), self.get_values(row)
        try:
            job = self.table.run_action(self.actor, DELETE, [row.pk])
        except ValidationError as error:
            raise CommandError("\n".join(format_errors(validation_texts(error)))) from error
        if self.options["json"]:
            print_row(self.stdout, values | ({"job": job.pk} if job else {}), True)
            return
        text = _("%(row)s is inactive now; a background job deletes it (job %(job)s).")
        done = text if job else _("%(row)s was deleted.")
        self.stdout.write(make_printable(done % {"row": name, "job": job.pk if job else ""}))

    def confirm_deletion(self, row: Any) -> None:
        """Show what is deleted besides the row, and ask for confirmation."""
        if not sys.stdin.isatty():
            raise CommandError(
                _("The terminal is not interactive: confirm with --yes."), returncode=2
            )
        for label, count in self.table.cascade_counts([row.pk]):
            self.stdout.write(f"{label}: {count}")
        answer = input(make_printable(_("Delete %(row)s? [y/N] ") % {"row": row}))
        if answer.strip().lower() not in ("y", "yes", _("yes")):
            raise CommandError(_("Nothing was deleted."))


def read_first_line() -> str:
    return sys.stdin.readline().rstrip("\r\n")


def format_errors(errors: ErrorTexts) -> list[str]:
    """Return a line for each error, with the name of its field."""
    return [
        make_printable(f"{name}: {text}" if name else str(text))
        for name, texts in errors.items()
        for text in texts
    ]
