"""The rows of a source in the panel's terms, and notes on what of it is not imported."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from mailadmin.translation import compose

MAX_EXAMPLE_PLACES = 10


class SourceEntry(NamedTuple):
    """A row of a source. Values are named as the panel's columns, and may all be texts.

    `error` says what is wrong with the row in the source itself; the row is refused with it.
    """

    kind: str  # a key of `row_types.ROW_TYPES`
    values: dict[str, Any]
    place: str  # file and line, or table and key
    error: str = ""


@dataclass
class LossNote:
    """A remark on a source, with how often it applies and some of the places."""

    text: str
    count: int = 0
    places: list[str] = field(default_factory=list)


class Losses:
    """Something in a source that is not imported, or not unchanged, and what is done instead."""

    def __init__(self) -> None:
        self.notes: dict[str, LossNote] = {}

    def add(self, text: object, place: str = "", count: int = 1) -> None:
        note = self.notes.setdefault(str(text), LossNote(str(text)))
        note.count += count
        if place and len(note.places) < MAX_EXAMPLE_PLACES:
            note.places.append(place)

    def __iter__(self) -> Iterator[LossNote]:
        return iter(self.notes.values())


class SourceError(Exception):
    """A source that cannot be read, with the place where reading failed."""

    def __init__(self, text: object, place: str = "") -> None:
        super().__init__(compose("%(place)s: %(text)s", place=place, text=text) if place else text)
