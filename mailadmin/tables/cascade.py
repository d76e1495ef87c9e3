"""What a deletion also deletes, counted beforehand, and the rows that point to deleted ones."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import models
from django.db.models import Count, QuerySet, Value
from django.utils.text import capfirst

from mailadmin.accounts.models import is_scoped_model
from mailadmin.db.bulk import chunks

MAX_SHOWN_REFERENCES = 50


@dataclass(frozen=True)
class ReferenceGroup:
    """Rows that point to deleted ones and are kept, with what the deletion means for them."""

    text: str
    rows: Sequence[Any]
    level: str = "info"  # or warning

    @property
    def shown(self) -> Sequence[Any]:
        return self.rows[:MAX_SHOWN_REFERENCES]

    @property
    def has_more(self) -> bool:
        return len(self.rows) > MAX_SHOWN_REFERENCES


def related_querysets(model: type[models.Model], keys: Sequence[Any]) -> list[QuerySet]:
    """Return the rows that point to these and are deleted with them."""
    return [
        relation.related_model._base_manager.filter(**{f"{relation.field.name}__in": keys})
        for relation in model._meta.related_objects
        if relation.on_delete is models.CASCADE and is_scoped_model(relation.related_model)
    ]


def count_by_table(
    get_querysets: Callable[[Sequence[Any]], list[QuerySet]], keys: Sequence[Any]
) -> list[tuple[str, int]]:
    """Return (name of the table, rows) of what is deleted besides; one query for 500 keys."""
    counts: Counter[str] = Counter()
    for part in chunks(keys):
        querysets = get_querysets(part)
        for row in count_querysets(querysets):
            model = querysets[int(row["kind"])].model
            counts[capfirst(model._meta.verbose_name_plural)] += row["count"]
    return list(counts.items())


def count_querysets(querysets: Sequence[QuerySet]) -> list[dict[str, Any]]:
    """Return the number and the count of each queryset that has rows, in one query."""
    counts = [
        rows.order_by()
        .values(kind=Value(str(number), models.CharField()))
        .annotate(count=Count("*"))
        for number, rows in enumerate(querysets)
    ]
    union = counts[0].union(*counts[1:], all=True) if counts else []
    return [row for row in union if row["count"]]
