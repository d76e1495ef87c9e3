"""Pages by key, without offsets and counts."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.db import connections, models
from django.db.models import F, Q, QuerySet
from django.db.models.lookups import GreaterThan

Order = tuple[str, ...]


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


def fetch_first_rows(
    model: type[models.Model],
    parts: Sequence[QuerySet],
    order: Order,
    count: int,
    ascending: bool = True,
) -> list[Any]:
    """Return the first rows of all these querysets, which may overlap or be of other models.

    From each, no more is read than is wanted in all. For one combined query MySQL would sort all
    rows that match, or skip all that do not.
    """
    if len(parts) == 1 and parts[0].model is model:
        return list(parts[0].order_by(*order_by_direction(order, ascending))[:count])
    nonempty = [part for part in parts if not part.query.is_empty()]
    key_lists = [first_keys(part, order, count, ascending) for part in nonempty]
    keys = [key for *_others, key in merge_first_keys(key_lists, order, count, ascending)]
    return list(
        model._base_manager.filter(pk__in=keys).order_by(*order_by_direction(order, ascending))
    )


def order_by_direction(order: Sequence[str], ascending: bool) -> Sequence[str]:
    return order if ascending else tuple(f"-{name}" for name in order)


def first_keys(rows: QuerySet, order: Order, count: int, ascending: bool) -> QuerySet:
    """Select the ordering columns and key of the first rows."""
    names = [rows.model._meta.pk.attname if name == "pk" else name for name in order]
    return rows.order_by(*order_by_direction(order, ascending)).values_list(*names)[:count]


def merge_first_keys(
    key_lists: Sequence[QuerySet], order: Order, count: int, ascending: bool
) -> Iterable[Any]:
    """Return the first of the values in all these lists."""
    if len(key_lists) <= 1:
        return key_lists[0] if key_lists else []
    if not can_union_slices(key_lists[0].db):
        return sorted(set(itertools.chain(*key_lists)), reverse=not ascending)[:count]
    names = [key_lists[0].model._meta.pk.attname if name == "pk" else name for name in order]
    return (
        key_lists[0].union(*key_lists[1:]).order_by(*order_by_direction(names, ascending))[:count]
    )


def can_union_slices(alias: str = "default") -> bool:
    """Return whether the parts of a union can be limited; SQLite cannot do that."""
    return connections[alias].features.supports_slicing_ordering_in_compound


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
