"""What becomes of an option of PostfixAdmin, and its value in the words of the panel."""

from collections.abc import Mapping
from typing import NamedTuple

from mailboxes.postfixadmin.php_values import PhpArray, PhpValue, Unknown, to_text

SET = "set"
DEFAULT = "same as the default"
NOT_NEEDED = "not needed"
NOT_CONVERTED = "cannot be converted"
GROUPS = (SET, DEFAULT, NOT_NEEDED, NOT_CONVERTED)
PLACEHOLDER = "change-this-to-your.domain.tld"  # in PostfixAdmin's own values


class NotNeeded(Exception):
    """The value needs no variable; the reason is the text."""


class NotConverted(Exception):
    """The value has no counterpart; the text is what to do."""


class OptionOutcome(NamedTuple):
    """What became of some options: a variable with its value, or a text."""

    group: str
    options: tuple[str, ...]
    variable: str = ""
    value: str = ""
    text: str = ""


Options = Mapping[int | str, PhpValue]


def is_yes(value: PhpValue) -> bool:
    """Return whether PostfixAdmin takes the value for `YES`."""
    return value is True or str(to_text(value)).strip().lower() in ("yes", "y", "true", "on", "1")


def to_plain(value: PhpValue) -> str:
    """Return a number or text as a variable has it."""
    if isinstance(value, dict):
        raise NotConverted("it is an array; set the variable by hand")
    if isinstance(value, Unknown):
        raise NotConverted(f"{value.reason}; set the variable by hand")
    return str(to_text(value)).strip()


def to_yes_or_no(value: PhpValue) -> str:
    return "yes" if is_yes(value) else "no"


def to_list(value: PhpValue) -> str:
    return ",".join(str(to_text(item)) for item in to_array(value).values())


def to_array(value: PhpValue) -> PhpArray:
    """Return an array; another value counts as an empty one."""
    return value if isinstance(value, dict) else {}


def normalize(value: PhpValue) -> str:
    """Return a value for comparisons: `YES` is `yes`, an array its items with commas."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return to_list(value)
    return "" if isinstance(value, Unknown) else str(to_text(value)).strip().lower()


def get_text(options: Options, name: str, default: str = "") -> str:
    """Return an option as text; its default if it is not set or empty."""
    return to_plain(options.get(name)) or default
