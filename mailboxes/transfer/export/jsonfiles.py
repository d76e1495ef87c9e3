"""The panel's own JSON, of which an import makes an equal database; a row a line."""

import json

from django.utils import timezone

from mailadmin.changes.records import plain
from mailboxes.transfer.export.rows import rows_of
from mailboxes.transfer.row_types import KINDS

HEAD = {"format": "mailadmin", "version": 1}


def pieces(losses, domain=""):
    """The document, piece by piece; without its end no import takes it."""
    yield as_text(HEAD | {"exported": plain(timezone.now())})[:-1]
    for kind in KINDS.values():
        yield from table(kind, rows_of(kind, losses, domain))
    yield "}\n"


def table(kind, rows):
    """The rows with what surrounds them; nothing where there are none."""
    before = f',\n"{kind.table}": [\n'
    for row in rows:
        yield before + as_text(row)
        before = ",\n"
    if before == ",\n":
        yield "\n]"


def as_text(value):
    return json.dumps(value, ensure_ascii=False)
