"""Statements on many rows, in parts that a server takes."""

import functools
from collections.abc import Mapping
from typing import Any

from django.db import connections, models, router

MAX_ROWS_PER_STATEMENT = 500


MAX_CHARACTERS_PER_STATEMENT = 2**19  # the smallest packet that a server takes is 1 MB


def chunks(values: Mapping[str, Any], size=MAX_ROWS_PER_STATEMENT):
    values = list(values)
    for start in range(0, len(values), size):
        yield values[start : start + size]


def insert_rows(rows) -> None:
    """Multi-row INSERTs with every column named; bulk_create asks too much of each row."""
    if not rows:
        return
    model = type(rows[0])
    connection = connections[router.db_for_write(model)]
    columns = [f for f in model._meta.concrete_fields if not _is_set_by_database(f, rows[0])]
    quote = connection.ops.quote_name
    names = ", ".join(quote(f.column) for f in columns)
    one = "(" + ", ".join(["%s"] * len(columns)) + ")"
    most = max(1, min(MAX_ROWS_PER_STATEMENT, 30_000 // max(1, len(columns))))
    readers = [(f.attname, get_value_converter(f, connection)) for f in columns]
    lines = ([convert(getattr(row, name)) for name, convert in readers] for row in rows)
    with connection.cursor() as cursor:
        for part in batch_values(lines, most):
            values = ", ".join([one] * len(part))
            cursor.execute(
                f"INSERT INTO {quote(model._meta.db_table)} ({names}) VALUES {values}",  # noqa: S608 (quoted names)
                [value for line in part for value in line],
            )


def batch_values(lines, most):
    """Lines of values in lists that one statement can carry: not too many, and not too heavy."""
    part, size = [], 0
    for line in lines:
        weight = sum(len(value) for value in line if isinstance(value, str))
        if part and (len(part) == most or size + weight > MAX_CHARACTERS_PER_STATEMENT):
            yield part
            part, size = [], 0
        part.append(line)
        size += weight
    yield part


PLAIN_FIELDS = (models.CharField, models.TextField, models.IntegerField, models.ForeignKey)


def get_value_converter(column, connection):
    """What makes a value into the database's, as the column would.

    Texts and numbers are it already, and one moment is that of all rows: asking the column each
    time took a third of an import's time.
    """
    prepare = functools.partial(column.get_db_prep_save, connection=connection)
    if isinstance(column, models.DateTimeField):
        return functools.lru_cache(maxsize=64)(prepare)
    if not isinstance(column, PLAIN_FIELDS):
        return prepare
    return lambda value: value if value and type(value) in (str, int) else prepare(value)


def _is_set_by_database(column, row: Any) -> bool:
    return isinstance(column, models.AutoField) and getattr(row, column.attname) is None
