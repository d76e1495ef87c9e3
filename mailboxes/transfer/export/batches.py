"""The answers of a map for many keys at once, by the query that Postfix runs for one."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from django.db import connection

from mailboxes.postfix.queries import PLACEHOLDER_RE, LookupSelect, PostfixMap

MAX_KEYS = 200  # of one statement; SQLite takes 500 SELECTs in one
KEY_COLUMNS = {"key": "lookup.name", "domain": "lookup.domain"}

Item = TypeVar("Item")


def find_answers(query: PostfixMap, keys: Sequence[str]) -> dict[str, list[str]]:
    """Return key → its answers, in the order of the map's parts, each once."""
    found: dict[str, dict[str, None]] = {}
    for part in query.parts:
        for key, answer in fetch_answers(part, keys):
            if answer not in (None, ""):
                found.setdefault(key, {})[str(answer)] = None
    return {key: list(answers) for key, answers in found.items()}


def fetch_answers(part: LookupSelect, keys: Sequence[str]) -> list[tuple[str, object]]:
    """Return (key, answer) of the rows that answer these keys.

    The keys are a table to which those of the part are joined; its conditions name their columns.
    """
    own = "SELECT %s AS name, %s AS domain"
    rows = " UNION ALL ".join([own] * len(keys))
    conditions = [*part.where, *(sql for sql, _reason in part.active_if)]
    sql = bind_to_keys(
        f"SELECT :key, {part.answer} FROM :lookup CROSS JOIN {part.source}"  # noqa: S608 (our own words)
        f" WHERE {' AND '.join(conditions)}"
    )
    parameters = [value for key in keys for value in (key, key.rpartition("@")[2])]
    with connection.cursor() as cursor:
        cursor.execute(sql.replace(":lookup", f"({rows}) AS lookup", 1), parameters)
        return cursor.fetchall()


def bind_to_keys(sql: str) -> str:
    def name_column(match: re.Match[str]) -> str:
        return KEY_COLUMNS[match[1]]

    return PLACEHOLDER_RE.sub(name_column, sql.replace("%", "%%"))


def iter_batches(items: Iterable[Item]) -> Iterator[list[Item]]:
    """Yield the items in lists of as many as are looked up at once."""
    batch: list[Item] = []
    for item in items:
        batch.append(item)
        if len(batch) == MAX_KEYS:
            yield batch
            batch = []
    if batch:
        yield batch
