"""CSV: a file for a table, with the columns that an import takes."""

import csv

from django.utils.translation import gettext as _

from mailadmin.tables.csv_cells import EchoWriter, escape_formula, format_cell
from mailboxes.transfer.export.rows import iter_export_rows
from mailboxes.transfer.row_types import ROW_TYPES


def iter_csv_files(losses, domain="", passwords=False):
    """(name, pieces) of every table that can come back so."""
    for kind in ROW_TYPES.values():
        if passwords or not requires_secrets(kind):
            yield f"{kind.table}.csv", iter_csv_lines(kind, losses, domain, passwords)
        else:
            losses.add(_("Tables that are nothing without their secrets."), kind.table)


def requires_secrets(kind):
    """Whether no new row can be made of what is no secret."""
    return any(kind.is_secret(name) for name in kind.needed)


def iter_csv_lines(kind, losses, domain="", passwords=False):
    """The lines of a table's file."""
    names = [name for name in kind.export_columns if passwords or not kind.is_secret(name)]
    writer = csv.writer(EchoWriter())
    yield writer.writerow(names)
    for row in iter_export_rows(kind, losses, domain):
        yield writer.writerow([escape_formula(format_cell(row.get(name))) for name in names])
