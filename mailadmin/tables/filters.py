"""The search of lists."""

from collections.abc import Sequence

from django.db.models import Q, QuerySet

from mailadmin.db.fields import fits_column
from mailadmin.names import try_normalize_domain

MAX_SEARCH_WORDS = 12  # more would be a query that no database likes


def search_rows(rows: QuerySet, names: Sequence[str], text: str) -> QuerySet:
    """Return the rows that contain every word in one of the columns.

    `bob*` is the beginning of the first column, which an index finds. A column that cannot hold
    a word, by its charset, cannot contain it either.
    """
    for word in text.split()[:MAX_SEARCH_WORDS]:
        wanted, how, columns = word, "icontains", names
        if len(word) > 1 and word.endswith("*"):
            wanted, how, columns = word[:-1], "istartswith", names[:1]
        fields = [(name, rows.model._meta.get_field(name.split("__")[0])) for name in columns]
        found = [
            Q(**{f"{name}__{how}": spelling})
            for name, field in fields
            for spelling in {wanted, try_normalize_domain(wanted)}
            if fits_column(field, spelling)
        ]
        if "\x00" in word or not found:
            return rows.none()
        rows = rows.filter(Q(*found, _connector=Q.OR))
    return rows
