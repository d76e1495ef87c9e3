"""CSV: one file per table, with the columns that an import takes."""

import csv
from collections.abc import Iterator

from django.utils.translation import gettext as _

from mailadmin.tables.csv_cells import EchoWriter, escape_formula, format_cell
from mailboxes.transfer.entries import Losses
from mailboxes.transfer.export.rows import iter_export_rows
from mailboxes.transfer.row_types import ROW_TYPES
from mailboxes.transfer.row_types.base import RowType


def iter_csv_files(
    losses: Losses, domain: str = "", with_secrets: bool = False
) -> Iterator[tuple[str, Iterator[str]]]:
    """Yield (name, lines) of every table that an import can create again from it."""
    for row_type in ROW_TYPES.values():
        if with_secrets or not requires_secrets(row_type):
            yield f"{row_type.table}.csv", iter_csv_lines(row_type, losses, domain, with_secrets)
        else:
            losses.add(_("Tables that contain only secrets: skipped."), row_type.table)


def requires_secrets(row_type: RowType) -> bool:
    """Tell whether new rows cannot be created without a secret column."""
    return any(row_type.is_secret(name) for name in row_type.required_columns)


def iter_csv_lines(
    row_type: RowType, losses: Losses, domain: str = "", with_secrets: bool = False
) -> Iterator[str]:
    """Yield the lines of a table's file."""
    names = [
        name for name in row_type.export_columns if with_secrets or not row_type.is_secret(name)
    ]
    writer = csv.writer(EchoWriter())
    yield writer.writerow(names)
    for row in iter_export_rows(row_type, losses, domain):
        yield writer.writerow([escape_formula(format_cell(row.get(name))) for name in names])
