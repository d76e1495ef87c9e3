"""Columns of texts that are shown in the language of their reader: see `mailadmin.translation`."""

from collections.abc import Sequence
from typing import Any

from django.db import models

from mailadmin.db.fields import CharField, TextField
from mailadmin.translation import decode_text, encode_text


class TranslatedMixin(models.Field):
    """Store texts as data; a row that is read holds its texts in the active language."""

    column_class: type[models.Field]

    def deconstruct(self) -> tuple[str, str, Sequence[Any], dict[str, Any]]:
        """Return what migrations see: the field of the column, which is the same."""
        name, _path, args, kwargs = super().deconstruct()
        return name, self.column_class().deconstruct()[1], args, kwargs

    def get_prep_value(self, value: Any) -> Any:
        return value if value is None else encode_text(value, self.max_length)

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> str | None:
        return value if value is None else decode_text(value)


class TranslatedCharField(TranslatedMixin, CharField):
    column_class = CharField


class TranslatedTextField(TranslatedMixin, TextField):
    column_class = TextField


class TranslatedPlainTextField(TranslatedMixin, models.TextField):
    """A text in the default collation of the database."""

    column_class = models.TextField
