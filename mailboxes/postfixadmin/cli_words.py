"""The words of `postfixadmin-cli`: what is an option, and which value it gives a field."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from django import forms

from mailadmin.tables.form_fields import LineListField
from mailadmin.tables.forms import program_fields
from mailboxes.postfixadmin.cli_modules import Module

BOOLEANS = {"y": True, "1": True, "n": False, "0": False}
IGNORED_OPTIONS = ("webroot",)
PASSWORD_FIELDS = ("password", "password2")

Value = str | bool | list[str]


class CliError(Exception):
    """What is printed after `Error: `; the command ends with status 1."""


class Words(NamedTuple):
    """The arguments: module, task and key, and the options as they were given."""

    arguments: list[str]
    options: dict[str, str | bool]


def parse_words(words: Sequence[str]) -> Words:
    """Tell options from arguments, as PostfixAdmin does: an option without a value is true."""
    arguments: list[str] = []
    options: dict[str, str | bool] = {}
    remaining = list(words)
    while remaining:
        word = remaining.pop(0)
        if not is_option(word):
            arguments.append(word)
            continue
        name, equals, value = word.lstrip("-").partition("=")
        if equals:
            options[name] = value
        elif remaining and not is_option(remaining[0]):
            options[name] = remaining.pop(0)
        else:
            options[name] = True
    return Words(arguments, options)


def is_option(word: str) -> bool:
    return word.startswith("-") and word != "-1"


def get_fields(module: Module, is_new: bool) -> dict[str, forms.Field]:
    """Return the fields that options of a module can set: those it asks for first."""
    form_class = module.table.form_class
    fields = program_fields(form_class, "create" if is_new else "edit")
    left_out = (*form_class.identity_fields(""), *module.left_out)
    if "password" in fields:
        fields["password2"] = fields["password"]
    order = [*module.fields.split(), *fields]
    known = {name: fields[name] for name in order if name in fields}
    return {name: field for name, field in known.items() if name not in left_out}


def convert_options(
    options: Mapping[str, str | bool], fields: Mapping[str, forms.Field]
) -> dict[str, Value]:
    """Return field → value; CliError for an option that the task does not have."""
    values: dict[str, Value] = {}
    for option, given in options.items():
        name = option.replace("-", "_")
        if name in IGNORED_OPTIONS:
            continue
        if name not in fields:
            raise CliError(f"invalid parameter --{name} => {format_given(given)}")
        values[name] = convert_value(name, given, fields[name])
    return values


def format_given(given: str | bool) -> str:
    return "1" if given is True else str(given)


def convert_value(name: str, given: str | bool, field: forms.Field) -> Value:
    if isinstance(field, forms.BooleanField) and not isinstance(field, forms.NullBooleanField):
        return convert_boolean(name, given)
    if given is True:
        raise CliError(f"--{name.replace('_', '-')} needs a value")
    if is_list(field):
        return [part.strip() for part in str(given).split(",") if part.strip()]
    return str(given)


def convert_boolean(name: str, given: str | bool) -> bool:
    value = True if given is True else BOOLEANS.get(str(given).lower())
    if value is None:
        raise CliError(f"invalid value --{name.replace('_', '-')} => {given}; expected y or n")
    return value


def is_list(field: forms.Field) -> bool:
    return isinstance(field, LineListField | forms.MultipleChoiceField)


def pop_password(values: dict[str, Value]) -> dict[str, Value]:
    """Return the values with the password, which has to be given twice."""
    first, second = (values.pop(name, "") for name in PASSWORD_FIELDS)
    if first != second:
        raise CliError("The passwords that you supplied don't match!")
    return values | ({"password": first} if first else {})
