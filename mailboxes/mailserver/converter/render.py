"""A conversion as text: the configuration itself, and what became of each line."""

import os
from typing import NamedTuple

from mailboxes.mailserver.config_parser.lines import mask_secrets
from mailboxes.mailserver.converter.result import (
    ConvertedBlock,
    ConvertedSetting,
    UnconvertedSetting,
)

NOT_CONVERTED_MARK = "NOT CONVERTED"
HEADER_LINES = [
    "# Dovecot's files of 2.3, written for 2.4. Comments (#) show the original line.",
    f"# Lines marked {NOT_CONVERTED_MARK} need your decision.",
]


class ConvertedLine(NamedTuple):
    """What has become of a line."""

    file: str
    number: int
    text: str  # as it was, without passwords
    lines: tuple  # as it is now, without passwords as well
    is_lost: bool
    about: str = ""


def iter_converted_lines(sections):
    """Each setting of 2.3, in the order of the new configuration."""
    for each in sections:
        if isinstance(each, ConvertedBlock):
            if each.old_header != each.head:
                yield build_converted_line(each.line, each.old_header, (f"{each.head} {{",))
            yield from iter_converted_lines(each.children)
        elif isinstance(each, ConvertedSetting | UnconvertedSetting):
            is_lost = isinstance(each, UnconvertedSetting)
            lines = () if is_lost else tuple(each.lines)
            about = each.about if is_lost else ""
            yield build_converted_line(
                each.source.line, format_source_setting(each.source), lines, is_lost, about
            )


def build_converted_line(line, text, lines, is_lost=False, about=""):
    shown = tuple(mask_secrets(line) for line in lines)
    return ConvertedLine(line.file, line.number, text, shown, is_lost, mask_secrets(about))


def format_source_setting(setting):
    """The line as it stands there; of one that goes on in others, the first."""
    return setting.line.shown


def render_sections(sections, folder, indent=""):
    """The lines of the configuration."""
    for each in sections:
        if isinstance(each, ConvertedBlock):
            yield from render_section(each, folder, indent)
        elif isinstance(each, str):
            yield f"{indent}{each}".rstrip()
        else:
            yield from render_setting(each, folder, indent)


def render_section(each, folder, indent):
    if each.old_header != each.head:
        location = format_location(each.line.file, each.line.number, folder)
        yield f"{indent}# {location}: {each.old_header}"
    yield f"{indent}{each.head} {{"
    yield from render_sections(each.children, folder, f"{indent}  ")
    yield f"{indent}}}"


def render_setting(each, folder, indent):
    line = each.source.line
    location = format_location(line.file, line.number, folder)
    was = f"{location}: {format_source_setting(each.source)}"
    if isinstance(each, UnconvertedSetting):
        about = f" ({mask_secrets(each.about)})" if each.about else ""
        yield f"{indent}# {NOT_CONVERTED_MARK} {was}{about}"
        return
    if is_changed(
        build_converted_line(
            each.source.line, format_source_setting(each.source), tuple(each.lines)
        )
    ):
        yield f"{indent}# {was}"
    yield from (f"{indent}{line}" for line in each.lines)


def is_changed(change):
    """Whether anything but white space is different."""
    return [line.split() for line in change.lines] != [change.text.split()]


def format_location(file, number, folder):
    return f"{os.path.relpath(file, folder)}:{number}"
