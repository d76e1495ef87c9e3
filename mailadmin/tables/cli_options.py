"""The options of a table's command: filters of its list, and fields of its form."""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django import forms

from mailadmin.tables.form_fields import LineListField, SecretTextField
from mailadmin.tables.table import Table

FILTER_OPTIONS: dict[str, dict[str, Any]] = {
    "domain": {"help": "only rows of this domain"},
    "mailbox": {"help": "only rows of this mailbox"},
    "q": {"metavar": "TEXT", "help": "only rows that contain this text"},
    "active": {
        "action": argparse.BooleanOptionalAction,
        "help": "only active rows (--no-active: only inactive ones)",
    },
    "state": {"help": "only rows in this state"},
    "scheme": {
        "help": "only people whose password is stored in this scheme, such as MD5-CRYPT; also"
        " weak, rejected (by Dovecot 2.4) and none"
    },
    "unused": {
        "metavar": "DAYS",
        "help": "only mailboxes whose mail nobody has read for this number of days",
    },
}
OPTION_NAMES = {"q": "search"}  # where a person would not guess the name of the filter

# Values of a boolean that may have none
CHOICES: Mapping[str, bool | str] = {"yes": True, "no": False, "default": ""}


def add_filter_options(parser: argparse.ArgumentParser, table: Table) -> None:
    """Add an option for each filter of a table."""
    labels = {name: field.custom.label for name, field in table.column_filters.items()}
    columns = {
        name: {"metavar": "VALUE", "help": f"only rows with this {label}".replace("%", "%%")}
        for name, label in labels.items()
    }
    for name in table.filter_names:
        names = option_strings(OPTION_NAMES.get(name, name))
        parser.add_argument(*names, dest=name, **(FILTER_OPTIONS | columns)[name])


def to_filter_text(value: str | bool | None) -> str:
    """Return the value of an option as the query string of a list has it."""
    return str(int(value)) if isinstance(value, bool) else value or ""


def option_strings(name: str) -> list[str]:
    """Return the option of a field with dashes, and as the column is named."""
    return list(dict.fromkeys([f"--{name.replace('_', '-')}", f"--{name}"]))


def build_option_kwargs(field: forms.Field) -> dict[str, Any]:
    help_text = str(field.help_text or field.label or "").replace("%", "%%")
    match field:
        case forms.NullBooleanField():
            return {"type": parse_choice, "metavar": "yes|no|default", "help": help_text}
        case forms.BooleanField():
            return {"action": argparse.BooleanOptionalAction, "default": None, "help": help_text}
        case SecretTextField():
            return {"type": read_secret_file, "metavar": "FILE", "help": help_text}
        case LineListField() | forms.MultipleChoiceField():
            return {"type": parse_comma_list, "metavar": "A,B", "help": help_text}
    return {
        "metavar": "TEXT" if isinstance(field.widget, forms.TextInput) else "N",
        "help": help_text,
    }


def parse_choice(text: str) -> bool | str:
    if text not in CHOICES:
        raise argparse.ArgumentTypeError(f"enter one of: {', '.join(CHOICES)}")
    return CHOICES[text]


def read_secret_file(path: str) -> str:
    """Return the text of a file; command arguments are public."""
    try:
        return Path(path).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise argparse.ArgumentTypeError(f"{path} cannot be read: {error}") from error


def parse_comma_list(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
