"""The panel's own JSON, of which an import makes an equal database; a row a line."""

import json

from django.utils import timezone

from mailadmin.changes.records import serialize_value
from mailboxes.transfer.export.rows import iter_export_rows
from mailboxes.transfer.row_types import ROW_TYPES

HEADER = {"format": "mailadmin", "version": 1}


def iter_json(losses, domain=""):
    """The document, piece by piece; without its end no import takes it."""
    yield dump_json(HEADER | {"exported": serialize_value(timezone.now())})[:-1]
    for kind in ROW_TYPES.values():
        yield from iter_table_json(kind, iter_export_rows(kind, losses, domain))
    yield "}\n"


def iter_table_json(kind, rows):
    """The rows with what surrounds them; nothing where there are none."""
    before = f',\n"{kind.table}": [\n'
    for row in rows:
        yield before + dump_json(row)
        before = ",\n"
    if before == ",\n":
        yield "\n]"


def dump_json(value):
    return json.dumps(value, ensure_ascii=False)
