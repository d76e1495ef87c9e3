"""The search of lists."""

from collections.abc import Sequence

from django.db.models import Q, QuerySet

from mailadmin.db.fields import fits_column
from mailadmin.names import try_normalize_domain

MAX_SEARCH_WORDS = 12  # more make a query that is slow in every database


def search_rows(rows: QuerySet, names: Sequence[str], text: str) -> QuerySet:
    """Return the rows that contain every word in one of the columns.

    `bob*` matches the beginning of the first column, where an index helps. A column whose charset
    cannot hold a word cannot contain it, and is skipped.
    """
    for word in text.split()[:MAX_SEARCH_WORDS]:
        text_part, lookup, columns = word, "icontains", names
        if len(word) > 1 and word.endswith("*"):
            text_part, lookup, columns = word[:-1], "istartswith", names[:1]
        fields = [(name, rows.model._meta.get_field(name.split("__")[0])) for name in columns]
        conditions = [
            Q(**{f"{name}__{lookup}": spelling})
            for name, field in fields
            for spelling in {text_part, try_normalize_domain(text_part)}
            if fits_column(field, spelling)
        ]
        if "\x00" in word or not conditions:
            return rows.none()
        rows = rows.filter(Q(*conditions, _connector=Q.OR))
    return rows
