"""The command of a table: `list`, `show`, `add`, `edit` and `delete` by its forms and services."""

import argparse
import getpass
import sys

from django import forms
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.http import Http404
from django.utils.translation import gettext as _

from mailadmin.changes.perform import Actor
from mailadmin.console import printable, told_plainly
from mailadmin.tables.cli_output import print_row, print_rows
from mailadmin.tables.form_fields import TargetsField
from mailadmin.tables.serialization import (
    Asked,
    Draft,
    fields_of,
    reasons,
    rows_of,
    shown,
    shown_one,
)
from mailadmin.tables.table import DELETE

ROWS = 1000  # read at once
SECRETS = ("password", "password_hash")
TRIES = 3  # of an edit that others keep overtaking


class RowsCommand(BaseCommand):
    """Django's command of one table: its Crud says what the words are."""

    crud = None
    requires_system_checks = []  # they import all pages: a second of a command that takes a half

    @property
    def help(self):
        return f"List, show, add, edit and delete {self.crud.slug.replace('-', ' ')}."

    def add_arguments(self, parser):
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
        self.add_list(verbs.add_parser("list", help="print all, or those that are asked for"))
        self.add_keyed(verbs.add_parser("show", help="print one"))
        new = self.add_keyed(verbs.add_parser("add", help="make one"))
        self.add_fields(new, "create")
        self.add_fields(self.add_keyed(verbs.add_parser("edit", help="change one")), "edit")
        gone = self.add_keyed(verbs.add_parser("delete", help="delete one with all that is its"))
        gone.add_argument("--yes", action="store_true", help="ask nothing")

    def add_list(self, parser):
        parser.add_argument("--domain", help="those of this domain")
        parser.add_argument("--search", dest="q", metavar="TEXT", help="those that contain it")
        parser.add_argument("--active", action=argparse.BooleanOptionalAction, help="in force")
        parser.add_argument("--columns", metavar="A,B", help="print these columns")
        self.add_printing(parser)

    def add_keyed(self, parser):
        parser.add_argument("key", metavar="KEY")
        self.add_printing(parser)
        return parser

    def add_printing(self, parser):
        parser.add_argument("--json", action="store_true", help="print JSON")

    def add_fields(self, parser, screen):
        """An option for each field of the form; what the key says is no option."""
        named = self.crud.form_class.named("")
        for name, field in fields_of(self.crud.form_class, screen).items():
            if name not in named and name not in SECRETS:
                parser.add_argument(*spellings(name), dest=f"field_{name}", **option_of(field))
            elif name == "password":
                self.add_password(parser)

    def add_password(self, parser):
        how = parser.add_mutually_exclusive_group()
        how.add_argument("--password", action="store_true", help="ask for a new password")
        how.add_argument(
            "--password-stdin", action="store_true", help="its first line is the password"
        )
        how.add_argument(
            "--password-hash-stdin", action="store_true", help="its first line is a stored hash"
        )

    def handle(self, *args, verb, **options):
        self.options, self.actor = options, Actor.console()
        with told_plainly():
            getattr(self, f"do_{verb}")(options.get("key", ""))

    # Reading

    def do_list(self, _key):
        options = self.options
        names = self.chosen_columns()
        print_rows(self.stdout, names, self.all_rows(), options["json"])

    def chosen_columns(self):
        known = self.crud.shown_columns(self.actor.principal.role)
        if not (text := self.options["columns"]):
            return self.crud.printed_columns() if self.is_terminal() else known
        names = [name.strip() for name in text.split(",")]
        if strange := [name for name in names if name not in known]:
            text = _("There is no column %(name)s; there are %(names)s.")
            values = {"name": strange[0], "names": ", ".join(known)}
            raise CommandError(text % values, returncode=2)
        return names

    def is_terminal(self):
        return self.stdout.isatty() and not self.options["json"]

    def all_rows(self):
        """Each row's values, a page at a time."""
        given = {"domain": self.options["domain"], "q": self.options["q"]}
        if self.options["active"] is not None:
            given["active"] = "1" if self.options["active"] else "0"
        given = {name: value for name, value in given.items() if value}
        after = None
        while True:
            query = given | ({"after": str(after)} if after is not None else {})
            rows, after = self.table(query).page(ROWS)
            yield from shown(self.crud, rows, self.actor.principal.role)
            if after is None:
                return

    def table(self, query=None, **kwargs):
        return rows_of(self.crud, Asked(self.actor.principal, query or {}), **kwargs)

    def row(self, key):
        try:
            return self.table(key=self.crud.key_of(key)).get_object()
        except Http404 as error:
            raise CommandError(printable(_("There is no %(key)s.") % {"key": key})) from error

    def values(self, row):
        return shown_one(self.crud, row, self.actor.principal.role)

    def do_show(self, key):
        self.print_row(self.row(key))

    def print_row(self, row):
        print_row(self.stdout, self.values(row), self.options["json"])

    # Writing

    def do_add(self, key):
        given = self.crud.form_class.named(key) | self.given()
        if "password" in fields_of(self.crud.form_class, "create"):
            given |= self.typed_password(is_needed=True)
        row = self.saved(Draft(self.crud, self.actor, given))
        self.say(_("%(row)s was created."), row)

    def do_edit(self, key):
        given = self.given() | self.typed_password()
        if not given:
            raise CommandError(_("Say what to change."), returncode=2)
        for _try in range(TRIES):
            draft = Draft(self.crud, self.actor, given, self.row(key))
            saved = self.saved(draft)
            if draft.form.conflict is None:
                return self.say(_("%(row)s was saved."), saved)
        raise CommandError(_("Others keep changing this row. Nothing was saved; try again."))

    def given(self):
        """Field → what was said of it; what was not said is left as it is."""
        return {
            name.removeprefix("field_"): value
            for name, value in self.options.items()
            if name.startswith("field_") and value is not None
        }

    def typed_password(self, is_needed=False):
        """By standard input or by asking: everybody on the machine reads a command's words."""
        if self.options.get("password_stdin"):
            return {"password": first_line()}
        if self.options.get("password_hash_stdin"):
            return {"password_hash": first_line()}
        if not (is_needed or self.options.get("password")):
            return {}
        if not sys.stdin.isatty():
            raise CommandError(_("Say --password-stdin."), returncode=2)
        typed = getpass.getpass(_("Password: "))
        if typed != getpass.getpass(_("Password again: ")):
            raise CommandError(_("The two passwords differ."))
        return {"password": typed}

    def saved(self, draft):
        row = draft.save()
        if row is None and draft.form.conflict is None:
            raise CommandError("\n".join(told(draft.errors)))
        return row

    def say(self, text, row):
        """What was done; for programs the row as it is now."""
        for warning in self.crud.warnings(self.actor.principal, [row]).get(row.pk, []):
            self.stderr.write(printable(_("Warning: %(text)s") % {"text": warning}))
        if self.options["json"] or not self.stdout.isatty():
            return self.print_row(row)
        return self.stdout.write(printable(text % {"row": row}))

    def do_delete(self, key):
        row = self.row(key)
        if not self.options["yes"]:
            self.ask(row)
        name, values = str(row), self.values(row)
        try:
            job = self.crud.carry_out(self.actor, DELETE, [row.pk])
        except ValidationError as error:
            raise CommandError("\n".join(told(reasons(error)))) from error
        if self.options["json"]:
            return print_row(self.stdout, values | ({"job": job.pk} if job else {}), True)
        text = _("%(row)s is out of force; the worker deletes it (job %(job)s).")
        done = text if job else _("%(row)s was deleted.")
        values = {"row": name, "job": job.pk if job else ""}
        return self.stdout.write(printable(done % values))

    def ask(self, row):
        """What goes with it is told before it goes."""
        if not sys.stdin.isatty():
            raise CommandError(_("Say --yes."), returncode=2)
        for label, count in self.table().what_goes([row.pk]):
            self.stdout.write(f"{label}: {count}")
        answer = input(printable(_("Delete %(row)s? [y/N] ") % {"row": row}))
        if answer.strip().lower() not in ("y", "yes", _("yes")):
            raise CommandError(_("Nothing was deleted."))


def spellings(name):
    """As options are written, and as the column is called."""
    return list(dict.fromkeys([f"--{name.replace('_', '-')}", f"--{name}"]))


def option_of(field):
    told = str(field.help_text or field.label or "").replace("%", "%%")
    match field:
        case forms.BooleanField():
            return {"action": argparse.BooleanOptionalAction, "default": None, "help": told}
        case TargetsField():
            return {"type": split, "metavar": "A,B", "help": told}
    return {"metavar": "TEXT" if isinstance(field.widget, forms.TextInput) else "N", "help": told}


def split(text):
    return [part.strip() for part in text.split(",") if part.strip()]


def first_line():
    return sys.stdin.readline().rstrip("\r\n")


def told(errors):
    """Every reason in a line of its own, with the field that it is about."""
    return [
        printable(f"{name}: {text}" if name else str(text))
        for name, texts in errors.items()
        for text in texts
    ]
