"""Parse the lists of Postfix: plain words and `type:name` maps, which may be nested."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from mailboxes.mailserver.config_parser.lines import Line

UNKNOWN_LINE = Line("", 0, "")
LIST_SEPARATORS = ", \t\r\n"
SQL_TYPES = frozenset({"mysql", "pgsql", "sqlite"})
INDEX_SUFFIXES = {
    "hash": ".db",
    "btree": ".db",
    "lmdb": ".lmdb",
    "cdb": ".cdb",
    "dbm": ".pag",
    "sdbm": ".pag",
}
TEXT_SOURCE_TYPES = frozenset({*INDEX_SUFFIXES, "texthash"})  # built from a text file
PATTERN_TYPES = frozenset({"regexp", "pcre", "cidr"})
FILE_TYPES = TEXT_SOURCE_TYPES | PATTERN_TYPES | SQL_TYPES | {"ldap", "memcache"}
COMPOSITE_TYPES = frozenset({"pipemap", "unionmap", "randmap"})
OTHER_TYPES = frozenset(
    {"inline", "static", "fail", "internal", "environ", "unix", "tcp", "socketmap"}
)
MAP_TYPES = FILE_TYPES | COMPOSITE_TYPES | OTHER_TYPES | {"netinfo", "nis", "nisplus", "proxy"}


@dataclass(frozen=True)
class MapReference:
    """A `type:name` map as it is written in a list."""

    type: str
    name: str
    text: str
    line: Line
    proxied: bool = False
    is_negated: bool = False
    members: tuple["MapReference", ...] = ()

    @property
    def is_sql(self) -> bool:
        return self.type in SQL_TYPES

    @property
    def is_file(self) -> bool:
        return self.type in FILE_TYPES and self.name.startswith("/")

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Return the keys and values of an inline map."""
        if self.type != "inline":
            return []
        return [_parse_inline_entry(entry) for entry in split_words(strip_braces(self.name))]

    def walk(self) -> Iterator["MapReference"]:
        """Yield the map and, recursively, its members."""
        yield self
        for member in self.members:
            yield from member.walk()


def _parse_inline_entry(entry: str) -> tuple[str, str]:
    key, _sign, value = strip_braces(entry).partition("=")
    return key.strip(), strip_braces(value.strip())


def strip_braces(text: str) -> str:
    text = text.strip()
    return text[1:-1].strip() if text.startswith("{") and text.endswith("}") else text


def split_words(text: str) -> list[str]:
    """Split a list into words; text in braces is one word."""
    words, start, level = [], 0, 0
    for at, character in enumerate(text):
        level += (character == "{") - (character == "}")
        if character in LIST_SEPARATORS and level <= 0:
            words.append(text[start:at])
            start = at + 1
    return [word for word in [*words, text[start:]] if word]


def parse_map_reference(text: str, line: Line = UNKNOWN_LINE) -> MapReference | None:
    """Parse a word that names a map; return None for a plain word."""
    rest = text.lstrip("!")
    proxied = rest.startswith("proxy:")
    while rest.startswith("proxy:"):
        rest = rest.removeprefix("proxy:")
    kind, colon, name = rest.partition(":")
    if not colon or kind not in MAP_TYPES:
        return None
    return MapReference(
        type=kind,
        name=name,
        text=text,
        line=line,
        proxied=proxied,
        is_negated=text.startswith("!"),
        members=tuple(iter_map_references(strip_braces(name), line))
        if kind in COMPOSITE_TYPES
        else (),
    )


def iter_map_references(text: str, line: Line = UNKNOWN_LINE) -> Iterator[MapReference]:
    """Yield all maps that a list names, also those inside `{ … }` of a restriction."""
    for word in split_words(text):
        if (inside := strip_braces(word)) != word:
            yield from iter_map_references(inside, line)
        elif found := parse_map_reference(word, line):
            yield found


def is_hostname(text: str) -> bool:
    """Check that a word of a list is a host or domain, not a file, address or exception."""
    return bool(re.fullmatch(r"[\w.-]+", text, re.ASCII))
