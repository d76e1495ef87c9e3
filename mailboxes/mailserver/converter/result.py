"""Lines of a configuration, and where each came from."""

import re
from dataclasses import dataclass, field

from mailboxes.mailserver.config_parser.lines import Setting

PLAIN_NAME = re.compile(r"[^\s\"'{}#=]+")


@dataclass(frozen=True)
class Made:
    """What a setting of 2.3 has become: lines of text, nothing where it is no longer needed."""

    lines: list
    source: Setting


@dataclass(frozen=True)
class Lost:
    """A setting, or a part of it, that has no place in 2.4, or needs somebody to decide."""

    source: Setting
    about: str = ""


@dataclass
class Section:
    """A block with what is in it: Made, Lost, Section or plain lines."""

    head: str
    line: object
    children: list = field(default_factory=list)
    was: str = ""  # its head in 2.3, if that was another


def assignment(name, value):
    return f"{name} = {quoted(value)}".rstrip()


def quoted(value):
    """A value as a line of 2.4's can say it."""
    is_plain = value == value.strip() and not re.search(r"#|^[\"'<]|\\$", value)
    if is_plain:
        return value
    escaped = re.sub(r"([\\\"])", r"\\\1", value)
    return f'"{escaped}"'


def named(name):
    return name if PLAIN_NAME.fullmatch(name) else f'"{name}"'


def head(kind, name=""):
    return f"{kind} {named(name)}" if name else kind


def block(kind, name, lines):
    """A block's lines; a line by itself may be given as such."""
    inner = [lines] if isinstance(lines, str) else lines
    return [f"{head(kind, name)} {{", *(f"  {line}" for line in inner), "}"]
