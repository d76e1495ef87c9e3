"""Parse Dovecot's files and their includes into a tree of settings and blocks."""

import glob
import os
import re
from collections.abc import Callable, Iterator
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
MAX_INCLUDE_DEPTH = 20
MAX_INCLUDED_FILES = 1000
VERSION_SETTING = "dovecot_config_version"  # the first setting of Dovecot 2.4, unknown to 2.3
# Lists of Dovecot 2.4 that a block can extend: mail_plugins { quota = yes }
LIST_SETTINGS = frozenset(
    {"auth_mechanisms", "listen", "login_trusted_networks", "mail_access_groups", "mail_plugins"}
    | {"extra_groups", "imap_capability", "protocols"}
)
# Blocks whose settings, passdbs and userdbs are for some connections only.
FILTER_BLOCKS = ("protocol", "local", "local_name", "remote")
YES_VALUES = ("yes", "y", "1")  # case-insensitive; all else is no, or refused


def is_yes(value: str) -> bool:
    return value.lower() in YES_VALUES


@dataclass
class ConfigBlock:
    """A block `kind name { … }`, or a file as a whole."""

    kind: str
    name: str
    line: Line
    children: list["ConfigBlock | ConfigSetting"] = field(default_factory=list)

    def value(self, name: str, default: str = "") -> str:
        """Return the value of a setting of this block; the last one wins."""
        setting = self.setting(name)
        return setting.value if setting else default

    def settings(self) -> list[ConfigSetting]:
        """Return the settings of this block, without those of inner blocks."""
        return [child for child in self.children if isinstance(child, ConfigSetting)]

    def setting(self, name: str) -> ConfigSetting | None:
        last = next((each for each in reversed(self.settings()) if each.name == name), None)
        blocks = self.blocks(name) if name in LIST_SETTINGS else []
        return self._merge_list(name) if blocks else last

    def _merge_list(self, name: str) -> ConfigSetting | None:
        """Return a list after all additions and removals by blocks; a plain setting replaces it."""
        default = DOVECOT_DEFAULTS.get(name, "") if self.kind == "file" else ""
        words = dict.fromkeys(split_list_value(default), True)
        lines: tuple[Line, ...] = ()
        for child in self.children:
            if isinstance(child, ConfigSetting) and child.name == name:
                words, lines = dict.fromkeys(split_list_value(child.value), True), child.lines
            elif isinstance(child, ConfigBlock) and child.kind == name:
                for setting in child.settings():
                    words[setting.name] = is_yes(setting.value)
                    lines = (*lines, *setting.lines)
        value = " ".join(word for word, is_listed in words.items() if is_listed)
        return ConfigSetting(name, value, lines) if lines else None

    def get_line(self, name: str) -> Line:
        setting = self.setting(name)
        return setting.line if setting else self.line

    def blocks(self, kind: str) -> list["ConfigBlock"]:
        return [
            child
            for child in self.children
            if isinstance(child, ConfigBlock) and child.kind == kind
        ]

    def walk_blocks(self) -> Iterator["ConfigBlock"]:
        """Yield every block inside, recursively."""
        for child in self.children:
            if isinstance(child, ConfigBlock):
                yield child
                yield from child.walk_blocks()

    def walk(self) -> Iterator[tuple[tuple["ConfigBlock", ...], ConfigSetting]]:
        """Yield (enclosing blocks, setting) for every setting inside, recursively."""
        for child in self.children:
            if isinstance(child, ConfigSetting):
                yield (self,), child
            else:
                yield from (((self, *path), setting) for path, setting in child.walk())


Lines = tuple[Line, ...]
Stack = list[ConfigBlock]  # open blocks, the innermost last


def split_list_value(value: str) -> list[str]:
    return [word for word in re.split(r"[\s,]+", value) if word]


