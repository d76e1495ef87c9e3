"""Lines of a configuration, and where each came from."""

import re
from dataclasses import dataclass, field

from mailboxes.mailserver.config_parser.lines import ConfigSetting

PLAIN_NAME_RE = re.compile(r"[^\s\"'{}#=]+")


@dataclass(frozen=True)
class ConvertedSetting:
    """What a setting of 2.3 has become: lines of text, nothing where it is no longer needed."""

    lines: list
    source: ConfigSetting


@dataclass(frozen=True)
class UnconvertedSetting:
    """A setting, or a part of it, that has no place in 2.4, or needs somebody to decide."""

    source: ConfigSetting
    about: str = ""


@dataclass
class ConvertedBlock:
    """A block with what is in it: Made, Lost, Section or plain lines."""

    head: str
    line: object
    children: list = field(default_factory=list)
    old_header: str = ""  # its head in 2.3, if that was another


def format_assignment(name, value):
    return f"{name} = {quote_value(value)}".rstrip()


def quote_value(value):
    """A value as a line of 2.4's can say it."""
    is_plain = value == value.strip() and not re.search(r"#|^[\"'<]|\\$", value)
    if is_plain:
        return value
    escaped = re.sub(r"([\\\"])", r"\\\1", value)
    return f'"{escaped}"'


def quote_name(name):
    return name if PLAIN_NAME_RE.fullmatch(name) else f'"{name}"'


def format_header(kind, name=""):
    return f"{kind} {quote_name(name)}" if name else kind


def format_block(kind, name, lines):
    """A block's lines; a line by itself may be given as such."""
    inner = [lines] if isinstance(lines, str) else lines
    return [f"{format_header(kind, name)} {{", *(f"  {line}" for line in inner), "}"]
