"""The search of lists."""

from collections.abc import Sequence
from typing import Any

from django.db.models import Q, QuerySet

from mailadmin.db.fields import fits_column
from mailadmin.names import try_normalize_domain

MAX_SEARCH_WORDS = 12  # more make a query that is slow in every database


def search_rows(rows: QuerySet, names: Sequence[str], text: str) -> QuerySet:
    """Return the rows that contain every word in one of the columns.

    `bob*` matches the beginning of the first column, where an index helps. A column whose charset
    cannot hold a word cannot contain it, and is skipped.
    """
    condition = build_search_condition(rows.model, names, text)
    return rows.none() if condition is None else rows.filter(condition)


def build_search_condition(model: Any, names: Sequence[str], text: str) -> Q | None:
    """Return the condition of `search_rows`; None if no row can match."""
    found = Q()
    for word in text.split()[:MAX_SEARCH_WORDS]:
        text_part, lookup, columns = word, "icontains", names
        if len(word) > 1 and word.endswith("*"):
            text_part, lookup, columns = word[:-1], "istartswith", names[:1]
        fields = [(name, model._meta.get_field(name.split("__")[0])) for name in columns]
        conditions = [
            Q(**{f"{name}__{lookup}": spelling})
            for name, field in fields
            for spelling in {text_part, try_normalize_domain(text_part)}
            if fits_column(field, spelling)
        ]
        if "\x00" in word or not conditions:
            return None
        found &= Q(*conditions, _connector=Q.OR)
    return found
