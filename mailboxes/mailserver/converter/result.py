"""Converted settings and blocks, each with the setting of 2.3 that it comes from."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from mailboxes.mailserver.config_parser.lines import ConfigSetting, Line
from mailboxes.mailserver.converter.variables import UnconvertibleValue

PLAIN_NAME_RE = re.compile(r"[^\s\"'{}#=]+")


@dataclass(frozen=True)
class ConvertedSetting:
    """The lines of 2.4 for a setting of 2.3; none if it is no longer needed."""

    lines: list[str]
    source: ConfigSetting


@dataclass(frozen=True)
class UnconvertedSetting:
    """A setting, or a part of it, that 2.4 does not have or the administrator has to decide."""

    source: ConfigSetting
    about: str = ""


@dataclass
class ConvertedBlock:
    """A block with its settings, inner blocks and plain lines."""

    head: str
    line: Line
    children: list["Section"] = field(default_factory=list)
    old_header: str = ""  # in 2.3


SettingResult = ConvertedSetting | UnconvertedSetting
Results = Iterator[SettingResult]
Section = str | ConvertedSetting | UnconvertedSetting | ConvertedBlock


def assign(setting: ConfigSetting, name: str, value: str) -> ConvertedSetting:
    return ConvertedSetting([format_assignment(name, value)], setting)


def assign_or_drop(setting: ConfigSetting, name: str, value: str) -> ConvertedSetting:
    return assign(setting, name, value) if value else drop(setting)


def drop(setting: ConfigSetting) -> ConvertedSetting:
    return ConvertedSetting([], setting)


def mark_unconverted(setting: ConfigSetting, about: str = "") -> SettingResult:
    return UnconvertedSetting(setting, about) if setting.value else drop(setting)


def try_convert(setting: ConfigSetting, results: Iterable[SettingResult]) -> list[SettingResult]:
    """Return the results, or an unconverted setting if a value cannot be converted."""
    try:
        return list(results)
    except UnconvertibleValue as error:
        return [UnconvertedSetting(setting, str(error))]


def format_assignment(name: str, value: str) -> str:
    return f"{name} = {quote_value(value)}".rstrip()


def quote_value(value: str) -> str:
    is_plain = value == value.strip() and not re.search(r"#|^[\"'<]|\\$", value)
    if is_plain:
        return value
    escaped = re.sub(r"([\\\"])", r"\\\1", value)
    return f'"{escaped}"'


def quote_name(name: str) -> str:
    return name if PLAIN_NAME_RE.fullmatch(name) else f'"{name}"'


def format_header(kind: str, name: str = "") -> str:
    return f"{kind} {quote_name(name)}" if name else kind


def format_block(kind: str, name: str, lines: Iterable[str]) -> list[str]:
    return [f"{format_header(kind, name)} {{", *(f"  {line}" for line in lines), "}"]
