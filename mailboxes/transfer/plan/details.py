"""What a row of a plan changes, as pages show it: labels of fields, formatted values."""

from decimal import Decimal
from typing import Any

from django.db import models

from domains.quotas import megabytes_to_bytes
from mailadmin.db.fields import SizeField
from mailadmin.formatting import choose_change_format, dash, format_items
from mailadmin.tables.actions import Text
from mailadmin.translation import gettext as _
from mailboxes.models import PlanRow
from mailboxes.transfer.plan.output import iter_new_values
from mailboxes.transfer.row_types import ROW_TYPES
from mailboxes.transfer.row_types.base import RowType

Verb = PlanRow.Verb
# Columns of files that hold a column of the table in another form.
FILE_COLUMNS = {"quota_bytes": "quota", "password_hash": "password"}


def describe_row(row: PlanRow) -> list[tuple[Text, Any]]:
    """Return (label, value) of a row: why it is refused, what it changes, or what it has."""
    row_type = ROW_TYPES[row.kind]
    match row.verb:
        case Verb.REFUSED:
            return [(_("reason"), row.reason)]
        case Verb.CHANGED:
            return [describe_difference(row_type, *each) for each in row.differences]
        case _ if row.done:
            return []
    return [
        (find_label(row_type, name), format_column(row_type, name, value))
        for name, value in iter_new_values(row)
    ]


def describe_difference(row_type: RowType, name: str, old: Any, new: Any) -> tuple[Text, str]:
    """Return label and "old → new"; of a secret only that it changes."""
    if row_type.is_secret(name):
        return find_label(row_type, name), _("new value")
    old, new = (dash(format_column(row_type, name, value)) for value in (old, new))
    return find_label(row_type, name), f"{old} → {new}"


def find_field(row_type: RowType, name: str) -> models.Field | None:
    """Return the field of the table that a column of a file is about."""
    return row_type.model_fields.get(FILE_COLUMNS.get(name, name))


def find_label(row_type: RowType, name: str) -> Text:
    """Return the label of a column: that of the table, or that of the form; else its name."""
    if field := find_field(row_type, name):
        return field.verbose_name or name
    form_fields = row_type.panel_table.form_class.base_fields if row_type.panel_table else {}
    return form_fields[name].label or name if name in form_fields else name


def format_column(row_type: RowType, name: str, value: Any) -> Any:
    """Return a value as the log shows it; sizes of files are in MB."""
    if isinstance(value, (list, tuple)):
        return format_items(find_field(row_type, name), value)
    field = find_field(row_type, name)
    if isinstance(field, SizeField) and name == field.name and value is not None:
        value = megabytes_to_bytes(Decimal(value))
    return choose_change_format(field)(value)
