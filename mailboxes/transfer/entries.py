"""What a source holds, in the panel's words, and what of it has no place here."""

from dataclasses import dataclass, field
from typing import NamedTuple

MAX_EXAMPLE_PLACES = 10


class SourceEntry(NamedTuple):
    """A row for the panel. Values are called as its columns are, and may all be texts.

    `trouble` says why the source itself cannot be right here; the row is refused with it.
    """

    kind: str  # a name in `kinds.KINDS`
    values: dict
    place: str  # where it stands: file and line, or table and key
    trouble: str = ""


@dataclass
class LossNote:
    """Something to know of a source: said once, with how often it is so and where."""

    text: str
    count: int = 0
    places: list[str] = field(default_factory=list)


class Losses:
    """What a source holds that the panel cannot, and what was done about it."""

    def __init__(self):
        self.notes = {}

    def add(self, text, place="", count=1):
        note = self.notes.setdefault(str(text), LossNote(str(text)))
        note.count += count
        if place and len(note.places) < MAX_EXAMPLE_PLACES:
            note.places.append(place)

    def __iter__(self):
        return iter(self.notes.values())


class SourceError(Exception):
    """A source that cannot be read, with the place where it ends being what it should be."""

    def __init__(self, text, place=""):
        super().__init__(f"{place}: {text}" if place else str(text))
