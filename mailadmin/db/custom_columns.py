"""The fields of columns that an operator has added: declared by a setting, known to no migration.

The setting names their types, so that models need no database when they are imported; a check
compares them with the columns (`custom_checks.py`).
"""

import datetime
from collections.abc import Callable, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import connection, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from mailadmin.conf.custom_columns import CustomColumn
from mailadmin.db.custom_facts import CustomFacts, load_custom_facts
from mailadmin.db.fields import DateTimeField

MAX_DIGITS = 28  # of a decimal number: Python rounds no more; the column may hold fewer
ModelClass = TypeVar("ModelClass", bound=type[models.Model])


class ClearableMixin(forms.Field):
    """A form field that may be empty, though its values are no texts: programs send null."""


class ClearableIntegerField(ClearableMixin, forms.IntegerField):
    pass


class ClearableDecimalField(ClearableMixin, forms.DecimalField):
    def clean(self, value: Any) -> Decimal | None:
        """Return a number with all places, as the database has it."""
        number = super().clean(value)
        return None if number is None else round(number, self.decimal_places)


class ClearableDateField(ClearableMixin, forms.DateField):
    widget = forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})


class ClearableDateTimeField(ClearableMixin, forms.DateTimeField):
    widget = forms.DateTimeInput(
        format="%Y-%m-%dT%H:%M:%S", attrs={"type": "datetime-local", "step": "1"}
    )


class StoredChoiceField(forms.ChoiceField):
    """One of several values, or that which the row has already."""

    def __init__(self, *, max_length: int, **options: Any) -> None:
        super().__init__(**options)

    def add_choice(self, value: str) -> None:
        """Offer a value that is stored, though it is none of the setting."""
        known: Any = self.choices
        if value and value not in dict(known):
            self.choices = [*known, (value, value)]


class MultilineFormField(forms.CharField):
    """Text of several lines, which browsers send with other line breaks than programs."""

    def to_python(self, value: Any) -> str:
        return str(super().to_python(value)).replace("\r\n", "\n")


# Fields of models


class CustomColumnMixin(models.Field):
    """A column that an operator has added; its default is the one that the database has."""

    empty_value: Any = None  # where the database has NULL or the form nothing

    def __init__(self, custom: CustomColumn, **options: Any) -> None:
        self.custom = custom
        options |= {"verbose_name": custom.label, "blank": not self.is_required}
        super().__init__(default=self.get_column_default, **options)

    def deconstruct(self) -> tuple[str, str, Sequence[Any], dict[str, Any]]:
        name, path, _args, _options = super().deconstruct()
        return name, path, (), {"custom": self.custom}

    def formfield(self, **options: Any) -> Any:
        """Return the form field; what people have to fill in starts empty."""
        initial = None if self.is_required else self.default
        own: dict[str, Any] = {"initial": initial, "show_hidden_initial": False}
        return super().formfield(**own | options)

    @property
    def is_required(self) -> bool:
        return "required" in self.custom.options

    @property
    def facts(self) -> CustomFacts:
        """Return the column as the database has it, read once; nothing of a missing column."""
        found = load_custom_facts(connection.alias)
        return found.get((self.model._meta.db_table, str(self.column)), CustomFacts("", True))

    @property
    def superadmin_only(self) -> bool:
        """Return whether only superadmins see the column, and the changes of it."""
        return "superadmins" in self.custom.options

    @property
    def needs_value(self) -> bool:
        """Return whether the database refuses an empty value."""
        return self.empty_value is None and not self.facts.is_nullable

    def get_column_default(self) -> Any:
        text = self.facts.default
        return self.empty_value if text is None else self.to_python(text)

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        return self.empty_value if value is None else value


class CustomTextMixin(CustomColumnMixin):
    """A text, which is empty in the panel where it is NULL in the database."""

    empty_value = ""

    @property
    def needs_value(self) -> bool:
        return self.facts.base_type == "enum" and not self.facts.is_nullable

    def get_db_prep_save(self, value: Any, connection: BaseDatabaseWrapper) -> Any:
        """Return NULL for an empty text where the column allows it."""
        if value == "" and self.facts.is_nullable:
            value = None
        return super().get_db_prep_save(value, connection)


