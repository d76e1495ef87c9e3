"""The panel's own JSON, from which an import restores an equal database; one row per line."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from django.utils import timezone

from mailadmin.changes.records import serialize_value
from mailboxes.transfer.entries import Losses
from mailboxes.transfer.export.rows import iter_export_rows
from mailboxes.transfer.row_types import ROW_TYPES
from mailboxes.transfer.row_types.base import RowType, RowValues

HEADER = {"format": "mailadmin", "version": 1}


def iter_json(losses: Losses, domain: str = "") -> Iterator[str]:
    """Yield the document piece by piece; no import accepts it without its end."""
    yield dump_json(HEADER | {"exported": serialize_value(timezone.now())})[:-1]
    for row_type in ROW_TYPES.values():
        yield from iter_table_json(row_type, iter_export_rows(row_type, losses, domain))
    yield "}\n"


def iter_table_json(row_type: RowType, rows: Iterable[RowValues]) -> Iterator[str]:
    """Yield the rows of a table with its name and brackets; nothing if there are no rows."""
    separator = f',\n"{row_type.table}": [\n'
    for row in rows:
        yield separator + dump_json(row)
        separator = ",\n"
    if separator == ",\n":
        yield "\n]"


def dump_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
