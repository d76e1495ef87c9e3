"""Pages by key, without offsets and counts."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection, models
from django.db.models import F, Q, QuerySet
from django.db.models.lookups import GreaterThan

from mailadmin.db.compiled import fill_placeholders, make_placeholder
from mailadmin.db.index_hints import ignore_unordered_indexes, is_mysql, ordered_by_secondary_index

Order = tuple[str, ...]
Statement = tuple[str, Sequence[Any]]  # SQL and its parameters
PLACEHOLDER = make_placeholder("value")


def rows_after(rows: QuerySet, order: Order, cursor_key: Any, ascending: bool) -> QuerySet:
    """Return the rows after that of the key `cursor_key`, in the order of these columns."""
    sign = "gt" if ascending else "lt"
    by_key = Q(**{f"pk__{sign}": cursor_key})
    if order == ("pk",):
        return rows.filter(by_key)
    column = order[0]  # compared in the database: Python cannot hold a zero date
    value = rows.model._base_manager.filter(pk=cursor_key).values(column)
    rows = rows.filter(**{f"{column}__{sign}e": value})
    return rows.filter(by_key | Q(**{f"{column}__{sign}": value}))


@dataclass(frozen=True)
class Partition:
    """Rows that are read value by value of a column, each of which an index has in order."""

    rows: QuerySet
    lookup: str
    values: Sequence[str]


@dataclass(frozen=True)
class IndexedSearch:
    """Rows of which an index has all columns of the condition, in order: their keys come first."""

    rows: QuerySet


Part = QuerySet | Partition | IndexedSearch


def rows_of_value(rows: QuerySet, lookup: str, value: str) -> Part:
    """Return the rows of one value of a column, which an index has in order.

    MySQL may read all rows in order, however few have the value, unless their keys come first.
    """
    if is_mysql():
        return Partition(rows, lookup, [value])
    return rows.filter(**{lookup: value})


def parts_after(
    parts: Iterable[Part], order: Order, cursor_key: Any, ascending: bool
) -> list[Part]:
    """Return the rows of each part that are after a key."""
    return [
        rows_after(part, order, cursor_key, ascending)
        if isinstance(part, QuerySet)
        else replace(part, rows=rows_after(part.rows, order, cursor_key, ascending))
        for part in parts
    ]


def fetch_first_rows(
    model: type[models.Model],
    parts: Sequence[Part],
    order: Order,
    count: int,
    ascending: bool = True,
) -> list[Any]:
    """Return the first rows of all these parts, which may overlap or be of other models.

    From each, no more is read than is wanted in all. For one combined query MySQL would sort all
    rows that match, or skip all that do not.
    """
    if len(parts) == 1 and isinstance(parts[0], QuerySet) and parts[0].model is model:
        return list(parts[0].order_by(*order_by_direction(order, ascending))[:count])
    if can_union_slices():
        keys = fetch_united_keys(parts, order, count, ascending)
    else:
        keys = fetch_merged_keys(parts, order, count, ascending)
    return list(
        model._base_manager.filter(pk__in=keys).order_by(*order_by_direction(order, ascending))
    )


def order_by_direction(order: Sequence[str], ascending: bool) -> Sequence[str]:
    return order if ascending else tuple(f"-{name}" for name in order)


def first_keys(rows: QuerySet, order: Order, count: int, ascending: bool) -> QuerySet:
    """Select the ordering columns and key of the first rows."""
    names = [rows.model._meta.pk.attname if name == "pk" else name for name in order]
    return rows.order_by(*order_by_direction(order, ascending)).values_list(*names)[:count]


def fetch_merged_keys(
    parts: Iterable[Part], order: Order, count: int, ascending: bool
) -> list[Any]:
    """Return the keys of the first rows of all parts, by a query for each."""
    querysets = map(get_rows, parts)
    found = {row for each in querysets for row in first_keys(each, order, count, ascending)}
    return [key for *_others, key in sorted(found, reverse=not ascending)[:count]]


def get_rows(part: Part) -> QuerySet:
    """Return the rows of a part, of all values of a partition together."""
    if isinstance(part, QuerySet):
        return part
    if isinstance(part, IndexedSearch):
        return part.rows
    return part.rows.filter(**{f"{part.lookup}__in": part.values})


def fetch_united_keys(
    parts: Iterable[Part], order: Order, count: int, ascending: bool
) -> list[Any]:
    """Return the same by one query, in which the parts are limited one by one."""
    statements = [
        statement for part in parts for statement in iter_statements(part, order, count, ascending)
    ]
    if not statements:
        return []
    sql, parameters = unite_statements(statements, len(order), count, ascending)
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return [key for *_others, key in cursor.fetchall()]


def unite_statements(
    statements: Sequence[Statement], columns: int, count: int, ascending: bool
) -> Statement:
    """Return one statement for the first rows of all of them, in the order of their columns."""
    if len(statements) == 1:
        return statements[0]
    direction = "ASC" if ascending else "DESC"
    ordering = ", ".join(f"{position} {direction}" for position in range(1, columns + 1))
    united = " UNION ".join(f"({sql})" for sql, _parameters in statements)
    parameters = [each for _sql, own in statements for each in own]
    return f"{united} ORDER BY {ordering} LIMIT {count:d}", parameters


def iter_statements(part: Part, order: Order, count: int, ascending: bool) -> Iterator[Statement]:
    """Yield the statements that read the first keys of a part, with their parameters.

    The queryset of a partition is compiled once: it takes Django longer than the database.
    """
    if isinstance(part, QuerySet):
        yield from compile_first_keys(part, order, count, ascending)
        return
    every = ordered_by_secondary_index(part.rows)
    if isinstance(part, IndexedSearch):
        yield from compile_first_keys(every, order, count, ascending)
        return
    rows = every.filter(**{part.lookup: PLACEHOLDER})
    compiled = [
        (ignore_unordered_indexes(sql, rows, part.lookup, order), parameters)
        for sql, parameters in compile_first_keys(rows, order, count, ascending)
    ]
    for value in part.values:
        if value.isascii():
            for sql, parameters in compiled:
                yield sql, fill_placeholders(parameters, {PLACEHOLDER: value})
        else:  # which the column may be unable to hold
            rows = every.filter(**{part.lookup: value})
            yield from compile_first_keys(rows, order, count, ascending)


def compile_first_keys(
    rows: QuerySet, order: Order, count: int, ascending: bool
) -> list[Statement]:
    """Return the statement that reads the first keys; none if no row can match."""
    try:
        return [first_keys(rows, order, count, ascending).query.sql_with_params()]
    except EmptyResultSet:
        return []


def can_union_slices() -> bool:
    """Return whether the parts of a union can be limited; SQLite cannot do that."""
    return connection.features.supports_slicing_ordering_in_compound


def iter_pages(rows: QuerySet, size: int = 1000) -> Iterator[list[Any]]:
    """Yield all rows in pages by key; a cursor would load all of them into memory."""
    rows = rows.order_by("pk")
    page = list(rows[:size])
    while page:
        yield page
        # Not by the column's own lookup, which finds nothing after a key that is not ASCII.
        page = list(rows.filter(GreaterThan(F("pk"), page[-1].pk))[:size])


def iter_rows(rows: QuerySet) -> Iterator[Any]:
    """Yield all rows, read page by page."""
    for page in iter_pages(rows):
        yield from page
