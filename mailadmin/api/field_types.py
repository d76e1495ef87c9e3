"""The JSON types of form fields and columns, and the check of what was sent against them."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from django import forms
from django.core.validators import ProhibitNullCharactersValidator
from django.db import models
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from mailadmin.api.problems import build_rows_problem, build_validation_problem
from mailadmin.db.custom_columns import (
    ClearableDateField,
    ClearableDateTimeField,
    ClearableIntegerField,
    ClearableMixin,
)
from mailadmin.tables.form_fields import LineListField
from mailadmin.tables.forms import program_fields
from mailadmin.tables.table import Table


@dataclass(frozen=True)
class FieldType:
    """The JSON type of a value, and its bounds; an array is one of strings."""

    type: str
    description: object = ""  # translated where it is shown
    format: str = ""
    minimum: float | None = None
    maximum: float | None = None
    max_length: int | None = None
    is_nullable: bool = False
    choices: tuple[str, ...] = ()  # of the members of an array


PYTHON_TYPES = {
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "array": (list,),
}
TYPE_MESSAGES = {
    "string": gettext_lazy("This must be a string."),
    "boolean": gettext_lazy("This must be true or false."),
    "integer": gettext_lazy("This must be a whole number."),
    "number": gettext_lazy("This must be a number."),
    "array": gettext_lazy("This must be a list of strings."),
}
STRING = FieldType("string")


# Of forms and models


def get_field_type(field: forms.Field) -> FieldType:
    """Return the type of a form field, within the bounds of what the form accepts."""
    description = field.help_text or field.label or ""
    match field:
        case forms.BooleanField():
            is_nullable = isinstance(field, forms.NullBooleanField)
            return FieldType("boolean", description, is_nullable=is_nullable)
        case LineListField():
            return FieldType("array", description)
        case forms.MultipleChoiceField():
            choices = tuple(dict(getattr(field, "choices", ())))
            return FieldType("array", description, choices=choices)
        case forms.DecimalField() | forms.IntegerField():
            return get_number_type(field, description)
        case ClearableDateField():
            is_nullable = not field.required
            return FieldType("string", description, format="date", is_nullable=is_nullable)
        case ClearableDateTimeField():
            is_nullable = not field.required
            return FieldType("string", description, format="date-time", is_nullable=is_nullable)
    return FieldType("string", description, max_length=getattr(field, "max_length", None) or None)


def get_number_type(
    field: forms.DecimalField | forms.IntegerField, description: object
) -> FieldType:
    """Return the type of a number, which may have a fraction unless the field is of integers."""
    bounds: dict[str, Any] = {"minimum": field.min_value, "maximum": field.max_value}
    bounds["is_nullable"] = isinstance(field, ClearableMixin) and not field.required
    if type(field) in (forms.IntegerField, ClearableIntegerField):
        return FieldType("integer", description, **bounds)
    return FieldType("number", description, "double", **bounds)


def without_bounds(field_type: FieldType) -> FieldType:
    """Return the type for values that are stored: old rows may lie outside of the bounds."""
    return replace(field_type, minimum=None, maximum=None, max_length=None)


def get_column_type(column: models.Field) -> FieldType:
    """Return the type of a column that no form has."""
    description = column.verbose_name
    match column:
        case models.BooleanField():
            return FieldType("boolean", description, is_nullable=column.null)
        case models.DateTimeField():
            return FieldType("string", description, format="date-time", is_nullable=True)
        case models.DateField():
            return FieldType("string", description, format="date", is_nullable=column.null)
        case models.IntegerField():
            return FieldType("integer", description, is_nullable=column.null)
        case models.FloatField() | models.DecimalField():
            return FieldType("number", description, is_nullable=column.null)
    return FieldType("string", description, is_nullable=column.null)


# The check of what was sent


def check_types(table: Table, screen: str, sent: dict | list) -> None:
    """Refuse values of wrong types; which values are right is for the form to say."""
    fields = program_fields(table.form_class, screen)
    types = {name: get_field_type(field) for name, field in fields.items()}
    if isinstance(sent, dict):
        if errors := find_row_errors(types, sent):
            raise build_validation_problem(errors)
        return
    found = ((index, find_row_errors(types, row)) for index, row in enumerate(sent))
    if refused := {index: errors for index, errors in found if errors}:
        raise build_rows_problem(refused)


def find_row_errors(types: Mapping[str, FieldType], row: object) -> dict[str, list[str]]:
    """Return field → texts; an error of the row as a whole has an empty name."""
    if row is None:
        return {"": ["No data provided"]}
    if not isinstance(row, dict):
        text = _("Invalid data. Expected a dictionary, but got %(datatype)s.")
        return {"": [text % {"datatype": type(row).__name__}]}
    errors_by_name = {
        name: list(find_type_errors(field_type, row[name]))
        for name, field_type in types.items()
        if name in row
    }
    return {name: errors for name, errors in errors_by_name.items() if errors}


def find_type_errors(field_type: FieldType, value: Any) -> Iterator[str]:
    """Yield what is wrong with the type and the bounds of one value."""
    if value is None and field_type.is_nullable:
        return
    if value is None:
        yield _("This field may not be null.")
    elif not has_type(value, field_type.type):
        yield str(TYPE_MESSAGES[field_type.type])
    elif field_type.type == "array":
        for member in value:
            yield from find_member_errors(member)
    elif field_type.type == "string":
        yield from find_text_errors(value, field_type.max_length)
    elif field_type.type in ("integer", "number"):
        yield from find_number_errors(field_type, value)


def has_type(value: object, name: str) -> bool:
    """Return whether a value has this JSON type; in Python true is a number, in JSON it is not."""
    if isinstance(value, bool):
        return name == "boolean"
    return isinstance(value, PYTHON_TYPES[name])


def find_member_errors(value: object) -> Iterator[str]:
    """Yield what is wrong with a member of a list, which has to be a text that says something."""
    if isinstance(value, str) and not value.strip():
        yield _("This field may not be blank.")
    else:
        yield from find_type_errors(STRING, value)


def find_text_errors(text: str, max_length: int | None) -> Iterator[str]:
    """Yield why a text cannot be stored: its length, or characters that no text has."""
    if max_length is not None and len(text) > max_length:
        message = _("Ensure this field has no more than %(max_length)s characters.")
        yield message % {"max_length": max_length}
    if "\0" in text:
        yield str(ProhibitNullCharactersValidator.message)
    if surrogate := next((char for char in text if "\ud800" <= char <= "\udfff"), ""):
        message = _("Surrogate characters are not allowed: U+%(code)s.")
        yield message % {"code": f"{ord(surrogate):X}"}


def find_number_errors(field_type: FieldType, value: float) -> Iterator[str]:
    """Yield why a number is outside of the bounds, or of what a float can hold."""
    if field_type.type == "number":
        try:
            value = float(value)
        except OverflowError:
            yield "Integer value too large to convert to float"
            return
        if not math.isfinite(value):
            yield _("A valid number is required.")
            return
    if field_type.maximum is not None and value > field_type.maximum:
        text = _("Ensure this value is less than or equal to %(max_value)s.")
        yield text % {"max_value": field_type.maximum}
    if field_type.minimum is not None and value < field_type.minimum:
        text = _("Ensure this value is greater than or equal to %(min_value)s.")
        yield text % {"min_value": field_type.minimum}
