"""Pages by key, without offsets and counts."""

import itertools

from django.db import connections, models
from django.db.models import F, Q
from django.db.models.lookups import GreaterThan


def rows_after(rows, order, edge, upwards):
    """The rows that come after that of the key `edge`, in the order of these columns."""
    sign = "gt" if upwards else "lt"
    by_key = Q(**{f"pk__{sign}": edge})
    if order == ("pk",):
        return rows.filter(by_key)
    column = order[0]  # compared where it lies: a zero date is nothing to Python
    value = rows.model._base_manager.filter(pk=edge).values(column)
    rows = rows.filter(**{f"{column}__{sign}e": value})
    return rows.filter(by_key | Q(**{f"{column}__{sign}": value}))


def fetch_first_rows(model: type[models.Model], parts, order, count, upwards=True):
    """The first rows of all these querysets, which may overlap, or have their keys from elsewhere.

    Of each no more is read than is wanted of all. As one query, MySQL would sort all rows that fit
    or pass over all that do not.
    """
    if len(parts) == 1 and parts[0].model is model:
        return list(parts[0].order_by(*order_by_direction(order, upwards))[:count])
    parts = [part for part in parts if not part.query.is_empty()]
    heads = [first_keys(part, order, count, upwards) for part in parts]
    keys = [key for *_others, key in merge_first_keys(heads, order, count, upwards)]
    return list(
        model._base_manager.filter(pk__in=keys).order_by(*order_by_direction(order, upwards))
    )


def order_by_direction(order, upwards):
    return order if upwards else tuple(f"-{name}" for name in order)


def first_keys(rows, order, count, upwards):
    names = [rows.model._meta.pk.attname if name == "pk" else name for name in order]
    return rows.order_by(*order_by_direction(order, upwards)).values_list(*names)[:count]


def merge_first_keys(heads, order, count, upwards):
    """The first values of all these lists of values."""
    if len(heads) <= 1:
        return heads[0] if heads else []
    if not can_union_slices(heads[0].db):
        return sorted(set(itertools.chain(*heads)), reverse=not upwards)[:count]
    names = [heads[0].model._meta.pk.attname if name == "pk" else name for name in order]
    return heads[0].union(*heads[1:]).order_by(*order_by_direction(names, upwards))[:count]


def can_union_slices(alias: str = "default"):
    """SQLite cannot limit the parts of a union."""
    return connections[alias].features.supports_slicing_ordering_in_compound


def iter_pages(rows, size=1000):
    """All rows, some at a time, by their key; a cursor would bring all of them into memory."""
    rows = rows.order_by("pk")
    page = list(rows[:size])
    while page:
        yield page
        # Not by the column's own lookup, which finds nothing behind a key that is not ASCII.
        page = list(rows.filter(GreaterThan(F("pk"), page[-1].pk))[:size])


def iter_rows(rows):
    """The same, row by row."""
    for page in iter_pages(rows):
        yield from page
