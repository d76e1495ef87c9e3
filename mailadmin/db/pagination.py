"""Pages by key, without offsets and counts."""

import itertools

from django.db import connections
from django.db.models import F, Q
from django.db.models.lookups import GreaterThan


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
