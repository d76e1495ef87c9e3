"""The language of Dovecot's files: settings, blocks, includes, as a tree."""

import glob
import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from mailboxes.mailserver.reading.lines import (
    Line,
    Problem,
    Setting,
    locate,
    physical_lines,
    read,
)

HOMES = ("/etc/dovecot", "/usr/local/etc/dovecot")
DEFAULTS = {
    "auth_mechanisms": "plain",
    "first_valid_uid": "500",
    "mail_plugins": "",
    "protocols": "",
}
DEEPEST = 20  # files that include files
MOST_FILES = 1000
VARIABLE = re.compile(r"\$(?:SET:)?(\w+)", re.ASCII)
ENTRANCE = re.compile(r"(?P<kind>\S+?)(?:\s+(?P<name>.*?))?\s*\{\s*(?P<rest>.*)", re.DOTALL)


@dataclass
class Block:
    """`kind name { … }`, and the file as a whole."""

    kind: str
    name: str
    line: Line
    children: list = field(default_factory=list)

    def value(self, name, default=""):
        """The value of a setting of this block; the last one counts."""
        setting = self.setting(name)
        return setting.value if setting else default

    def setting(self, name):
        found = [child for child in self.children if isinstance(child, Setting)]
        return next((child for child in reversed(found) if child.name == name), None)

    def where(self, name):
        setting = self.setting(name)
        return setting.line if setting else self.line

    def blocks(self, kind):
        return [child for child in self.children if isinstance(child, Block) and child.kind == kind]

    def walk(self):
        """Every setting, however deep, with the blocks it stands in."""
        for child in self.children:
            if isinstance(child, Setting):
                yield (self,), child
            else:
                yield from (((self, *path), setting) for path, setting in child.walk())


class Reader:
    """Reads a file and what it includes into a tree; what goes wrong is a problem, not an end."""

    def __init__(self, directory, expands=True, reaches=None):
        self.included = 0
        self.reaches = reaches or (lambda path: True)  # what may be read, if not all
        self.directory = directory
        self.expands = expands  # a file of SQL settings takes `$` as it is
        self.problems = []
        self.root = Block("file", "", Line(str(directory / "dovecot.conf"), 0, ""))

    def file(self, path, block, seen_at=None, depth=0):
        try:
            text = read(path)
        except OSError as error:
            line = seen_at or Line(str(path), 0, "")
            self.problems.append(Problem("unreadable-file", line, f"{path}: {error.strerror}"))
            return
        stack = [block]
        for line, lines in joined(physical_lines(path, text)):
            self._line(bare(line), lines, stack, depth)
        for open_block in stack[1:]:
            self.problems.append(Problem("broken-line", open_block.line, "{"))

    def _line(self, text, lines, stack, depth):
        if not text:
            return
        if text.startswith("!include"):
            self._include(text, lines[0], stack[-1], depth)
        elif text == "}":
            self._leave(lines[0], stack)
        elif is_entrance(text):
            self._enter(text, lines, stack, depth)
        else:
            self._setting(text, lines, stack[-1])

    def _setting(self, text, lines, block):
        name, sign, value = text.partition("=")
        if not sign or not name.strip():
            self.problems.append(Problem("broken-line", lines[0]))
            return
        name, value = name.strip(), unquoted(value.strip())
        if self.expands:
            value = VARIABLE.sub(lambda match: self._known(match[1], block), value)
        block.children.append(Setting(name, value, lines))

    def _known(self, name, block):
        """`$mail_plugins` is what that setting has said so far."""
        holder = next((b for b in (block, self.root) if b.setting(name)), self.root)
        return holder.value(name, DEFAULTS.get(name, ""))

    def _enter(self, text, lines, stack, depth):
        entrance = ENTRANCE.fullmatch(text)
        kind, name = entrance["kind"], unquoted(entrance["name"] or "")
        block = Block(kind, name, lines[0])
        stack[-1].children.append(block)
        stack.append(block)
        rest = entrance["rest"].strip()
        if rest.endswith("}") and rest.count("{") < rest.count("}"):
            self._line(rest[:-1].strip(), lines, stack, depth)
            self._leave(lines[0], stack)
        else:
            self._line(rest, lines, stack, depth)

    def _leave(self, line, stack):
        if len(stack) > 1:
            stack.pop()
        else:
            self.problems.append(Problem("broken-line", line, "}"))

    def _include(self, text, line, block, depth):
        word, _space, pattern = text.partition(" ")
        pattern = locate(self.directory, Path(line.file).parent / pattern.strip(), HOMES)
        found = sorted(map(Path, glob.glob(str(pattern)))) if is_glob(pattern) else [pattern]
        if word == "!include_try":
            found = [path for path in found if os.path.exists(path)]
        self.included += len(found)
        if depth >= DEEPEST or self.included > MOST_FILES:
            self.problems.append(Problem("unreadable-file", line, str(pattern)))
            return
        for path in filter(self.reaches, found):
            self.file(path, block, seen_at=line, depth=depth + 1)


def is_glob(path):
    return any(letter in str(path) for letter in "*?[")


def is_entrance(text):
    """A block begins where a brace comes before any `=`, and not as part of a value."""
    before = text.partition("{")[0]
    return bool(ENTRANCE.fullmatch(text)) and "=" not in before and not before.endswith(("$", "%"))


def joined(lines):
    """(text, lines): physical lines that a backslash at their end makes one."""
    held = []
    for line in lines:
        held.append(line)
        if line.text.rstrip().endswith("\\") and not line.text.lstrip().startswith("#"):
            continue
        yield joined_text(held), tuple(held)
        held = []
    if held:
        yield joined_text(held), tuple(held)


def joined_text(lines):
    *held, last = (line.text.strip() for line in lines)
    return " ".join([*(text.removesuffix("\\").rstrip() for text in held), last])


def bare(text):
    """The line without its comment; a `#` in quotes is none."""
    text, quote = text.strip(), ""
    for place, letter in enumerate(text):
        if quote:
            quote = "" if letter == quote and text[place - 1] != "\\" else quote
        elif letter in "\"'":
            quote = letter
        elif letter == "#" and (place == 0 or text[place - 1].isspace()):
            return text[:place].strip()
    return text


def unquoted(text):
    """The value without the quotes around it."""
    if (
        len(text) > 1
        and text[0] == text[-1]
        and text[0] in "\"'"
        and text[0] not in text[1:-1].replace(f"\\{text[0]}", "")
    ):
        return re.sub(r"\\(.)", r"\1", text[1:-1])
    return text
