"""Fields that read the values of columns, and the choice of the field for a table's column."""

import datetime
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from mailadmin.changes.records import serialize_value
from mailadmin.db.column_facts import validate_column
from mailadmin.db.custom_columns import CustomBooleanField, CustomColumnMixin
from mailadmin.db.fields import DomainField, is_known_date
from mailadmin.names import (
    normalize_address,
    normalize_domain,
    validate_domain,
    validate_single_line,
    validate_text,
)
from mailadmin.tables.table import DATE_COLUMNS, Table
from mailadmin.translation import gettext_lazy as _
from mailboxes.models.goto import split_goto


class LineField(forms.CharField):
    """One line of text."""

    default_validators = [validate_single_line]

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"required": False, "max_length": 255} | options)


class ClearableLineField(LineField):
    """A line of text for people, which an empty value clears."""


class MultilineField(LineField):
    """Text of several lines."""

    default_validators = [validate_text]

    def __init__(self) -> None:
        super().__init__(max_length=2**16 - 1, strip=False)


class SecretField(LineField):
    """A value that is compared and stored, but never shown."""


class SecretMultilineField(MultilineField, SecretField):
    """Text of several lines that is never shown."""


class BoundedIntegerField(forms.IntegerField):
    """An integer, by default one that a signed 32-bit column holds, or -1."""

    def __init__(self, min_value: int = -1, max_value: int = 2**31 - 1) -> None:
        super().__init__(min_value=min_value, max_value=max_value)


BOOLEAN_VALUES = {
    **dict.fromkeys(("1", "yes", "true", "on", "t", "y"), True),
    **dict.fromkeys(("0", "no", "false", "off", "f", "n"), False),
}


class YesNoField(forms.Field):
    """A boolean in any of the spellings that programs write."""

    def to_python(self, value: Any) -> bool:
        if isinstance(value, bool):
            return value
        try:
            return BOOLEAN_VALUES[str(value).strip().lower()]
        except KeyError as error:
            raise ValidationError(
                _("“%(value)s” must be 1 or 0."), params={"value": value}
            ) from error


class InheritedYesNoField(ClearableLineField):
    """A boolean, or nothing where another row decides."""

    def to_python(self, value: Any) -> Any:
        return None if value in ("", None) else YesNoField().to_python(value)

    def run_validators(self, value: Any) -> None:
        """Accept what is no text."""


class DomainNameField(forms.CharField):
    default_validators = [validate_domain]

    def to_python(self, value: Any) -> str:
        return normalize_domain(super().to_python(value) or "")


class AddressKeyField(forms.CharField):
    """An address or another key: `@example.org`, a superadmin called `admin`."""

    default_validators = [validate_single_line]

    def __init__(self) -> None:
        super().__init__(max_length=255)

    def to_python(self, value: Any) -> str:
        return normalize_address(super().to_python(value) or "")


class NameListField(forms.Field):
    """Several names: a list, or text with commas or line breaks between them."""

    def to_python(self, value: Any) -> list[str]:
        if isinstance(value, str):
            value = split_goto(value.replace("\n", ",").replace("\r", ","))
        if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
            raise ValidationError(_("This must be a list of names."))
        return [name.strip() for name in value]

    def validate(self, value: Any) -> None:
        """Accept an empty list: the row type decides whether it may be one."""


class PostfixAdminDateTimeField(forms.Field):
    """A date and time as PostfixAdmin writes it; its zero dates become None."""

    def __init__(self) -> None:
        super().__init__(required=False)

    def to_python(self, value: Any) -> str | None:
        text = str(value).strip()
        if text.startswith("0000-00-00"):
            return None
        try:
            parsed = parse_datetime(text) or parse_datetime(f"{text} 00:00:00")
            if parsed is None:
                raise ValueError(text)
            return serialize_datetime(
                parsed if timezone.is_aware(parsed) else timezone.make_aware(parsed)
            )
        except (ValueError, OverflowError) as error:
            message = _("“%(value)s” is not a date and time.")
            raise ValidationError(message, params={"value": text}) from error


def serialize_datetime(value: datetime.datetime | None) -> str | None:
    """Return a datetime as plans store it, None for an unknown one."""
    return serialize_value(value) if is_known_date(value) else None


def deserialize_datetime(text: str) -> datetime.datetime:
    return timezone.make_aware(datetime.datetime.fromisoformat(text))


EMPTY_DATES = ("0000-00-00", "0000-00-00 00:00:00")  # of MySQL
UNKNOWN_DATE = "2000-01-01 00:00:00"  # what PostfixAdmin writes into NOT NULL date columns


def deserialize_datetimes(values: dict[str, Any], *names: str) -> dict[str, Any]:
    """Return the values with these texts as datetimes, which services expect."""
    datetimes = {
        name: deserialize_datetime(values[name] or UNKNOWN_DATE) for name in names if name in values
    }
    return values | datetimes


# Columns of tables


class CustomColumnField(ClearableLineField):
    """A value of a column that the operator has added, as plans store it."""

    def __init__(self, column: CustomColumnMixin) -> None:
        super().__init__(max_length=None)
        self.column = column

    def clean(self, value: Any) -> Any:
        """Return the value as its form would accept it; an empty one clears the column."""
        if str(value).strip() in ("", *EMPTY_DATES):
            if self.column.needs_value:
                raise ValidationError(_("This column cannot be empty."))
            return self.column.empty_value
        field, kind = self.column.formfield(), self.column.custom.kind
        if self.column.custom.is_text:
            validate = validate_text if kind == "multiline" else validate_single_line
            field.validators.append(validate)
        cleaned = self.column.to_python(field.clean(value))
        validate_column(self.column, cleaned)
        return serialize_value(cleaned)


def table_columns(table: type[Table]) -> dict[str, forms.Field]:
    """Return the columns of a table's files, each with the field that reads its values."""
    fields = {field.name: field for field in table.model._meta.concrete_fields}
    names = [name for name in table.export_roles if name in fields and name not in DATE_COLUMNS]
    return {name: column_field(fields[name]) for name in names}


def column_field(field: models.Field) -> forms.Field:
    match field:
        case CustomBooleanField():
            return YesNoField()
        case CustomColumnMixin():
            return CustomColumnField(field)
        case models.BooleanField():
            return YesNoField()
        case models.DateTimeField():
            return PostfixAdminDateTimeField()
        case models.IntegerField():
            return BoundedIntegerField()
        case DomainField() | models.ForeignKey(target_field=DomainField()):
            return DomainNameField()
        case _ if field.primary_key or field.is_relation:
            return AddressKeyField()
    return ClearableLineField(max_length=field.max_length)
