"""One page of rows by key: no offset, no count."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models

from mailadmin.db.pagination import Part, fetch_first_rows, parts_after


class InvalidCursor(ValueError):
    """The key of `after` or `before` cannot be a key of the table."""


@dataclass(frozen=True)
class Page:
    rows: list[Any]
    has_previous: bool
    has_next: bool

    @property
    def next_key(self) -> Any:
        """Return the key after which the next page starts; None on the last page."""
        return self.rows[-1].pk if self.has_next else None


def read_page(
    model: type[models.Model],
    parts: Sequence[Part],
    order: tuple[str, ...],
    size: int,
    *,
    after: Any = None,
    before: Any = None,
    ascending: bool = True,
) -> Page:
    """Read one page; one row more than it shows tells whether there is another."""
    is_backward = before is not None
    is_ascending = ascending != is_backward
    cursor_key = parse_cursor(model, before if is_backward else after)
    if cursor_key is not None:
        parts = parts_after(parts, order, cursor_key, is_ascending)
    rows = fetch_first_rows(model, parts, order, size + 1, is_ascending)
    has_more, rows = len(rows) > size, rows[:size]
    if is_backward:
        return Page(rows[::-1], has_previous=has_more, has_next=True)
    return Page(rows, has_previous=cursor_key is not None, has_next=has_more)


def parse_cursor(model: type[models.Model], value: Any) -> Any:
    """Return the key that a cursor names; None for the first page."""
    if value in (None, ""):
        return None
    try:
        return model._meta.pk.to_python(value)
    except ValidationError as error:
        raise InvalidCursor(str(value)) from error
