"""The language of Dovecot's files: settings, blocks, includes, as a tree."""

import glob
import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from mailboxes.mailserver.config_parser import syntax
from mailboxes.mailserver.config_parser.lines import (
    ConfigProblem,
    ConfigSetting,
    Line,
    read_text,
    resolve_path,
    split_physical_lines,
)

DOVECOT_FOLDERS = ("/etc/dovecot", "/usr/local/etc/dovecot")
DOVECOT_DEFAULTS = {
    "auth_mechanisms": "plain",
    "first_valid_uid": "500",
    "mail_plugins": "",
    "protocols": "",
    "default_internal_group": "dovecot",
    "default_internal_user": "dovecot",
    "default_login_user": "dovenull",
}
MAX_INCLUDE_DEPTH = 20  # files that include files
MAX_INCLUDED_FILES = 1000
VERSION_SETTING = "dovecot_config_version"  # the first setting of Dovecot 2.4, unknown to 2.3
# Lists of Dovecot 2.4's, which a block adds to: mail_plugins { quota = yes }
LIST_SETTINGS = frozenset(
    {"auth_mechanisms", "listen", "login_trusted_networks", "mail_access_groups", "mail_plugins"}
    | {"extra_groups", "imap_capability", "protocols"}
)
# Blocks that hold settings for some connections only, passdbs and userdbs among them.
FILTER_BLOCKS = ("protocol", "local", "local_name", "remote")
YES_VALUES = ("yes", "y", "1")  # in any case; whatever else is no, or refused


def is_yes(value):
    return value.lower() in YES_VALUES


@dataclass
class ConfigBlock:
    """`kind name { … }`, and the file as a whole."""

    kind: str
    name: str
    line: Line
    children: list = field(default_factory=list)

    def value(self, name, default=""):
        """The value of a setting of this block; the last one counts."""
        setting = self.setting(name)
        return setting.value if setting else default

    def settings(self):
        """Its own settings, not those of blocks in it."""
        return [child for child in self.children if isinstance(child, ConfigSetting)]

    def setting(self, name):
        last = next((each for each in reversed(self.settings()) if each.name == name), None)
        blocks = self.blocks(name) if name in LIST_SETTINGS else []
        return self._merge_list(name) if blocks else last

    def _merge_list(self, name):
        """A list that blocks add words to and take words from; a line begins it anew."""
        default = DOVECOT_DEFAULTS.get(name, "") if self.kind == "file" else ""
        words, lines = dict.fromkeys(split_list_value(default), True), ()
        for child in self.children:
            if isinstance(child, ConfigSetting) and child.name == name:
                words, lines = dict.fromkeys(split_list_value(child.value), True), child.lines
            elif isinstance(child, ConfigBlock) and child.kind == name:
                for setting in child.settings():
                    words[setting.name] = is_yes(setting.value)
                    lines = (*lines, *setting.lines)
        value = " ".join(word for word, is_in in words.items() if is_in)
        return ConfigSetting(name, value, lines) if lines else None

    def where(self, name):
        setting = self.setting(name)
        return setting.line if setting else self.line

    def blocks(self, kind):
        return [
            child
            for child in self.children
            if isinstance(child, ConfigBlock) and child.kind == kind
        ]

    def walk_blocks(self):
        """Every block in it, however deep."""
        for child in self.children:
            if isinstance(child, ConfigBlock):
                yield child
                yield from child.walk_blocks()

    def walk(self):
        """Every setting, however deep, with the blocks it stands in."""
        for child in self.children:
            if isinstance(child, ConfigSetting):
                yield (self,), child
            else:
                yield from (((self, *path), setting) for path, setting in child.walk())


def split_list_value(value):
    return [word for word in re.split(r"[\s,]+", value) if word]


