"""What a map of the panel's answers, all of it: its own queries, asked for every key at once.

A query finds a row by a key that Postfix has. Here the row itself says its key, so that the
query's conditions, and nobody else's, decide what stands in a file.
"""

from typing import NamedTuple

from django.db import connection

from mailadmin.names import fold
from mailboxes.postfix.dialects import get_dialect
from mailboxes.postfix.maps import PLACEHOLDER_RE, LookupSelect

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
    """A part of a map: what it answers by its rows' own keys, or by those of an alias domain."""

    part: LookupSelect
    prefix: str = ""  # "@": the key is everybody in the domain of the row
    mirror: str = ""  # an alias domain
    target_domain: str = ""  # the domain that it mirrors
    domain: str = ""  # of the rows that are wanted alone; none: all
    base: str = ""  # the folder of all mail

    def iter_pages(self):
        """(key, answer), some at a time, in order of the rows."""
        for rows in self.iter_raw_pages():
            yield [(fold(self.key_of(row)), answer) for row, answer in rows if answer]

    def iter_raw_pages(self):
        """(key of the row, what is answered …), some at a time."""
        last = ""
        while rows := self.rows(f" > %s ORDER BY {self.column} LIMIT {PAGE_SIZE}", [last]):
            last = rows[-1][0]
            yield rows

    def find_answered_keys(self, keys):
        """Those of these keys that it answers."""
        wanted = [row for key in keys if (row := self.row_key(key))]
        if not wanted:
            return set()
        rows = self.rows(f" IN ({', '.join(['%s'] * len(wanted))})", wanted)
        return {fold(self.key_of(row)) for row, answer in rows if answer}

    # Keys and rows

    def key_of(self, row):
        return f"{row.partition('@')[0]}@{self.mirror}" if self.mirror else self.prefix + row

    def row_key(self, key):
        """The key of the row that might answer."""
        if not self.mirror:
            return key.removeprefix(self.prefix)
        local_part, _at, domain = key.rpartition("@")
        return f"{local_part}@{self.target_domain}" if domain == fold(self.mirror) else None

    # SQL

    def rows(self, condition, values):
        """(key of the row, answer) of the rows that meet this and all that the query asks."""
        conditions = [*self.part.where, *(text for text, _reason in self.part.live)]
        sql, parameters = self.bind_placeholders(
            f"SELECT {self.column}, {self.part.answer} FROM {self.part.source}"  # noqa: S608 (our own words)
            f" WHERE {' AND '.join(conditions)}"
        )
        if self.domain or self.target_domain:
            sql += f" AND {self.table}.domain = %s"
            parameters.append(self.domain or self.target_domain)
        with connection.cursor() as cursor:
            cursor.execute(f"{sql} AND {self.column}{condition}", [*parameters, *values])
            return cursor.fetchall()

    @property
    def table(self):
        return self.part.model._meta.model_name

    @property
    def column(self):
        return f"{self.table}.{self.part.model._meta.pk.column}"

    def bind_placeholders(self, sql):
        """The query with the row's own key in place of the words."""
        words, parameters = self.words() | {"base": ("%s", [self.base])}, []

        def spelled(word):
            text, values = words[word[1]]
            parameters.extend(values)
            return text

        return PLACEHOLDER_RE.sub(spelled, sql.replace("%", "%%")), parameters

    def words(self):
        """Word → (SQL, its parameters)."""
        own, vendor = self.column, connection.vendor
        joined = get_dialect().joined
        if self.mirror:
            local_part = LOCAL_PART_SQL[vendor].format(own)
            key = joined(local_part, "%s"), [f"@{self.mirror}"]
            return {"key": (f"({key[0]})", key[1]), "domain": ("%s", [self.mirror])}
        if self.prefix:
            key = joined("%s", own), [self.prefix]
            return {"key": (f"({key[0]})", key[1]), "domain": (own, [])}
        return {"key": (own, []), "domain": (DOMAIN_SQL[vendor].format(own), [])}