class DovecotParser:
    """Parse a file and its includes into a tree; errors are collected as problems."""

    def __init__(
        self,
        directory: Path,
        expands_variables: bool = True,
        is_readable: Callable[[Path], bool] | None = None,
    ) -> None:
        self.included_count = 0
        self.is_readable = is_readable  # path → whether it may be read; None: all may
        self.directory = directory
        self.expands_variables = expands_variables  # not in files of SQL settings
        self.problems: list[ConfigProblem] = []
        self.includes: list[str] = []  # arguments of !include, as they are written
        self.first_line: Line | None = None  # that is not a comment
        self.root = ConfigBlock("file", "", Line(str(directory / "dovecot.conf"), 0, ""))

    @property
    def is_version_2_4(self) -> bool:
        """Check whether the lines parsed so far declare the syntax of Dovecot 2.4."""
        return self.root.setting(VERSION_SETTING) is not None

    def file(
        self, path: Path, block: ConfigBlock, included_at: Line | None = None, depth: int = 0
    ) -> None:
        """Parse a file into a block; `included_at` is the line that names the file."""
        try:
            text = read_text(path)
        except OSError as error:
            line = included_at or Line(str(path), 0, "")
            self.problems.append(
                ConfigProblem("unreadable-file", line, f"{path}: {error.strerror}")
            )
            return
        stack = [block]
        for joined, lines in syntax.join_continued_lines(
            split_physical_lines(path, text), not self.expands_variables
        ):
            self.first_line = self.first_line or lines[0]
            if joined is None:
                self.problems.append(ConfigProblem("broken-line", lines[0], "\\"))
            else:
                self._line(syntax.parse_line(joined), lines, stack, depth)
        for open_block in stack[1:]:
            self.problems.append(ConfigProblem("broken-line", open_block.line, "{"))

    def apply_groups(self, block: ConfigBlock | None = None) -> None:
        """Put the children of `group @group name { … }` first in blocks with `@group = name`."""
        block = block or self.root
        groups = {each.name: each for each in self.root.blocks("group")}
        used = [setting for setting in block.settings() if setting.name.startswith("@")]
        for child in block.children:
            if isinstance(child, ConfigBlock):
                self.apply_groups(child)
        for setting in reversed(used):
            group = groups.get(f"{setting.name} {setting.value}")
            block.children[:0] = group.children if group else ()

    def _line(self, parsed: syntax.ParsedLine, lines: Lines, stack: Stack, depth: int) -> None:
        if parsed.kind == syntax.INCLUDE:
            self._include_files(parsed, lines[0], stack[-1], depth)
        elif parsed.kind == syntax.END:
            self._close_block(lines[0], stack)
        elif parsed.kind == syntax.BLOCK:
            self._open_block(parsed, lines, stack, depth)
        elif parsed.kind == syntax.SETTING:
            self._setting(parsed, lines, stack)
        else:
            self.problems.append(ConfigProblem("broken-line", lines[0]))

    def _setting(self, parsed: syntax.ParsedLine, lines: Lines, stack: Stack) -> None:
        name, value = parsed.name, parsed.value
        if self.expands_variables and not parsed.is_quoted and "$" in value:
            value = self._expand_variables(value, stack)
        block, slash, inner = name.partition("/")
        if slash and (block in LIST_SETTINGS or block == "plugin"):
            holder, name = ConfigBlock(block, "", lines[0]), inner
            stack[-1].children.append(holder)
        else:
            holder = stack[-1]
        holder.children.append(ConfigSetting(name, value, lines))

    def _expand_variables(self, value: str, stack: Stack) -> str:
        """Replace the words `$mail_plugins` (2.4: `$SET:mail_plugins`) by their current values."""
        sign = "$SET:" if self.is_version_2_4 else "$"
        words = [
            self._get_current_value(word.removeprefix(sign), stack)
            if word.startswith(sign) and not word.startswith("$ENV:")
            else word
            for word in value.split()
        ]
        return " ".join(words)

    def _get_current_value(self, name: str, stack: Stack) -> str:
        holder = next((block for block in reversed(stack) if block.setting(name)), self.root)
        return holder.value(name, DOVECOT_DEFAULTS.get(name, ""))

    def _open_block(
        self, parsed: syntax.ParsedLine, lines: Lines, stack: Stack, depth: int
    ) -> None:
        block = ConfigBlock(parsed.name, parsed.value, lines[0])
        stack[-1].children.append(block)
        stack.append(block)
        if parsed.rest:  # Dovecot refuses text behind the brace
            self.problems.append(ConfigProblem("broken-line", lines[0], "{"))
            self._parse_inline_block(parsed.rest, lines, stack, depth)

    def _parse_inline_block(self, rest: str, lines: Lines, stack: Stack, depth: int) -> None:
        rest = rest.removeprefix("{").strip()
        closes = rest.endswith("}") and rest.count("{") < rest.count("}")
        rest = rest[:-1].strip() if closes else rest
        if rest:
            self._line(syntax.parse_line(rest), lines, stack, depth)
        if closes:
            self._close_block(lines[0], stack)

    def _close_block(self, line: Line, stack: Stack) -> None:
        if len(stack) > 1:
            stack.pop()
        else:
            self.problems.append(ConfigProblem("broken-line", line, "}"))

    def _include_files(
        self, parsed: syntax.ParsedLine, line: Line, block: ConfigBlock, depth: int
    ) -> None:
        self.includes.append(parsed.value)
        pattern = resolve_path(
            self.directory, Path(line.file).parent / parsed.value, DOVECOT_FOLDERS
        )
        found = sorted(map(Path, glob.glob(str(pattern)))) if is_glob(pattern) else [pattern]
        if parsed.name == "!include_try":
            found = [path for path in found if os.path.exists(path)]
        elif not found:
            self.problems.append(ConfigProblem("unreadable-file", line, f"{pattern}: No matches"))
        self.included_count += len(found)
        if depth >= MAX_INCLUDE_DEPTH or self.included_count > MAX_INCLUDED_FILES:
            self.problems.append(ConfigProblem("unreadable-file", line, str(pattern)))
            return
        for path in found:
            if self.is_readable is None or self.is_readable(path):
                self.file(path, block, included_at=line, depth=depth + 1)


def is_glob(path: Path) -> bool:
    return any(character in str(path) for character in "*?[")
