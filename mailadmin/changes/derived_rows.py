"""Rows of an index that are derived from a column of another table, kept by every service."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import models

from mailadmin import registry
from mailadmin.db.bulk import chunks


@dataclass(frozen=True)
class DerivedRows:
    """The rows of a model that are built from one column of the row to which their key points."""

    model: type[models.Model]
    key: str
    column: str
    build: Callable[[Any], Iterable[models.Model]]

    def insert(self, rows: Iterable[models.Model]) -> None:
        """Insert what is derived from these; a row may be left of a deleted one of that key."""
        for part in chunks(each for row in rows for each in self.build(row)):
            self.model._base_manager.bulk_create(part, ignore_conflicts=True)

    def replace(self, rows: Sequence[models.Model]) -> None:
        """Delete what was derived from these rows, and insert what is now."""
        self.delete([row.pk for row in rows])
        self.insert(rows)

    def delete(self, keys: Iterable[Any]) -> None:
        """Delete what was derived from the rows of these keys."""
        for part in chunks(keys):
            self.model._base_manager.filter(**{f"{self.key}__in": part}).delete()


def insert_for(rows: Sequence[models.Model]) -> None:
    """Insert what is derived from new rows of one model."""
    if rows and (derived := registry.derived_rows.get(type(rows[0]))):
        derived.insert(rows)


def replace_for(rows: Sequence[models.Model], changed: Collection[str]) -> None:
    """Replace what is derived from rows of one model in which these columns were changed."""
    derived = registry.derived_rows.get(type(rows[0])) if rows else None
    if derived and derived.column in changed:
        derived.replace(rows)
