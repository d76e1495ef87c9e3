"""Statements on many rows, in parts that a server accepts."""

import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

from django.db import connections, models, router
from django.db.backends.base.base import BaseDatabaseWrapper

from mailadmin.db.translated_fields import TranslatedMixin

MAX_ROWS_PER_STATEMENT = 500
MAX_CHARACTERS_PER_STATEMENT = 2**19  # the smallest packet limit of a server is 1 MB


Item = TypeVar("Item")


def chunks(values: Iterable[Item], size: int = MAX_ROWS_PER_STATEMENT) -> Iterator[list[Item]]:
    """Yield the values in lists of this size."""
    items = list(values)
    for start in range(0, len(items), size):
        yield items[start : start + size]


def insert_rows(rows: Sequence[Any], model: type[models.Model] | None = None) -> None:
    """Insert rows of one model by multi-row INSERTs; bulk_create does more work for each row.

    They are instances of the model, or else have its values in attributes of the same names; a
    key that the database gives may be missing.
    """
    if not rows:
        return
    model = model or type(rows[0])
    connection = connections[router.db_for_write(model)]
    columns = [f for f in model._meta.concrete_fields if not _is_set_by_database(f, rows[0])]
    quote = connection.ops.quote_name
    names = ", ".join(quote(str(f.column)) for f in columns)
    placeholders = "(" + ", ".join(["%s"] * len(columns)) + ")"
    max_rows = max(1, min(MAX_ROWS_PER_STATEMENT, 30_000 // max(1, len(columns))))
    readers = [(f.attname, get_value_converter(f, connection)) for f in columns]
    lines = ([convert(getattr(row, name)) for name, convert in readers] for row in rows)
    with connection.cursor() as cursor:
        for part in batch_values(lines, max_rows):
            values = ", ".join([placeholders] * len(part))
            cursor.execute(
                f"INSERT INTO {quote(model._meta.db_table)} ({names}) VALUES {values}",  # noqa: S608 (quoted names)
                [value for line in part for value in line],
            )


def batch_values(lines: Iterable[list[Any]], max_rows: int) -> Iterator[list[list[Any]]]:
    """Yield the lines in batches that one statement can carry, by number and by length."""
    batch: list[list[Any]] = []
    size = 0
    for line in lines:
        weight = sum(len(value) for value in line if isinstance(value, str))
        if batch and (len(batch) == max_rows or size + weight > MAX_CHARACTERS_PER_STATEMENT):
            yield batch
            batch, size = [], 0
        batch.append(line)
        size += weight
    yield batch


PLAIN_FIELDS = (models.CharField, models.TextField, models.IntegerField, models.ForeignKey)


def get_value_converter(
    field: models.Field, connection: BaseDatabaseWrapper
) -> Callable[[Any], Any]:
    """Return the function that converts values for the database, as the field would.

    Strings and numbers need no conversion, and all rows have the same time: to ask the field for
    each value took a third of an import's time.
    """
    prepare = functools.partial(field.get_db_prep_save, connection=connection)
    if type(field) is models.JSONField:
        adapt = functools.partial(connection.ops.adapt_json_value, encoder=field.encoder)
        return lambda value: adapt(value) if type(value) in (dict, list) else prepare(value)
    if isinstance(field, models.DateTimeField):
        return functools.lru_cache(maxsize=64)(prepare)
    if not isinstance(field, PLAIN_FIELDS) or isinstance(field, TranslatedMixin):
        return prepare
    return lambda value: value if value and type(value) in (str, int) else prepare(value)


def _is_set_by_database(field: models.Field, row: Any) -> bool:
    return isinstance(field, models.AutoField) and getattr(row, field.attname, None) is None
