"""What a row of a plan changes, as pages show it: labels of fields, formatted values."""

from decimal import Decimal
from typing import Any

from django.db import models

from domains.quotas import megabytes_to_bytes
from mailadmin.changes.formatting import choose_change_format, format_items
from mailadmin.db.fields import SizeField
from mailadmin.formatting import dash
from mailadmin.tables.actions import Text
from mailboxes.transfer.plan.output import RowFormat
from mailboxes.transfer.row_types.base import RowType

# Columns of files that hold a column of the table in another form.
FILE_COLUMNS = {"quota_bytes": "quota", "password_hash": "password"}


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
    """Return a value as the log shows it, a dash for none; sizes of files are in MB."""
    field = find_field(row_type, name)
    if isinstance(value, (list, tuple)):
        return dash(format_items(field, value))
    if isinstance(field, SizeField) and name == field.name and value is not None:
        value = megabytes_to_bytes(Decimal(value))
    return dash(choose_change_format(field)(value))


PAGE_FORMAT = RowFormat(find_label, format_column)
