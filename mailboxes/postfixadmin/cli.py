"""`postfixadmin-cli`: PostfixAdmin's command, on the tables and services of the panel."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import OutputWrapper
from django.db import DatabaseError, connection

from mailadmin.changes.perform import Actor
from mailadmin.console import make_printable
from mailadmin.db.models import has_generated_key
from mailadmin.tables.actions import DELETE
from mailadmin.tables.cli import format_errors
from mailadmin.tables.csv_cells import format_cell
from mailadmin.tables.forms import TableForm
from mailadmin.tables.saving import EditOvertaken, retry_on_conflict
from mailadmin.tables.serialization import form_errors, serialize_row, validation_texts
from mailboxes.postfixadmin.cli_help import MODULE_HELP, format_command_help, format_task_help
from mailboxes.postfixadmin.cli_modules import Module, find_modules
from mailboxes.postfixadmin.cli_prompts import Prompts
from mailboxes.postfixadmin.cli_words import (
    CliError,
    Value,
    convert_options,
    get_fields,
    parse_words,
    pop_password,
)

WELCOME = "Welcome to Postfixadmin-CLI v0.3"  # scripts skip these lines
LINE = "-" * 63
LABEL_WIDTH = 20
# PostfixAdmin ends with these when it prints the help of a task.
HELP_STATUS = {"add": 1, "update": 1, "delete": 1, "scheme": 1, "view": 0}


class PostfixAdminCli:
    """One call of the command."""

    def __init__(self, out: OutputWrapper, err: OutputWrapper) -> None:
        self.out, self.err = out, err
        self.actor, self.prompts = Actor.console(), Prompts(out)
        self.tasks: Mapping[str, Callable[[Module, str], None]] = {
            "view": self.view,
            "add": self.add,
            "update": self.update,
            "delete": self.delete,
            "scheme": self.print_scheme,
        }

    def run(self, words: Sequence[str]) -> int:
        """Run the command and return its exit status."""
        try:
            return self.dispatch(words)
        except CliError as error:
            return self.report(str(error))
        except EditOvertaken:
            return self.report("Other changes to this row keep conflicting. Try again.")
        except ValidationError as error:
            return self.report("\n".join(format_errors(validation_texts(error))))
        except DatabaseError as error:
            return self.report(f"The database: {error}")

    def report(self, text: str) -> int:
        self.err.write(make_lines_printable(f"Error: {text}") + "\n\n")
        return 1

    def dispatch(self, words: Sequence[str]) -> int:
        arguments, self.options = parse_words(words)
        modules = find_modules()
        name, task, key = (*arguments, "", "", "")[:3]
        if not task or name == "help":
            self.out.write(format_command_help(modules, WELCOME, LINE))
            return 0
        if task not in self.tasks and task != "help":
            raise CliError(f"Unknown task {task}")
        if name not in modules:
            raise CliError(f"Unknown module {name}")
        if not self.options.pop("q", ""):
            self.out.write(f"\n{WELCOME}\n{LINE}")
        if task == "help" or key == "help":
            return self.print_help(modules[name], task)
        self.tasks[task](modules[name], key)
        return 0

    def print_help(self, module: Module, task: str) -> int:
        if task == "help":
            self.out.write(MODULE_HELP.format(module=module.name))
            return 0
        self.out.write(format_task_help(module, task))
        return HELP_STATUS[task]

    # Reading

    def get_row(self, module: Module, key: str) -> Any:
        row = module.table.find(self.actor.principal, module.table.parse_key(to_key(module, key)))
        if row is None:
            raise CliError(f"The {module.name} {key} does not exist!")
        return row

    def get_values(self, module: Module, row: Any) -> dict[str, Any]:
        return serialize_row(module.table, row, self.actor.principal)

    def view(self, module: Module, key: str) -> None:
        key = key or self.prompts.ask(f"Which {module.name} do you want to view?")
        row = self.get_row(module, key)
        values = self.get_values(module, row)
        lines = {label: get_text(row, values) for label, get_text in module.view}
        for label, text in (lines or format_values(values)).items():
            self.out.write(make_lines_printable(f"{label:>{LABEL_WIDTH}}: {text}"))

    # Writing

    def add(self, module: Module, key: str) -> None:
        form_class = module.table.form_class
        is_generated = has_generated_key(form_class._meta.model)
        if key or (is_generated and self.options):
            values = convert_options(module.translate(self.options), get_fields(module, True))
        else:
            key = "" if is_generated else self.prompts.ask(f"{module.name.capitalize()}:")
            values = self.ask_values(module, True)
        values = {**module.defaults} | form_class.identity_fields(key) | values
        row = self.save(module, form_class.from_values(pop_password(values), self.actor))
        self.print_done(module.created % row)

    def update(self, module: Module, key: str) -> None:
        if key:
            values = convert_options(module.translate(self.options), get_fields(module, False))
        else:
            key = self.prompts.ask(f"{module.name.capitalize()}:")
            self.get_row(module, key)
            values = self.ask_values(module, False)
        values = pop_password(values)
        row = retry_on_conflict(lambda: self.save_changes(module, key, values))
        self.print_done(module.changed % row)

    def save_changes(self, module: Module, key: str, values: Mapping[str, Value]) -> Any:
        row = self.get_row(module, key)
        current = self.get_values(module, row)
        form = module.table.form_class.from_values(values, self.actor, row, current)
        return self.save(module, form)

    def ask_values(self, module: Module, is_new: bool) -> dict[str, Value]:
        asked = module.fields.split()
        fields = {
            name: field for name, field in get_fields(module, is_new).items() if name in asked
        }
        return self.prompts.ask_fields(fields, is_new)

    def save(self, module: Module, form: TableForm) -> Any:
        row = form.save(module.table.services) if form.is_valid() else None
        if row is None:
            raise CliError("\n".join(format_errors(form_errors(form))))
        return row

    def print_done(self, text: str) -> None:
        self.out.write(make_lines_printable(f"\n{text}\n\n{LINE}"))

    def delete(self, module: Module, key: str) -> None:
        if not key:
            key = self.prompts.ask(f"Which {module.name} do you want to delete?")
            if self.prompts.ask(f"Do you really want to delete '{key}'?", ("y", "n")) != "y":
                return
        row = self.get_row(module, key)
        name = str(row)
        job = module.table.run_action(self.actor, DELETE, [row.pk])
        done = f"is inactive now; job {job.pk} deletes it" if job else "deleted"
        self.out.write(make_printable(f"{name} {done}.") + "\n\n")

    def print_scheme(self, module: Module, key: str) -> None:
        """Print the table of a module as SQL; nothing is changed."""
        with connection.schema_editor(collect_sql=True, atomic=False) as editor:
            editor.create_model(module.table.model)
        for statement in editor.collected_sql:
            self.out.write(statement)


def format_values(values: Mapping[str, Any]) -> dict[str, str]:
    """Return the lines of `view` of a module that has no words of its own."""
    return {
        name: ("NO", "YES")[value] if isinstance(value, bool) else format_cell(value)
        for name, value in values.items()
    }


def make_lines_printable(text: str) -> str:
    return "\n".join(map(make_printable, text.split("\n")))


def to_key(module: Module, key: str) -> str:
    """Return the key of a stored row: a catch-all is called `*@example.org` here."""
    return key.removeprefix("*") if module.name == "alias" and key.startswith("*@") else key
