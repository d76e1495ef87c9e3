"""Statements on many rows, in parts that a server accepts."""

import functools
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

from django.db import connections, models, router
from django.db.backends.base.base import BaseDatabaseWrapper

from mailadmin.db.custom_columns import CustomColumnMixin
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
    values_by_column = [prepare_column(f, rows, connection) for f in columns]
    with connection.cursor() as cursor:
        for part in batch_values(zip(*values_by_column, strict=True), max_rows):
            values = ", ".join([placeholders] * len(part))
            cursor.execute(
                f"INSERT INTO {quote(model._meta.db_table)} ({names}) VALUES {values}",  # noqa: S608 (quoted names)
                list(itertools.chain.from_iterable(part)),
            )


def batch_values(
    lines: Iterable[tuple[Any, ...]], max_rows: int
) -> Iterator[list[tuple[Any, ...]]]:
    """Yield the lines in batches that one statement can carry, by number and by length."""
    batch: list[tuple[Any, ...]] = []
    size = 0
    for line in lines:
        weight = sum([len(value) for value in line if isinstance(value, str)])
        if batch and (len(batch) == max_rows or size + weight > MAX_CHARACTERS_PER_STATEMENT):
            yield batch
            batch, size = [], 0
        batch.append(line)
        size += weight
    yield batch


PLAIN_TYPES: dict[type[models.Field], set[type]] = {
    models.CharField: {str},
    models.TextField: {str},
    models.IntegerField: {int},
    models.BooleanField: {bool},
    models.ForeignKey: {str, int},
}
REPEATED_FIELDS = (models.DateTimeField, models.UUIDField)


def prepare_column(
    field: models.Field, rows: Iterable[Any], connection: BaseDatabaseWrapper
) -> list[Any]:
    """Return the rows' values of a column, converted for the database as the field would.

    Strings and numbers need no conversion, and all rows have the same time: to ask the field for
    each value took a third of an import's time.
    """
    values = [getattr(row, field.attname) for row in rows]
    if set(map(type, values)) <= get_plain_types(field):
        return values
    prepare: Callable[[Any], Any]
    prepare = functools.partial(field.get_db_prep_save, connection=connection)
    if isinstance(field, REPEATED_FIELDS):
        prepare = functools.lru_cache(maxsize=64)(prepare)
    if type(field) is models.JSONField and set(map(type, values)) <= {dict, list}:
        prepare = functools.partial(connection.ops.adapt_json_value, encoder=field.encoder)
    return [prepare(value) for value in values]


def get_plain_types(field: models.Field) -> set[type]:
    """Return the types whose values this field gives to the database as they are."""
    if isinstance(field, (TranslatedMixin, CustomColumnMixin)):
        return set()
    return next((types for known, types in PLAIN_TYPES.items() if isinstance(field, known)), set())


def _is_set_by_database(field: models.Field, row: Any) -> bool:
    return isinstance(field, models.AutoField) and getattr(row, field.attname, None) is None
