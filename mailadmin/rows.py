"""Rows, many at a time."""

import functools
import itertools

from django.db import connections, models, router
from django.db.models import F, Q
from django.db.models.lookups import GreaterThan

from mailadmin.models import ScopedQuerySet

ROWS_A_STATEMENT = 500
LETTERS_A_STATEMENT = 2**19  # the smallest packet that a server takes is 1 MB


def folded(key):
    """MySQL compares addresses without regard to case."""
    return key.lower() if isinstance(key, str) else key


@functools.cache
def is_scoped(model):
    """Whether a row of this table is somebody's, or only kept by us or by the mail server."""
    return isinstance(model._default_manager.none(), ScopedQuerySet)


def whole_rows(model, instances):
    """Django collects rows with some of their columns; the record wants all."""
    if not is_scoped(model):
        return
    for part in chunks(instances):
        yield from model._base_manager.filter(pk__in=[row.pk for row in part])


def chunks(values, size=ROWS_A_STATEMENT):
    values = list(values)
    for start in range(0, len(values), size):
        yield values[start : start + size]


def beyond(rows, order, edge, upwards):
    """The rows that come after that of the key `edge`, in the order of these columns."""
    sign = "gt" if upwards else "lt"
    by_key = Q(**{f"pk__{sign}": edge})
    if order == ("pk",):
        return rows.filter(by_key)
    column = order[0]  # compared where it lies: a zero date is nothing to Python
    value = rows.model._base_manager.filter(pk=edge).values(column)
    rows = rows.filter(**{f"{column}__{sign}e": value})
    return rows.filter(by_key | Q(**{f"{column}__{sign}": value}))


def first_rows(model, parts, order, count, upwards=True):
    """The first rows of all these querysets, which may overlap, or have their keys from elsewhere.

    Of each no more is read than is wanted of all. As one query, MySQL would sort all rows that fit
    or pass over all that do not.
    """
    if len(parts) == 1 and parts[0].model is model:
        return list(parts[0].order_by(*directed(order, upwards))[:count])
    parts = [part for part in parts if not part.query.is_empty()]
    heads = [head(part, order, count, upwards) for part in parts]
    keys = [key for *_others, key in joined(heads, order, count, upwards)]
    return list(model._base_manager.filter(pk__in=keys).order_by(*directed(order, upwards)))


def directed(order, upwards):
    return order if upwards else tuple(f"-{name}" for name in order)


def head(rows, order, count, upwards):
    names = [rows.model._meta.pk.attname if name == "pk" else name for name in order]
    return rows.order_by(*directed(order, upwards)).values_list(*names)[:count]


def joined(heads, order, count, upwards):
    """The first values of all these lists of values."""
    if len(heads) <= 1:
        return heads[0] if heads else []
    if not can_join_heads(heads[0].db):
        return sorted(set(itertools.chain(*heads)), reverse=not upwards)[:count]
    names = [heads[0].model._meta.pk.attname if name == "pk" else name for name in order]
    return heads[0].union(*heads[1:]).order_by(*directed(names, upwards))[:count]


def can_join_heads(alias="default"):
    """SQLite cannot limit the parts of a union."""
    return connections[alias].features.supports_slicing_ordering_in_compound


def pages(rows, size=1000):
    """All rows, some at a time, by their key; a cursor would bring all of them into memory."""
    rows = rows.order_by("pk")
    page = list(rows[:size])
    while page:
        yield page
        # Not by the column's own lookup, which finds nothing behind a key that is not ASCII.
        page = list(rows.filter(GreaterThan(F("pk"), page[-1].pk))[:size])


def one_by_one(rows):
    """The same, row by row."""
    for page in pages(rows):
        yield from page


def insert_rows(rows):
    """Multi-row INSERTs with every column named; bulk_create asks too much of each row."""
    if not rows:
        return
    model = type(rows[0])
    connection = connections[router.db_for_write(model)]
    columns = [f for f in model._meta.concrete_fields if not _database_sets(f, rows[0])]
    quote = connection.ops.quote_name
    names = ", ".join(quote(f.column) for f in columns)
    one = "(" + ", ".join(["%s"] * len(columns)) + ")"
    most = max(1, min(ROWS_A_STATEMENT, 30_000 // max(1, len(columns))))
    readers = [(f.attname, converter(f, connection)) for f in columns]
    lines = ([convert(getattr(row, name)) for name, convert in readers] for row in rows)
    with connection.cursor() as cursor:
        for part in statements(lines, most):
            values = ", ".join([one] * len(part))
            cursor.execute(
                f"INSERT INTO {quote(model._meta.db_table)} ({names}) VALUES {values}",  # noqa: S608 (quoted names)
                [value for line in part for value in line],
            )


def statements(lines, most):
    """Lines of values in lists that one statement can carry: not too many, and not too heavy."""
    part, size = [], 0
    for line in lines:
        weight = sum(len(value) for value in line if isinstance(value, str))
        if part and (len(part) == most or size + weight > LETTERS_A_STATEMENT):
            yield part
            part, size = [], 0
        part.append(line)
        size += weight
    yield part


PLAIN = (models.CharField, models.TextField, models.IntegerField, models.ForeignKey)


def converter(column, connection):
    """What makes a value into the database's, as the column would.

    Texts and numbers are it already, and one moment is that of all rows: asking the column each
    time took a third of an import's time.
    """
    prepare = functools.partial(column.get_db_prep_save, connection=connection)
    if isinstance(column, models.DateTimeField):
        return functools.lru_cache(maxsize=64)(prepare)
    if not isinstance(column, PLAIN):
        return prepare
    return lambda value: value if value and type(value) in (str, int) else prepare(value)


def _database_sets(column, row):
    return isinstance(column, models.AutoField) and getattr(row, column.attname) is None
