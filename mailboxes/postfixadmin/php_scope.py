"""What the files have set so far: variables, constants, and where an option was set."""

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple

from mailboxes.postfixadmin.php_values import PhpArray, PhpValue, Unknown, push, to_key


class Execution(IntEnum):
    """Whether PHP would run a piece of code; of nested pieces the greatest counts."""

    CERTAIN = 0
    UNCERTAIN = 1
    SKIPPED = 2


class Location(NamedTuple):
    path: str
    line: int

    def __str__(self) -> str:
        return f"{self.path}, line {self.line}"


@dataclass
class PhpScope:
    """Variables and constants, shared by a file and those that it includes."""

    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    given: Mapping[str, Path] = field(default_factory=dict)  # name → file of the command line
    variables: dict[str, PhpValue] = field(default_factory=lambda: {"CONF": {}})
    constants: dict[str, PhpValue] = field(default_factory=dict)
    set_at: dict[int | str, Location] = field(default_factory=dict)  # option → where
    notes: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)  # that were read
    included: set[Path] = field(default_factory=set)
    path: Path = field(default_factory=Path)
    execution: Execution = Execution.CERTAIN

    @property
    def options(self) -> PhpArray:
        """Return `$CONF`."""
        options = self.variables["CONF"]
        return options if isinstance(options, dict) else {}

    @contextlib.contextmanager
    def run_as(self, execution: Execution) -> Iterator[None]:
        before, self.execution = self.execution, max(self.execution, execution)
        try:
            yield
        finally:
            self.execution = before

    def add_note(self, line: int, text: str) -> None:
        if self.execution is not Execution.SKIPPED:
            self.notes.append(f"{Location(str(self.path), line)}: {text}")

    def assign(
        self, name: str, keys: Sequence[PhpValue | None], value: PhpValue, line: int
    ) -> None:
        """Set a variable or a part of an array; a key of None appends."""
        if self.execution is Execution.SKIPPED:
            return
        if self.execution is Execution.UNCERTAIN:
            value = Unknown("it depends on a condition that only PHP can decide", line)
        if name == "CONF":
            self.record_options(keys, value, line)
        if not keys:
            self.variables[name] = value
            return
        place = self.variables.get(name)
        if not isinstance(place, dict):
            place = self.variables[name] = {}
        for key in keys[:-1]:
            place = open_array(place, key)
        set_item(place, keys[-1], value)

    def record_options(self, keys: Sequence[PhpValue | None], value: PhpValue, line: int) -> None:
        here = Location(str(self.path), line)
        names = [to_key(keys[0])] if keys else list(value) if isinstance(value, dict) else []
        self.set_at |= {name: here for name in names if not isinstance(name, Unknown)}
        if isinstance(value, Unknown) and not keys:
            self.add_note(line, f"$CONF cannot be read: {value.reason}")

    def unset(self, name: str, keys: Sequence[PhpValue | None]) -> None:
        if self.execution is not Execution.CERTAIN or not keys:
            return
        place = self.variables.get(name)
        for key in keys[:-1]:
            place = place.get(to_known_key(key)) if isinstance(place, dict) else None
        if isinstance(place, dict):
            place.pop(to_known_key(keys[-1]), None)


def to_known_key(value: PhpValue | None) -> int | str:
    key = to_key(value)
    return "" if isinstance(key, Unknown) else key


def open_array(place: PhpArray, key: PhpValue | None) -> PhpArray:
    """Return the array in a place of another one; create it if there is none."""
    if key is None:
        push(place, {})
        found = list(place.values())[-1]
    else:
        found = place.get(to_known_key(key))
    if not isinstance(found, dict):
        found = place[to_known_key(key)] = {}
    return found


def set_item(place: PhpArray, key: PhpValue | None, value: PhpValue) -> None:
    if key is None:
        push(place, value)
        return
    name = to_key(key)
    if not isinstance(name, Unknown):
        place[name] = value
