"""What stands in a list of Postfix's: plain words and `type:name` maps, one in another."""

import re
from dataclasses import dataclass

from mailboxes.mailserver.config_parser.lines import Line

SEPARATORS = ", \t\r\n"
SQL = frozenset({"mysql", "pgsql", "sqlite"})
INDEXED = {
    "hash": ".db",
    "btree": ".db",
    "lmdb": ".lmdb",
    "cdb": ".cdb",
    "dbm": ".pag",
    "sdbm": ".pag",
}
LISTED = frozenset({*INDEXED, "texthash"})  # their source is a text of keys and values
PATTERNS = frozenset({"regexp", "pcre", "cidr"})
FILES = LISTED | PATTERNS | SQL | {"ldap", "memcache"}
COMBINED = frozenset({"pipemap", "unionmap", "randmap"})
OTHERS = frozenset({"inline", "static", "fail", "internal", "environ", "unix", "tcp", "socketmap"})
TYPES = FILES | COMBINED | OTHERS | {"netinfo", "nis", "nisplus", "proxy"}


@dataclass(frozen=True)
class MapReference:
    """A map as a list names it."""

    type: str
    name: str
    text: str
    where: Line | None
    proxied: bool = False
    negated: bool = False
    members: tuple = ()

    @property
    def is_sql(self):
        return self.type in SQL

    @property
    def is_file(self):
        return self.type in FILES and self.name.startswith("/")

    @property
    def pairs(self):
        """Keys and values of an inline map."""
        if self.type != "inline":
            return []
        return [_pair(entry) for entry in tokens(unbraced(self.name))]

    def walk(self):
        """The map and all that it is made of."""
        yield self
        for member in self.members:
            yield from member.walk()


def _pair(entry):
    key, _sign, value = unbraced(entry).partition("=")
    return key.strip(), unbraced(value.strip())


def unbraced(text):
    text = text.strip()
    return text[1:-1].strip() if text.startswith("{") and text.endswith("}") else text


def tokens(text):
    """The words of a list; what stands in braces is one word."""
    words, word, level = [], [], 0
    for letter in text:
        level += (letter == "{") - (letter == "}")
        if letter in SEPARATORS and level <= 0:
            words.append("".join(word))
            word = []
        else:
            word.append(letter)
    return [word for word in [*words, "".join(word)] if word]


def reference(text, where=None):
    """The map that a word names, or None where it is a plain word."""
    rest = text.lstrip("!")
    proxied = rest.startswith("proxy:")
    while rest.startswith("proxy:"):
        rest = rest.removeprefix("proxy:")
    kind, colon, name = rest.partition(":")
    if not colon or kind not in TYPES:
        return None
    return MapReference(
        type=kind,
        name=name,
        text=text,
        where=where,
        proxied=proxied,
        negated=text.startswith("!"),
        members=tuple(references(unbraced(name), where)) if kind in COMBINED else (),
    )


def references(text, where=None):
    """All maps that a list names, also inside `{ … }` of a restriction."""
    for word in tokens(text):
        if (inside := unbraced(word)) != word:
            yield from references(inside, where)
        elif found := reference(word, where):
            yield found


def is_name(text):
    """Whether a word of a list is a host or domain, and no file, address or exception."""
    return bool(re.fullmatch(r"[\w.-]+", text, re.ASCII))
