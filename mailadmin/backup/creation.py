"""Write a backup: lines of JSON, compressed, read in one consistent snapshot."""

import base64
import datetime
import json
import zlib
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

from django.db import connection
from django.utils import timezone

from mailadmin import __version__
from mailadmin.backup.tables import BackupTable, iter_tables
from mailadmin.db.snapshot import snapshot

FORMAT = "mailadmin-backup"
FORMAT_VERSION = 1
ROWS_AT_ONCE = 1000
GZIP_BITS = 31  # zlib's number for the format of gzip
FLUSH_BYTES = 2**16


def iter_backup(has_secrets: bool) -> Iterator[bytes]:
    """Yield the bytes of a backup, which is compressed while it is read."""
    compressor, size = zlib.compressobj(wbits=GZIP_BITS), 0
    parts: list[bytes] = []
    for line in iter_lines(has_secrets):
        parts.append(compressor.compress(line.encode()))
        size += len(parts[-1])
        if size > FLUSH_BYTES:
            yield b"".join(parts)
            parts, size = [], 0
    yield b"".join(parts) + compressor.flush()


def iter_lines(has_secrets: bool) -> Iterator[str]:
    """Yield a line about the backup, one for each table and for each of its rows, and an end."""
    with snapshot():
        yield to_line(
            {
                "format": FORMAT,
                "version": FORMAT_VERSION,
                "panel": __version__,
                "created": timezone.now().isoformat(timespec="seconds"),
                "has_secrets": has_secrets,
            }
        )
        count = 0
        for table in iter_tables():
            if table.is_secret and not has_secrets:
                continue
            yield to_line({"table": table.name, "columns": table.columns})
            for row in iter_rows(table, has_secrets):
                count += 1
                yield to_line(row)
        yield to_line({"end": True, "rows": count})


def iter_rows(table: BackupTable, has_secrets: bool) -> Iterator[list[Any]]:
    """Yield the rows of a table as lists of values."""
    blanks = {} if has_secrets else table.blanks
    positions = {table.columns.index(name): value for name, value in blanks.items()}
    for values in read_rows(table):
        row = [encode_value(value) for value in values]
        for position, blank in positions.items():
            row[position] = blank
        yield row


def read_rows(table: BackupTable) -> Iterator[Iterable[Any]]:
    quote = connection.ops.quote_name
    names = [select_column(table, name) for name in table.columns]
    sql = f"SELECT {', '.join(names)} FROM {quote(table.name)}"  # noqa: S608 (quoted names)
    with connection.chunked_cursor() as cursor:
        cursor.execute(sql)
        while rows := cursor.fetchmany(ROWS_AT_ONCE):
            yield from rows


def select_column(table: BackupTable, name: str) -> str:
    """Return how a column is read: MySQL's client takes the date 0000-00-00 for none."""
    quoted = connection.ops.quote_name(name)
    if connection.vendor == "mysql" and name in table.dates:
        return f"CAST({quoted} AS CHAR)"
    return quoted


def encode_value(value: Any) -> Any:
    """Return a value as JSON has it; bytes are marked."""
    match value:
        case bytes() | bytearray() | memoryview():
            return {"base64": base64.b64encode(bytes(value)).decode()}
        case datetime.datetime() | datetime.date() | datetime.time() | Decimal():
            return str(value)
    return value


def to_line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n"
