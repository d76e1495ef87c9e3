"""Run integrity checks window by window, so that no query reads a whole table."""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from django.db.models import QuerySet

from mailadmin.db.bulk import chunks
from mailadmin.names import fold
from mailboxes.integrity.checks import CheckedRows, IntegrityCheck, Problem

COMMAND_PAGE_SIZE = 1000


class Located(NamedTuple):
    """A problem and the source that it was found in; its id is what a request names."""

    source: int
    problem: Problem

    @property
    def id(self) -> str:
        return f"{self.source}:{self.problem.key}"


@dataclass
class ScanResult:
    """The problems found, and from where to continue; empty if all rows were read."""

    found: list[Located] = field(default_factory=list)
    next: str = ""


@dataclass(frozen=True)
class Scope:
    """Whose rows are checked, and in which domain if not in all of theirs.

    `small` are the sources whose rows fit in one window, as an earlier check has found.
    """

    principal: Any
    domain: str = ""
    small: set[int] = field(default_factory=set, compare=False)

    def select(self, source: CheckedRows) -> QuerySet:
        return source.select(self.principal, self.domain)


def scan(
    check: IntegrityCheck, scope: Scope, after: str = "", limit: int = 50, seconds: float = 0
) -> ScanResult:
    """Find the first problems after an id; stop at the limit, or when the time is over.

    At least one window is read, so that a scan that is continued gets to the end.
    """
    check.require_role(scope.principal)
    deadline = time.monotonic() + seconds if seconds else None
    first, key = parse_id(after)
    result = ScanResult()
    for number, source in enumerate(check.sources):
        if number < first:
            continue
        for rows, last in iter_windows(source, scope, key if number == first else ""):
            problems = check.find(rows, scope.principal)
            result.found += (Located(number, problem) for problem in problems)
            if len(result.found) > limit:
                del result.found[limit:]
                result.next = result.found[-1].id
                return result
            if last and deadline and time.monotonic() > deadline:
                result.next = f"{number}:{last}"
                return result
    return result


def iter_windows(source: CheckedRows, scope: Scope, after: str) -> Iterator[tuple[QuerySet, str]]:
    """Yield the rows in parts by the column, each with its last value; empty for the last part."""
    rows = scope.select(source)
    if not after and id(source) in scope.small:
        yield rows, ""
        return
    while True:
        rest = source.after(rows, after)
        last = list(rest.values_list(source.column, flat=True)[source.window - 1 : source.window])
        if not last:
            if not after:
                scope.small.add(id(source))
            yield rest, ""
            return
        after = str(last[0])
        yield source.until(rest, after), after


def parse_id(text: str) -> tuple[int, str]:
    """Return the source and the key of an id; the beginning for what is none."""
    number, _colon, key = text.partition(":")
    return (int(number), key) if number.isdecimal() and len(number) < 3 else (0, "")


def iter_problems(check: IntegrityCheck, scope: Scope) -> Iterator[Located]:
    """Yield all problems, page by page."""
    result = scan(check, scope, limit=COMMAND_PAGE_SIZE)
    yield from result.found
    while result.next:
        result = scan(check, scope, result.next, COMMAND_PAGE_SIZE)
        yield from result.found


def find_again(check: IntegrityCheck, scope: Scope, ids: Iterable[str]) -> list[Located]:
    """Return those of these problems that still exist, and are in scope."""
    check.require_role(scope.principal)
    found = []
    for number, keys in group_ids(ids).items():
        if number >= len(check.sources):
            continue
        source = check.sources[number]
        for part in chunks(keys):
            rows = source.of_keys(scope.select(source), part)
            found += [Located(number, problem) for problem in check.find(rows, scope.principal)]
    return found


def group_ids(ids: Iterable[str]) -> dict[int, list[str]]:
    """Return source → keys, each once."""
    keys: dict[int, dict[str, str]] = {}
    for number, key in map(parse_id, ids):
        keys.setdefault(number, {})[fold(key)] = key
    return {number: list(own.values()) for number, own in keys.items()}


def select_rows(
    check: IntegrityCheck, scope: Scope, found: Sequence[Located]
) -> Iterator[QuerySet]:
    """Yield the rows that these problems are about."""
    for number, keys in group_ids(each.id for each in found).items():
        source = check.sources[number]
        for part in chunks(keys):
            yield source.of_keys(scope.select(source), part)
