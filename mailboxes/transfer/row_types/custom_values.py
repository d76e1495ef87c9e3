"""What row types have of the columns that an operator has added."""

from typing import Any

from django.db import models
from django.utils.functional import cached_property

from mailadmin.accounts.models import Role
from mailadmin.db.custom_columns import CustomColumnMixin, get_custom_fields
from mailadmin.tables.custom_fields import get_writer_roles


class CustomValuesMixin:
    """The custom columns of a row type's model; plans store their values as texts and numbers."""

    @property
    def model(self) -> type[models.Model]:
        raise NotImplementedError

    @cached_property
    def custom_columns(self) -> dict[str, CustomColumnMixin]:
        """Return the columns that the operator has added, by name."""
        return {column.name: column for column in get_custom_fields(self.model)}

    def may_change(self, name: str, role: Role) -> bool:
        """Return whether people of this role may give a column, as far as the setting says."""
        column = self.custom_columns.get(name)
        return column is None or role in get_writer_roles(column)

    def find_cleared(self, values: dict[str, Any]) -> dict[str, Any]:
        """Return the values of columns that are empty, as files have them."""
        return {n: "" for n in self.custom_columns if n in values and values[n] is None}

    def to_column_values(self, values: dict[str, Any]) -> dict[str, Any]:
        """Return the values with those of custom columns as their rows have them, not as text."""
        custom = self.custom_columns.items()
        return values | {n: column.to_python(values[n]) for n, column in custom if n in values}
