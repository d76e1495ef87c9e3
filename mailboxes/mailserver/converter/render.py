"""A conversion as text: the configuration itself, and what became of each line."""

import os
from typing import NamedTuple

from mailboxes.mailserver.config_parser.lines import masked
from mailboxes.mailserver.converter.result import Lost, Made, Section

MARK = "NOT CONVERTED"
HEADER = [
    "# Dovecot's files of 2.3, written for 2.4. Comments (#) show the original line.",
    f"# Lines marked {MARK} need your decision.",
]


class Change(NamedTuple):
    """What has become of a line."""

    file: str
    number: int
    text: str  # as it was, without passwords
    lines: tuple  # as it is now, without passwords as well
    is_lost: bool
    about: str = ""


def changes(sections):
    """Each setting of 2.3, in the order of the new configuration."""
    for each in sections:
        if isinstance(each, Section):
            if each.was != each.head:
                yield change_of(each.line, each.was, (f"{each.head} {{",))
            yield from changes(each.children)
        elif isinstance(each, Made | Lost):
            is_lost = isinstance(each, Lost)
            lines = () if is_lost else tuple(each.lines)
            about = each.about if is_lost else ""
            yield change_of(each.source.line, text_of(each.source), lines, is_lost, about)


def change_of(line, text, lines, is_lost=False, about=""):
    shown = tuple(masked(line) for line in lines)
    return Change(line.file, line.number, text, shown, is_lost, masked(about))


def text_of(setting):
    """The line as it stands there; of one that goes on in others, the first."""
    return setting.line.shown


def rendered(sections, folder, indent=""):
    """The lines of the configuration."""
    for each in sections:
        if isinstance(each, Section):
            yield from section(each, folder, indent)
        elif isinstance(each, str):
            yield f"{indent}{each}".rstrip()
        else:
            yield from setting(each, folder, indent)


def section(each, folder, indent):
    if each.was != each.head:
        yield f"{indent}# {place(each.line.file, each.line.number, folder)}: {each.was}"
    yield f"{indent}{each.head} {{"
    yield from rendered(each.children, folder, f"{indent}  ")
    yield f"{indent}}}"


def setting(each, folder, indent):
    was = f"{place(each.source.line.file, each.source.line.number, folder)}: {text_of(each.source)}"
    if isinstance(each, Lost):
        about = f" ({masked(each.about)})" if each.about else ""
        yield f"{indent}# {MARK} {was}{about}"
        return
    if is_changed(change_of(each.source.line, text_of(each.source), tuple(each.lines))):
        yield f"{indent}# {was}"
    yield from (f"{indent}{line}" for line in each.lines)


def is_changed(change):
    """Whether anything but white space is different."""
    return [line.split() for line in change.lines] != [change.text.split()]


def place(file, number, folder):
    return f"{os.path.relpath(file, folder)}:{number}"
