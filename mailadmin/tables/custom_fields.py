"""Who sees and changes the columns that an operator has added, and their fields in forms."""

import functools
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from django import forms

from mailadmin.accounts.models import Role
from mailadmin.db.column_facts import parse_max_characters, parse_number_range, validate_column
from mailadmin.db.custom_columns import (
    CustomColumnMixin,
    CustomDateTimeField,
    StoredChoiceField,
    get_custom_fields,
)

if TYPE_CHECKING:
    from mailadmin.tables.forms import TableForm


def get_reader_roles(field: CustomColumnMixin) -> Role:
    """Return who sees a custom column."""
    return Role.SUPERADMIN if field.superadmin_only else Role.ADMINS


def get_writer_roles(field: CustomColumnMixin) -> Role:
    """Return who changes a custom column."""
    is_read_only = "read-only" in field.custom.options
    return Role.SUPERADMIN if is_read_only else get_reader_roles(field)


# Forms


def iter_columns_of_form(form: "TableForm") -> Iterator[tuple[CustomColumnMixin, forms.Field]]:
    """Yield the custom columns that a form has, each with its field."""
    for column in get_custom_fields(form._meta.model):
        if column.name in form.fields:
            yield column, form.fields[column.name]


def find_closed_columns(form: "TableForm") -> list[str]:
    """Return the custom columns of a form that its actor cannot change."""
    return [
        column.name
        for column, _field in iter_columns_of_form(form)
        if form.actor.principal.role not in get_writer_roles(column)
    ]


def prepare_custom_columns(form: "TableForm") -> None:
    """Fit the fields of a form to the columns as they are in the database, and to the row."""
    for column, field in iter_columns_of_form(form):
        field.required |= column.needs_value
        field.widget.attrs |= get_limit_attributes(column)
        if isinstance(column, CustomDateTimeField):
            field.validators.append(functools.partial(validate_column, column))
        if isinstance(field, StoredChoiceField):
            field.add_choice(getattr(form.instance, column.name))


def get_limit_attributes(column: CustomColumnMixin) -> dict[str, str]:
    """Return what tells browsers how much the column holds."""
    column_type = column.facts.column_type
    if column.custom.kind == "integer" and (numbers := parse_number_range(column_type)):
        return {"min": str(numbers[0]), "max": str(numbers[1] - 1)}
    if column.custom.kind == "text" and (most := parse_max_characters(column_type)):
        return {"maxlength": str(min(most, column.custom.length))}
    return {}


def release_required_columns(form: "TableForm", values: Mapping[str, Any]) -> None:
    """Let a program change other values of a row that lacks what people have to fill in."""
    for column, field in iter_columns_of_form(form):
        if column.name not in values:
            field.required = False
