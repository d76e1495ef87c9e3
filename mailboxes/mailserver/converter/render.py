"""Render a conversion: the new configuration, and the result for each old line."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from mailboxes.mailserver.config_parser.lines import Line, mask_secrets
from mailboxes.mailserver.converter.result import (
    ConvertedBlock,
    ConvertedSetting,
    Section,
    SettingResult,
    UnconvertedSetting,
)

NOT_CONVERTED_MARK = "NOT CONVERTED"
HEADER_LINES = [
    "# Dovecot 2.3 files converted to 2.4. Comments (#) show the original line.",
    f"# Lines marked {NOT_CONVERTED_MARK} need your decision.",
]


class ConvertedLine(NamedTuple):
    """An old line and the lines that replace it, passwords masked."""

    file: str
    number: int
    text: str
    lines: tuple[str, ...]
    is_lost: bool
    about: str = ""


def iter_converted_lines(sections: Iterable[Section]) -> Iterator[ConvertedLine]:
    """Yield the result for each setting of 2.3, in the order of the new configuration."""
    for each in sections:
        if isinstance(each, ConvertedBlock):
            if each.old_header != each.head:
                yield build_converted_line(each.line, each.old_header, [f"{each.head} {{"])
            yield from iter_converted_lines(each.children)
        elif not isinstance(each, str):
            yield build_setting_line(each)


def build_setting_line(result: SettingResult) -> ConvertedLine:
    line = result.source.line
    if isinstance(result, ConvertedSetting):
        return build_converted_line(line, line.shown, result.lines)
    about = mask_secrets(result.about)
    return ConvertedLine(line.file, line.number, line.shown, (), is_lost=True, about=about)


def build_converted_line(line: Line, text: str, lines: Iterable[str]) -> ConvertedLine:
    masked = tuple(mask_secrets(each) for each in lines)
    return ConvertedLine(line.file, line.number, text, masked, is_lost=False)


def render_sections(sections: Iterable[Section], folder: Path, indent: str = "") -> Iterator[str]:
    """Yield the lines of the new configuration."""
    for each in sections:
        if isinstance(each, ConvertedBlock):
            yield from render_block(each, folder, indent)
        elif isinstance(each, str):
            yield f"{indent}{each}".rstrip()
        else:
            yield from render_setting(each, folder, indent)


def render_block(block: ConvertedBlock, folder: Path, indent: str) -> Iterator[str]:
    if block.old_header != block.head:
        location = format_location(block.line.file, block.line.number, folder)
        yield f"{indent}# {location}: {block.old_header}"
    yield f"{indent}{block.head} {{"
    yield from render_sections(block.children, folder, f"{indent}  ")
    yield f"{indent}}}"


def render_setting(result: SettingResult, folder: Path, indent: str) -> Iterator[str]:
    line = result.source.line
    original = f"{format_location(line.file, line.number, folder)}: {line.shown}"
    if isinstance(result, UnconvertedSetting):
        about = f" ({mask_secrets(result.about)})" if result.about else ""
        yield f"{indent}# {NOT_CONVERTED_MARK} {original}{about}"
        return
    if is_changed(build_setting_line(result)):
        yield f"{indent}# {original}"
    yield from (f"{indent}{each}" for each in result.lines)


def is_changed(change: ConvertedLine) -> bool:
    """Check for differences other than white space."""
    return [line.split() for line in change.lines] != [change.text.split()]


def format_location(file: str, number: int, folder: Path) -> str:
    return f"{os.path.relpath(file, folder)}:{number}"
