"""Values of PHP: texts, numbers, arrays, and those that only PHP could compute."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias


class PhpSyntaxError(Exception):
    """A file that cannot be read as PHP, with its name and line."""

    def __init__(self, line: int, reason: str, path: str = "") -> None:
        super().__init__(f"{path}, line {line}: {reason}" if path else reason)
        self.line, self.reason, self.path = line, reason, path


class Unknown(NamedTuple):
    """A value that cannot be computed without PHP, and why."""

    reason: str
    line: int


# An array is a dict, as in PHP ordered and with whole numbers or texts as keys.
PhpArray: TypeAlias = dict[int | str, Any]
PhpValue: TypeAlias = str | int | float | bool | None | Unknown | PhpArray


def to_key(value: PhpValue) -> int | str | Unknown:
    """Return the value as a key of an array: `'7'` is 7."""
    match value:
        case Unknown():
            return value
        case bool() | int() | float():
            return int(value)
        case dict():
            return Unknown("an array is no key", 0)
    text = value or ""
    is_number = text.removeprefix("-").isdecimal() and str(int(text)) == text
    return int(text) if is_number and text.isascii() else text


def to_text(value: PhpValue) -> str | Unknown:
    """Return the value as PHP converts it to a string."""
    match value:
        case Unknown():
            return value
        case None | False:
            return ""
        case True:
            return "1"
        case dict():
            return "Array"
        case float() if value.is_integer():
            return str(int(value))
    return str(value)


def to_boolean(value: PhpValue) -> bool | Unknown:
    """Return whether PHP takes the value for true."""
    if isinstance(value, Unknown):
        return value
    return bool(value) and value != "0"


def push(array: PhpArray, value: PhpValue) -> None:
    """Append a value, as `$array[] = …` does."""
    array[max((key for key in array if isinstance(key, int)), default=-1) + 1] = value


def find_unknown(value: PhpValue) -> Unknown | None:
    """Return the first part of a value that could not be computed."""
    return next(iter_unknown(value), None)


def iter_unknown(value: PhpValue) -> Iterator[Unknown]:
    if isinstance(value, Unknown):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from iter_unknown(item)
