"""CSV: a file for a table, with the columns that an import takes."""

import csv

from django.utils.translation import gettext as _

from mailadmin.tables.csv_cells import Echo, cell_text, harmless
from mailboxes.transfer.export.rows import rows_of
from mailboxes.transfer.row_types import KINDS


def files(losses, domain="", passwords=False):
    """(name, pieces) of every table that can come back so."""
    for kind in KINDS.values():
        if passwords or not needs_passwords(kind):
            yield f"{kind.table}.csv", pieces(kind, losses, domain, passwords)
        else:
            losses.add(_("Tables that are nothing without their secrets."), kind.table)


def needs_passwords(kind):
    """Whether no new row can be made of what is no secret."""
    return any(kind.is_secret(name) for name in kind.needed)


def pieces(kind, losses, domain="", passwords=False):
    """The lines of a table's file."""
    names = [name for name in kind.written if passwords or not kind.is_secret(name)]
    writer = csv.writer(Echo())
    yield writer.writerow(names)
    for row in rows_of(kind, losses, domain):
        yield writer.writerow([harmless(cell_text(row.get(name))) for name in names])
