"""What `postfixadmin-cli` asks for where no address is given: on a terminal, or in a pipe."""

import getpass
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.core.management.base import OutputWrapper

from mailboxes.postfixadmin.cli_words import (
    BOOLEANS,
    PASSWORD_FIELDS,
    CliError,
    Value,
    is_list,
)


class Prompts:
    """Asks questions and reads a line for each answer."""

    def __init__(self, out: OutputWrapper) -> None:
        self.out = out

    def ask(self, question: str, choices: Sequence[str] = ()) -> str:
        """Return the answer; ask again until it is one of the choices, if there are any."""
        while True:
            shown = f"({'/'.join(choices)})" if choices else ""
            self.out.write(f"\n{question} {shown}\n> ", ending="")
            self.out.flush()
            answer = read_line()
            if not choices or answer in choices or answer.lower() in choices:
                return answer
            self.out.write("Error: Invalid input")

    def ask_secret(self, question: str) -> str:
        """Return a password, which a terminal does not show."""
        if not sys.stdin.isatty():
            return self.ask(question)
        return getpass.getpass(f"\n{question} ")

    def ask_fields(self, fields: Mapping[str, forms.Field], is_new: bool) -> dict[str, Value]:
        """Return field → value; of an existing row, fields without an answer are left out."""
        answers = {name: self.ask_field(name, field, is_new) for name, field in fields.items()}
        return {name: value for name, value in answers.items() if value is not None}

    def ask_field(self, name: str, field: forms.Field, is_new: bool) -> Value | None:
        question = f"{field.label or name.replace('_', ' ')}:"
        if name in PASSWORD_FIELDS:
            return self.ask_secret(f"{question} (again)" if name == "password2" else question)
        if isinstance(field, forms.BooleanField):
            return self.ask_boolean(question, is_new)
        if isinstance(field, forms.ChoiceField) and not is_list(field):
            return self.ask_choice(question, field)
        value = self.ask_lines(question) if is_list(field) else self.ask(question)
        return value if value or is_new else None

    def ask_boolean(self, question: str, is_new: bool) -> bool | None:
        answer = self.ask(question, ("y", "n") if is_new else ("y", "n", ""))
        return BOOLEANS[answer.lower()] if answer else None

    def ask_choice(self, question: str, field: forms.ChoiceField) -> str:
        """Return the choice whose number is the answer."""
        choices: Any = field.choices
        values = [(str(value), str(label)) for value, label in choices]
        lines = [f"[{number}] - {label}" for number, (_value, label) in enumerate(values, 1)]
        numbers = [str(number) for number in range(1, len(values) + 1)]
        answer = self.ask("\n".join([question, *lines]), numbers)
        return values[int(answer) - 1][0]

    def ask_lines(self, question: str) -> list[str]:
        """Return the answers up to a blank one."""
        lines = [self.ask(question)]
        while lines[-1]:
            lines.append(self.ask(""))
        return lines[:-1]


def read_line() -> str:
    line = sys.stdin.readline()
    if not line:
        raise CliError("The input ended before all questions were answered.")
    return line.strip()