class CustomCharField(CustomTextMixin, models.CharField):
    """One line of text, or one of several values."""

    def __init__(self, custom: CustomColumn) -> None:
        super().__init__(custom, max_length=custom.length)

    def formfield(self, **options: Any) -> Any:
        if not self.custom.choices:
            return super().formfield(**options)
        choices = [("", "–"), *((each, each) for each in self.custom.choices)]
        return super().formfield(form_class=StoredChoiceField, choices=choices, **options)


class CustomTextField(CustomTextMixin, models.TextField):
    def formfield(self, **options: Any) -> Any:
        widget = forms.Textarea(attrs={"rows": 3})
        return super().formfield(form_class=MultilineFormField, widget=widget, **options)


class CustomIntegerField(CustomColumnMixin, models.BigIntegerField):
    def __init__(self, custom: CustomColumn) -> None:
        super().__init__(custom, null=True)

    def formfield(self, **options: Any) -> Any:
        return super().formfield(form_class=ClearableIntegerField, **options)


class CustomDecimalField(CustomColumnMixin, models.DecimalField):
    def __init__(self, custom: CustomColumn) -> None:
        super().__init__(custom, null=True, max_digits=MAX_DIGITS, decimal_places=custom.places)

    def formfield(self, **options: Any) -> Any:
        return super().formfield(form_class=ClearableDecimalField, **options)

    def to_python(self, value: Any) -> Decimal | None:
        """Return a number with all places, as the database has it."""
        number = super().to_python(value)
        try:
            return None if number is None else round(number, self.custom.places)
        except InvalidOperation as error:
            raise ValidationError(_("This number is too large.")) from error


class CustomBooleanField(CustomColumnMixin, models.BooleanField):
    empty_value = False

    @property
    def needs_value(self) -> bool:
        return False


class CustomDateField(CustomColumnMixin, models.DateField):
    def __init__(self, custom: CustomColumn) -> None:
        super().__init__(custom, null=True)

    def formfield(self, **options: Any) -> Any:
        return super().formfield(form_class=ClearableDateField, **options)


class CustomDateTimeField(CustomColumnMixin, DateTimeField):
    def __init__(self, custom: CustomColumn) -> None:
        super().__init__(custom, null=True)

    def to_python(self, value: Any) -> datetime.datetime | None:
        """Return a moment; a text without a zone is in that of the server."""
        moment = super().to_python(value)
        is_naive = moment is not None and timezone.is_naive(moment)
        return timezone.make_aware(moment) if is_naive else moment

    def formfield(self, **options: Any) -> Any:
        return super().formfield(form_class=ClearableDateTimeField, **options)


FIELDS: dict[str, Callable[[CustomColumn], CustomColumnMixin]] = {
    "text": CustomCharField,
    "choice": CustomCharField,
    "multiline": CustomTextField,
    "integer": CustomIntegerField,
    "decimal": CustomDecimalField,
    "boolean": CustomBooleanField,
    "date": CustomDateField,
    "datetime": CustomDateTimeField,
}


def has_custom_columns(table: str) -> Callable[[ModelClass], ModelClass]:
    """Give a model the columns that an operator has added to its table."""

    def add_columns(model: ModelClass) -> ModelClass:
        for custom in get_custom_columns(table):
            FIELDS[custom.kind](custom).contribute_to_class(model, custom.name)
        return model

    return add_columns


def get_custom_columns(table: str) -> list[CustomColumn]:
    """Return what the operator says of the columns added to `domain`, `mailbox` or `alias`."""
    return [each for each in settings.MAILADMIN_CUSTOM_COLUMNS if each.table == table]


def get_custom_names(table: str) -> tuple[str, ...]:
    """Return the names of these columns, for the fields of a form and the columns of a file."""
    return tuple(each.name for each in get_custom_columns(table))


def has_any_custom_column() -> bool:
    """Return whether the operator has added a column to any table."""
    return bool(settings.MAILADMIN_CUSTOM_COLUMNS)


def find_superadmin_columns() -> list[str]:
    """Return the names of columns that only superadmins see, in one table at least."""
    return [c.name for c in settings.MAILADMIN_CUSTOM_COLUMNS if "superadmins" in c.options]


def get_custom_fields(model: type[models.Model]) -> list[CustomColumnMixin]:
    """Return the custom columns of a model, in the order of the setting."""
    return [f for f in model._meta.concrete_fields if isinstance(f, CustomColumnMixin)]