class DovecotParser:
    """Reads a file and what it includes into a tree; what goes wrong is a problem, not an end."""

    def __init__(self, directory, expands_variables=True, reaches=None):
        self.included_count = 0
        self.reaches = reaches or (lambda path: True)  # what may be read, if not all
        self.directory = directory
        self.expands_variables = expands_variables  # a file of SQL settings takes `$` as it is
        self.problems = []
        self.includes = []  # what is to be included, as it is written
        self.first = None  # the line before which there are only comments
        self.root = ConfigBlock("file", "", Line(str(directory / "dovecot.conf"), 0, ""))

    @property
    def is_version_2_4(self):
        """Whether it is Dovecot 2.4's language that is read, as far as that has been said."""
        return self.root.setting(VERSION_SETTING) is not None

    def file(self, path, block, seen_at=None, depth=0):
        try:
            text = read_text(path)
        except OSError as error:
            line = seen_at or Line(str(path), 0, "")
            self.problems.append(
                ConfigProblem("unreadable-file", line, f"{path}: {error.strerror}")
            )
            return
        stack = [block]
        for line, lines in syntax.join_continued_lines(
            split_physical_lines(path, text), not self.expands_variables
        ):
            self.first = self.first or lines[0]
            if line is None:
                self.problems.append(ConfigProblem("broken-line", lines[0], "\\"))
            else:
                self._line(syntax.parse_line(line), lines, stack, depth)
        for open_block in stack[1:]:
            self.problems.append(ConfigProblem("broken-line", open_block.line, "{"))

    def apply_groups(self, block=None):
        """`@group = name` stands for what `group @group name { … }` says, before all else here."""
        block = block or self.root
        groups = {each.name: each for each in self.root.blocks("group")}
        used = [setting for setting in block.settings() if setting.name.startswith("@")]
        for inner in (child for child in block.children if isinstance(child, ConfigBlock)):
            self.apply_groups(inner)
        for setting in reversed(used):
            group = groups.get(f"{setting.name} {setting.value}")
            block.children[:0] = group.children if group else ()

    def _line(self, said, lines, stack, depth):
        if said.kind == syntax.INCLUDE:
            self._include_files(said, lines[0], stack[-1], depth)
        elif said.kind == syntax.END:
            self._close_block(lines[0], stack)
        elif said.kind == syntax.BLOCK:
            self._open_block(said, lines, stack, depth)
        elif said.kind == syntax.SETTING:
            self._setting(said, lines, stack)
        else:
            self.problems.append(ConfigProblem("broken-line", lines[0]))

    def _setting(self, said, lines, stack):
        name, value = said.name, said.value
        if self.expands_variables and not said.is_quoted and "$" in value:
            value = self._expand_variables(value, stack)
        block, slash, inner = name.partition("/")
        if slash and (block in LIST_SETTINGS or block == "plugin"):
            holder, name = ConfigBlock(block, "", lines[0]), inner
            stack[-1].children.append(holder)
        else:
            holder = stack[-1]
        holder.children.append(ConfigSetting(name, value, lines))

    def _expand_variables(self, value, stack):
        """`$mail_plugins` (2.4: `$SET:mail_plugins`), a word by itself, is what it is so far."""
        sign = "$SET:" if self.is_version_2_4 else "$"
        words = [
            self._get_current_value(word.removeprefix(sign), stack)
            if word.startswith(sign) and not word.startswith("$ENV:")
            else word
            for word in value.split()
        ]
        return " ".join(words)

    def _get_current_value(self, name, stack):
        holder = next((block for block in reversed(stack) if block.setting(name)), self.root)
        return holder.value(name, DOVECOT_DEFAULTS.get(name, ""))

    def _open_block(self, said, lines, stack, depth):
        block = ConfigBlock(said.name, said.value, lines[0])
        stack[-1].children.append(block)
        stack.append(block)
        if said.rest:  # on the same line, where Dovecot has nothing
            self.problems.append(ConfigProblem("broken-line", lines[0], "{"))
            self._parse_inline_block(said.rest, lines, stack, depth)

    def _parse_inline_block(self, rest, lines, stack, depth):
        rest = rest.removeprefix("{").strip()
        closes = rest.endswith("}") and rest.count("{") < rest.count("}")
        rest = rest[:-1].strip() if closes else rest
        if rest:
            self._line(syntax.parse_line(rest), lines, stack, depth)
        if closes:
            self._close_block(lines[0], stack)

    def _close_block(self, line, stack):
        if len(stack) > 1:
            stack.pop()
        else:
            self.problems.append(ConfigProblem("broken-line", line, "}"))

    def _include_files(self, said, line, block, depth):
        self.includes.append(said.value)
        pattern = resolve_path(self.directory, Path(line.file).parent / said.value, DOVECOT_FOLDERS)
        found = sorted(map(Path, glob.glob(str(pattern)))) if is_glob(pattern) else [pattern]
        if said.name == "!include_try":
            found = [path for path in found if os.path.exists(path)]
        elif not found:
            self.problems.append(ConfigProblem("unreadable-file", line, f"{pattern}: No matches"))
        self.included_count += len(found)
        if depth >= MAX_INCLUDE_DEPTH or self.included_count > MAX_INCLUDED_FILES:
            self.problems.append(ConfigProblem("unreadable-file", line, str(pattern)))
            return
        for path in filter(self.reaches, found):
            self.file(path, block, seen_at=line, depth=depth + 1)


def is_glob(path):
    return any(letter in str(path) for letter in "*?[")
