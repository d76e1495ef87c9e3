"""What tables have of the columns that an operator has added."""

import datetime
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeVar

from django.db import models
from django.utils import formats
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from mailadmin.accounts.models import Role
from mailadmin.db.custom_columns import CustomColumnMixin, get_custom_fields
from mailadmin.formatting import format_datetime, format_day
from mailadmin.tables.actions import Text
from mailadmin.tables.columns import Column, get_cell_kind
from mailadmin.tables.custom_fields import get_reader_roles

if TYPE_CHECKING:
    from mailadmin.tables.table import Table

TableClass = TypeVar("TableClass", bound="type[Table]")


# Tables


def with_custom_columns(table: TableClass) -> TableClass:
    """Give a table the custom columns of its model: in lists, searches, filters and files."""
    fields = get_custom_fields(table.model)
    listed = [field for field in fields if field.custom.kind != "multiline"]
    hidden = [field.name for field in listed if "list" not in field.custom.options]
    searched = [field.name for field in fields if "search" in field.custom.options]
    filtered = {f.name: f for f in fields if "filter" in f.custom.options}
    table.columns = [*table.columns, *map(build_list_column, listed)]
    table.hidden_columns = [*table.hidden_columns, *hidden]
    table.search_fields = [*table.search_fields, *searched]
    table.has_search_index = table.has_search_index and not searched
    table.column_filters = filtered
    table.filter_names = (*table.filter_names, *filtered)
    readers = {field.name: get_reader_roles(field) for field in fields}
    table.export_roles = {**table.export_roles, **readers}
    return table


def build_list_column(field: CustomColumnMixin) -> Column:
    return Column(
        field.name,
        capfirst(field.custom.label),
        get_cell_kind(field),
        roles=get_reader_roles(field),
    )


# Pages of single rows


def iter_custom_values(row: models.Model, role: Role) -> Iterator[tuple[str, Any]]:
    """Yield (label, value) of the custom columns of a row that people of this role see."""
    for field in get_custom_fields(type(row)):
        if role in get_reader_roles(field):
            yield capfirst(field.custom.label), format_custom_value(getattr(row, field.name))


def format_custom_value(value: Any) -> Any:
    """Return the value of a custom column for display."""
    match value:
        case bool():
            return _("yes") if value else _("no")
        case datetime.datetime():
            return format_datetime(value)
        case datetime.date():
            return format_day(value)
        case int() | Decimal():
            return formats.number_format(value)
    return value or "–"


# Filters of lists


class ColumnFilter:
    """A filter of a list page by the value of a custom column."""

    def __init__(self, field: CustomColumnMixin, value: str) -> None:
        self.name, self.value = field.name, value
        self.label = capfirst(field.custom.label)
        self.input_type = "date" if field.custom.kind == "date" else "text"
        self.choices = get_filter_choices(field)
        if value and value not in self.choices:
            self.choices |= {value: value} if self.choices else {}

    @property
    def is_choice(self) -> bool:
        return bool(self.choices)


def get_filter_choices(field: CustomColumnMixin) -> dict[str, Text]:
    """Return value → label of what a filter offers; empty where people type a value."""
    if field.custom.kind == "boolean":
        return {"1": _("yes"), "0": _("no")}
    return {value: value for value in field.custom.choices}


def build_column_filters(
    columns: Mapping[str, CustomColumnMixin], filters: Mapping[str, str]
) -> Sequence[ColumnFilter]:
    return [ColumnFilter(field, filters.get(name, "")) for name, field in columns.items()]
