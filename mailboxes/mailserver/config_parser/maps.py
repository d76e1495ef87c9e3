"""What stands in a list of Postfix's: plain words and `type:name` maps, one in another."""

import re
from dataclasses import dataclass

from mailboxes.mailserver.config_parser.lines import Line

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
TEXT_SOURCE_TYPES = frozenset(
    {*INDEX_SUFFIXES, "texthash"}
)  # their source is a text of keys and values
PATTERN_TYPES = frozenset({"regexp", "pcre", "cidr"})
FILE_TYPES = TEXT_SOURCE_TYPES | PATTERN_TYPES | SQL_TYPES | {"ldap", "memcache"}
COMPOSITE_TYPES = frozenset({"pipemap", "unionmap", "randmap"})
OTHER_TYPES = frozenset(
    {"inline", "static", "fail", "internal", "environ", "unix", "tcp", "socketmap"}
)
MAP_TYPES = FILE_TYPES | COMPOSITE_TYPES | OTHER_TYPES | {"netinfo", "nis", "nisplus", "proxy"}


@dataclass(frozen=True)
class MapReference:
    """A map as a list names it."""

    type: str
    name: str
    text: str
    where: Line | None
    proxied: bool = False
    is_negated: bool = False
    members: tuple = ()

    @property
    def is_sql(self):
        return self.type in SQL_TYPES

    @property
    def is_file(self):
        return self.type in FILE_TYPES and self.name.startswith("/")

    @property
    def pairs(self):
        """Keys and values of an inline map."""
        if self.type != "inline":
            return []
        return [_parse_inline_entry(entry) for entry in split_words(strip_braces(self.name))]

    def walk(self):
        """The map and all that it is made of."""
        yield self
        for member in self.members:
            yield from member.walk()


def _parse_inline_entry(entry):
    key, _sign, value = strip_braces(entry).partition("=")
    return key.strip(), strip_braces(value.strip())


def strip_braces(text):
    text = text.strip()
    return text[1:-1].strip() if text.startswith("{") and text.endswith("}") else text


def split_words(text):
    """The words of a list; what stands in braces is one word."""
    words, word, level = [], [], 0
    for letter in text:
        level += (letter == "{") - (letter == "}")
        if letter in LIST_SEPARATORS and level <= 0:
            words.append("".join(word))
            word = []
        else:
            word.append(letter)
    return [word for word in [*words, "".join(word)] if word]


def parse_map_reference(text, where=None):
    """The map that a word names, or None where it is a plain word."""
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
        where=where,
        proxied=proxied,
        is_negated=text.startswith("!"),
        members=tuple(iter_map_references(strip_braces(name), where))
        if kind in COMPOSITE_TYPES
        else (),
    )


def iter_map_references(text, where=None):
    """All maps that a list names, also inside `{ … }` of a restriction."""
    for word in split_words(text):
        if (inside := strip_braces(word)) != word:
            yield from iter_map_references(inside, where)
        elif found := parse_map_reference(word, where):
            yield found


def is_hostname(text):
    """Whether a word of a list is a host or domain, and no file, address or exception."""
    return bool(re.fullmatch(r"[\w.-]+", text, re.ASCII))
