"""The setting of custom columns: which columns an operator has added, and who sees them.

Uses only the standard library, as all of `mailadmin.conf`.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from mailadmin.conf.environment_setting import EnvironmentSetting

TABLES = ("domain", "mailbox", "alias")
# Type → what it takes after a colon; empty if nothing
TYPES = {
    "text": "length",
    "multiline": "",
    "integer": "",
    "decimal": "places",
    "boolean": "",
    "date": "",
    "datetime": "",
    "choice": "values",
}
OPTIONS = ("list", "search", "filter", "required", "read-only", "superadmins")
TEXT_TYPES = ("text", "multiline", "choice")
DEFAULT_LENGTH, MAX_LENGTH = 255, 4000
DEFAULT_PLACES, MAX_PLACES = 2, 10

CUSTOM_PREFIX = "x_"
NAME_RE = re.compile(r"x(_[a-z0-9]+)+")
MAX_NAME_LENGTH = 64  # of a column in MySQL
PART_RE = re.compile(r'\s*(,|(?:"[^"]*"|[^\s,"])+)\s*')


class CustomColumn(NamedTuple):
    """A column that an operator has added to one of PostfixAdmin's tables."""

    table: str
    name: str
    kind: str = "text"
    label: str = ""
    length: int = DEFAULT_LENGTH
    places: int = DEFAULT_PLACES
    choices: tuple[str, ...] = ()
    options: frozenset[str] = frozenset()

    def __str__(self) -> str:
        return f"{self.table}.{self.name}"

    @property
    def is_text(self) -> bool:
        return self.kind in TEXT_TYPES


def parse_custom_columns(value: str) -> tuple[CustomColumn, ...]:
    """Accept columns with commas between them: `mailbox.x_floor integer "Floor" list`."""
    columns = [parse_custom_column(words) for words in split_columns(value) if words]
    names = [str(column) for column in columns]
    if duplicates := [name for name in names if names.count(name) > 1]:
        raise ValueError(f"names {duplicates[0]} more than once")
    return tuple(columns)


def split_columns(value: str) -> Iterator[list[str]]:
    """Yield the words of each column; a word may have parts in quotes."""
    words: list[str] = []
    position = 0
    while position < len(value):
        found = PART_RE.match(value, position)
        if found is None:
            raise ValueError("has a quotation mark without its counterpart")
        position = found.end()
        if found[1] == ",":
            yield words
            words = []
        else:
            words.append(found[1])
    yield words


def parse_custom_column(words: list[str]) -> CustomColumn:
    """Return a column: its name, then in any order its type, its label and its options."""
    table, _dot, name = words[0].partition(".")
    if table not in TABLES:
        raise ValueError(f"contains {words[0]!r}, which is not a column of {', '.join(TABLES)}")
    if not NAME_RE.fullmatch(name) or len(name) > MAX_NAME_LENGTH:
        raise ValueError(
            f"contains the column {name!r}: such names begin with x_ and are made of lower-case"
            " letters, digits and single _"
        )
    column = CustomColumn(table, name, label=name.removeprefix(CUSTOM_PREFIX).replace("_", " "))
    seen: set[str] = set()
    for word in words[1:]:
        kind = get_kind_of_word(word)
        if kind in seen:
            raise ValueError(f"has {kind} of {column} more than once")
        seen.add(kind)
        column = add_word(column, word)
    check_column(column)
    return column


def get_kind_of_word(word: str) -> str:
    """Return what a word says of its column; a column has each of them once."""
    if word.startswith('"'):
        return "a label"
    return "a type" if word.partition(":")[0] in TYPES else f"the option {word}"


def add_word(column: CustomColumn, word: str) -> CustomColumn:
    """Return the column with what one word says of it."""
    name, colon, text = word.partition(":")
    text = text.replace('"', "").strip()
    if word.startswith('"'):
        return column._replace(label=parse_label(column, word))
    if name in TYPES and not colon:
        return column._replace(kind=name)
    if name in TYPES and TYPES[name]:
        return add_type_option(column, name, text)
    if word in OPTIONS:
        return column._replace(options=column.options | {word})
    known = ", ".join((*TYPES, *OPTIONS))
    raise ValueError(f"has {word!r} for {column}, which is none of {known}")


def parse_label(column: CustomColumn, word: str) -> str:
    label = word.replace('"', "").strip()
    if not label or not label.isprintable():
        raise ValueError(f"has an empty label for {column}")
    return label


def add_type_option(column: CustomColumn, kind: str, text: str) -> CustomColumn:
    """Return the column with its type and what follows it: `text:40`, `choice:north|south`."""
    if kind == "choice":
        choices = tuple(part.strip() for part in text.split("|"))
        return column._replace(kind=kind, choices=choices)
    lowest, highest = (1, MAX_LENGTH) if kind == "text" else (0, MAX_PLACES)
    if not re.fullmatch("[0-9]{1,4}", text) or not lowest <= int(text) <= highest:
        raise ValueError(
            f"has {text!r} as the {TYPES[kind]} of {column}, which is no number from {lowest} to"
            f" {highest}"
        )
    if kind == "text":
        return column._replace(kind=kind, length=int(text))
    return column._replace(kind=kind, places=int(text))


def check_column(column: CustomColumn) -> None:
    """Refuse what makes no sense together."""
    if column.kind == "choice" and not all(column.choices or [""]):
        raise ValueError(f"names no values for {column}, such as choice:north|south")
    if len(max(column.choices, default="")) > DEFAULT_LENGTH:
        raise ValueError(f"names a value of {column} that is longer than {DEFAULT_LENGTH}")
    if len(set(column.choices)) < len(column.choices):
        raise ValueError(f"names a value of {column} more than once")
    refused: dict[str, str] = {}
    if not column.is_text:
        refused["search"] = "only text is searched"
    if column.kind == "multiline":
        refused |= dict.fromkeys(("list", "filter"), "a list shows single lines")
    if column.kind == "datetime":
        refused["filter"] = "a filter matches exact values, here to the second"
    if column.kind == "boolean":
        refused["required"] = "a checkbox always has a value"
    if "superadmins" in column.options:
        refused |= dict.fromkeys(("search", "filter"), "they work for all admins who see the list")
        refused["read-only"] = "only superadmins change it anyway"
    for option, reason in refused.items():
        if option in column.options:
            raise ValueError(f"has {option} for {column}: {reason}")


CUSTOM_COLUMN_SETTINGS = (
    EnvironmentSetting(
        "MAILADMIN_CUSTOM_COLUMNS",
        "",
        parse_custom_columns,
        "columns that you have added to the tables `domain`, `mailbox` and `alias`, such as"
        ' `mailbox.x_floor integer "Floor" list`, with commas between them: see [Custom'
        " columns](custom-columns.md)",
    ),
)
