"""Restore a backup into an empty database, in one transaction."""

import base64
import json
import zlib
from collections.abc import Iterable, Iterator
from typing import IO, Any, NamedTuple

from django.core.exceptions import ValidationError
from django.db import Error, connection, transaction

from mailadmin.backup.creation import FORMAT, FORMAT_VERSION, GZIP_BITS
from mailadmin.backup.tables import BackupTable, iter_tables
from mailadmin.db.bulk import batch_values
from mailadmin.translation import gettext as _

READ_BYTES = 2**16
MAX_LINE_BYTES = 2**26
MAX_ROWS_PER_STATEMENT = 500
MAX_VALUES_PER_STATEMENT = 30_000


class Restored(NamedTuple):
    """What was restored."""

    rows: int
    tables: int


def restore_backup(file: IO[bytes]) -> Restored:
    """Restore a backup; raise ValidationError, and change nothing, if that is not possible."""
    lines = iter_lines(file)
    check_head(next(lines, None))
    tables = {table.name: table for table in iter_tables()}
    try:
        with transaction.atomic(durable=True), connection.constraint_checks_disabled():
            refuse_rows(tables.values())
            return insert_tables(lines, tables)
    except Error as error:
        text = _("The database refused a row: %(error)s")
        raise ValidationError(text, params={"error": error}) from error


def iter_lines(file: IO[bytes]) -> Iterator[Any]:
    """Yield the lines of a backup; refuse a file that is damaged, or no backup."""
    decompressor, rest = zlib.decompressobj(wbits=GZIP_BITS), b""
    try:
        while data := file.read(READ_BYTES):
            *complete, rest = (rest + decompressor.decompress(data)).split(b"\n")
            if len(rest) > MAX_LINE_BYTES:
                raise ValueError
            yield from map(json.loads, complete)
        if rest or not decompressor.eof:
            raise ValueError
    except (zlib.error, ValueError) as error:
        raise build_damage() from error


def build_damage() -> ValidationError:
    return ValidationError(_("This file is damaged, or is no backup."))


def check_head(head: Any) -> None:
    if not isinstance(head, dict) or head.get("format") != FORMAT:
        raise build_damage()
    if head.get("version") != FORMAT_VERSION:
        raise ValidationError(_("This backup was made by a newer version of the panel."))


def refuse_rows(tables: Iterable[BackupTable]) -> None:
    """Refuse a database with rows: a backup is not mixed with other data."""
    for table in tables:
        name = connection.ops.quote_name(table.name)
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT 1 FROM {name} LIMIT 1")  # noqa: S608 (a quoted name)
            if cursor.fetchone():
                text = _("The table %(name)s is not empty. Restore into an empty database.")
                raise ValidationError(text, params={"name": table.name})


def insert_tables(lines: Iterator[Any], tables: dict[str, BackupTable]) -> Restored:
    """Insert the rows of all tables; the last line has their number."""
    rows: list[list[Any]] = []
    head: dict[str, Any] = {}
    total = count = 0
    for line in lines:
        if isinstance(line, list):
            rows.append(line)
        if not isinstance(line, list) or len(rows) == MAX_ROWS_PER_STATEMENT:
            total, rows = total + insert_rows(head, rows, tables), []
        if isinstance(line, dict) and line.get("end"):
            if line.get("rows") != total:
                break
            return Restored(total, count)
        if isinstance(line, dict):
            head, count = line, count + 1
    raise build_damage()


def insert_rows(head: dict[str, Any], rows: list[list[Any]], tables: dict[str, BackupTable]) -> int:
    """Insert rows of the table that a line names; return their number."""
    if not rows:
        return 0
    columns = find_columns(head, tables)
    if any(len(row) != len(columns) for row in rows):
        raise build_damage()
    quote = connection.ops.quote_name
    names = ", ".join(map(quote, columns))
    values = "(" + ", ".join(["%s"] * len(columns)) + ")"
    limit = max(1, MAX_VALUES_PER_STATEMENT // len(columns))
    decoded = [tuple(map(decode_value, row)) for row in rows]
    start = f"INSERT INTO {quote(head['table'])} ({names}) VALUES "  # noqa: S608 (quoted names)
    with connection.cursor() as cursor:
        for part in batch_values(decoded, limit):
            sql = start + ", ".join([values] * len(part))
            cursor.execute(sql, [value for row in part for value in row])
    return len(rows)


def find_columns(head: dict[str, Any], tables: dict[str, BackupTable]) -> list[str]:
    """Return the columns that a line names; refuse a table or a column that is not here."""
    name, columns = head.get("table", ""), head.get("columns", [])
    table = tables.get(name)
    if table is None:
        text = _("This database has no table %(name)s. Run `mailadmin migrate`.")
        raise ValidationError(text, params={"name": name})
    if unknown := [column for column in columns if column not in table.columns]:
        text = _("The table %(table)s has no column %(name)s. Add it first.")
        raise ValidationError(text, params={"table": name, "name": unknown[0]})
    return list(columns)


def decode_value(value: Any) -> Any:
    return base64.b64decode(value["base64"]) if isinstance(value, dict) else value
