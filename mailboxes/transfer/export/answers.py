"""All answers of a Postfix map: the panel's own queries, asked for every key at once.

A query finds a row by the key that Postfix looks up. Here that key is computed from the row
itself, so that exactly the conditions of the query decide what a file holds.
"""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from django.db import connection

from mailadmin.names import fold
from mailboxes.postfix.dialects import get_dialect
from mailboxes.postfix.queries import PLACEHOLDER_RE, LookupSelect

PAGE_SIZE = 2000
DOMAIN_SQL = {
    "mysql": "SUBSTRING_INDEX({0}, '@', -1)",
    "sqlite": "substr({0}, instr({0}, '@') + 1)",
}
LOCAL_PART_SQL = {
    "mysql": "SUBSTRING_INDEX({0}, '@', 1)",
    "sqlite": "substr({0}, 1, instr({0}, '@') - 1)",
}


class MapAnswers(NamedTuple):
    """A part of a map, with rows looked up by their own keys or by those of an alias domain."""

    part: LookupSelect
    prefix: str = ""  # "@": the map's key is @domain of the row
    alias_domain: str = ""  # whose addresses are looked up in `target_domain`
    target_domain: str = ""
    domain: str = ""  # limits the rows to this domain
    mail_directory: str = ""

    def iter_pages(self) -> Iterator[list[tuple[str, Any]]]:
        """Yield lists of (key, answer) in order of the rows."""
        for rows in self.iter_raw_pages():
            yield [(fold(self.map_key(row)), answer) for row, answer in rows if answer]

    def iter_raw_pages(self) -> Iterator[list[tuple[Any, ...]]]:
        """Yield lists of (key of the row, columns of the answer …)."""
        last_key = ""
        while rows := self.fetch_rows(
            f" > %s ORDER BY {self.part.key_column} LIMIT {PAGE_SIZE}", [last_key]
        ):
            last_key = rows[-1][0]
            yield rows

    def find_answered_keys(self, keys: list[str]) -> set[str]:
        """Return those of the keys that have an answer."""
        row_keys = [row_key for key in keys if (row_key := self.row_key(key))]
        if not row_keys:
            return set()
        rows = self.fetch_rows(f" IN ({', '.join(['%s'] * len(row_keys))})", row_keys)
        return {fold(self.map_key(row_key)) for row_key, answer in rows if answer}

    # Keys and rows

    def map_key(self, row_key: str) -> str:
        return (
            f"{row_key.partition('@')[0]}@{self.alias_domain}"
            if self.alias_domain
            else self.prefix + row_key
        )

    def row_key(self, map_key: str) -> str | None:
        """Return the key of the row that might answer."""
        if not self.alias_domain:
            return map_key.removeprefix(self.prefix)
        local_part, _at, domain = map_key.rpartition("@")
        return f"{local_part}@{self.target_domain}" if domain == fold(self.alias_domain) else None

    # SQL

    def fetch_rows(self, condition: str, values: list[str]) -> list[tuple[Any, ...]]:
        """Return (key of the row, answer …) of rows that meet this and the query's conditions."""
        conditions = [*self.part.where, *(text for text, _reason in self.part.active_if)]
        sql, parameters = self.bind_placeholders(
            f"SELECT {self.part.key_column}, {self.part.answer} FROM {self.part.source}"  # noqa: S608 (our own words)
            f" WHERE {' AND '.join(conditions)}"
        )
        if self.domain or self.target_domain:
            sql += f" AND {self.part.model_name}.domain = %s"
            parameters.append(self.domain or self.target_domain)
        with connection.cursor() as cursor:
            cursor.execute(f"{sql} AND {self.part.key_column}{condition}", [*parameters, *values])
            return cursor.fetchall()

    def bind_placeholders(self, sql: str) -> tuple[str, list[Any]]:
        """Replace the placeholders of a query by SQL for the row's own key."""
        placeholders, parameters = self.placeholders() | {"base": ("%s", [self.mail_directory])}, []

        def bind(match: re.Match[str]) -> str:
            text, values = placeholders[match[1]]
            parameters.extend(values)
            return text

        return PLACEHOLDER_RE.sub(bind, sql.replace("%", "%%")), parameters

    def placeholders(self) -> dict[str, tuple[str, list[str]]]:
        """Return SQL and its parameters for each placeholder."""
        key_column, vendor = self.part.key_column, connection.vendor
        concat = get_dialect().concat
        if self.alias_domain:
            local_part = LOCAL_PART_SQL[vendor].format(key_column)
            key = concat(local_part, "%s"), [f"@{self.alias_domain}"]
            return {"key": (f"({key[0]})", key[1]), "domain": ("%s", [self.alias_domain])}
        if self.prefix:
            key = concat("%s", key_column), [self.prefix]
            return {"key": (f"({key[0]})", key[1]), "domain": (key_column, [])}
        return {"key": (key_column, []), "domain": (DOMAIN_SQL[vendor].format(key_column), [])}
