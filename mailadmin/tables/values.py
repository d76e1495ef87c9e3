"""The values of rows, for files, the API and commands."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from django.db import models

from mailadmin.accounts.models import Role

if TYPE_CHECKING:
    from mailadmin.tables.columns import Column


class ValuesMixin:
    """Which values of its rows a table shows, and to whom."""

    model: type[models.Model]
    columns: "Sequence[str | Column]" = ()
    # Column → who gets it in files and by the API; empty: all public columns.
    export_roles: Mapping[str, Role] = {}
    extra_columns: Sequence[str] = ()  # only in the API
    # Column → its value in files and the API, where that is not the model's column.
    computed_values: Mapping[str, Callable[[Any], Any]] = {}
    # The same → a field that says its type, where neither the form nor the model has it.
    computed_fields: Mapping[str, models.Field] = {}
    # Of the computed values: what changes by itself. Only the API and commands show it; no ETag
    # covers it, and it is ignored where it is sent back.
    live_columns: Sequence[str] = ()
    example_values: Mapping[str, Any] = {}  # a new row, for the API document
    # A value that only the response to the creation of a row has → its description.
    new_value_texts: Mapping[str, str] = {}

    def public_fields(self) -> dict[str, models.Field]:
        """Return the columns of the table that hold no secret."""
        fields = self.model._meta.concrete_fields
        return {str(field.column): field for field in fields if not getattr(field, "secret", False)}

    def export_columns(self, role: Role) -> list[str]:
        """Return the columns of a file for this role."""
        names = [name for name, roles in self.export_roles.items() if role in roles]
        return names or list(self.public_fields())

    def api_columns(self, role: Role) -> list[str]:
        """Return the columns that the API shows to this role."""
        names = [*self.export_columns(role), *self.extra_columns, *self.live_columns]
        return list(dict.fromkeys(names))

    def terminal_columns(self) -> list[str]:
        """Return the columns to print on a terminal: those of the list page."""
        names = [getattr(column, "name", column) for column in self.columns]
        shown = self.api_columns(Role.SUPERADMIN)
        return [name for name in names if name in shown]

    def export_value(self, row: Any, name: str) -> Any:
        """Return the value of a column in a CSV file."""
        return self.read_value(row, name)

    def api_value(self, row: Any, name: str) -> Any:
        """Return the value of a column in the API, as the form would take it."""
        return self.read_value(row, name)

    def read_value(self, row: Any, name: str) -> Any:
        """Return the value of a column as it is stored, or as this table computes it."""
        if name in self.computed_values:
            return self.computed_values[name](row)
        return self.public_fields()[name].value_from_object(row)

    def prefetch_values(self, rows: Iterable[Any], principal: Any) -> Iterable[Any]:
        """Return the rows with what their values need from other tables, in one query."""
        return rows

    def prefetch_live_values(self, rows: Iterable[Any]) -> Iterable[Any]:
        """Return the rows with what their live columns need, in one query."""
        return rows

    def get_new_values(self, row: Any) -> dict[str, Any]:
        """Return what is shown of a row that was just created, and never again."""
        return {}
