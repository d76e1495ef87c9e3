"""The columns of lists: their headings and how to render their cells."""

from collections.abc import Callable
from dataclasses import dataclass

from django.db import models
from django.utils.text import capfirst

from mailadmin.accounts.models import Role
from mailadmin.db.column_facts import get_column_field
from mailadmin.db.fields import DomainField
from mailadmin.tables.actions import Text

SHORT_CELLS = ("boolean", "date", "datetime", "number")


@dataclass(frozen=True)
class Column:
    """A column of a list that is not simply a field.

    `cell` is a name of `cells.CELL_RENDERERS`, a function like those, or a template.
    """

    name: str
    label: Text
    cell: str | Callable[..., str]
    is_short: bool = False  # never cut off: a number, a date
    is_labelled: bool = False  # by its heading, where rows are cards
    is_wide: bool = False  # gets more of the width than other columns that may be cut off
    roles: Role = Role.ANYONE  # of those who may open the list, who see the column

    @property
    def is_cut_off(self) -> bool:
        """Return whether a long value ends in “…”, so that a row stays one line."""
        return not self.is_short and self.cell not in SHORT_CELLS


def build_column(model: type[models.Model], name: str | Column) -> Column:
    """Return the column that shows a field of the model, or the given one."""
    if isinstance(name, Column):
        return name
    field = get_column_field(model, name)
    return Column(name, capfirst(field.verbose_name), get_cell_kind(field))


def get_cell_kind(field: models.Field) -> str:
    match field:
        case models.BooleanField():
            return "boolean"
        case models.DateTimeField():
            return "datetime"
        case models.DateField():
            return "date"
        case models.ForeignKey(target_field=DomainField()):
            return "domain"
        case models.IntegerField() | models.DecimalField():
            return "number"
    return "key" if field.primary_key else "text"
