"""A configuration folder of Postfix: main.cf, master.cf and the maps they name."""

import functools
import re
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

from mailboxes.mailserver.config_parser import maps
from mailboxes.mailserver.config_parser.defaults import POSTFIX_DEFAULTS, RECIPIENT_LIMIT_SUFFIX
from mailboxes.mailserver.config_parser.expansion import MacroNestingError, expand_macros
from mailboxes.mailserver.config_parser.lines import (
    ConfigProblem,
    ConfigSetting,
    Line,
    LogicalLine,
    read_text,
    resolve_path,
    split_physical_lines,
)
from mailboxes.mailserver.config_parser.maps import MapReference
from mailboxes.mailserver.config_parser.services import MasterService, parse_service
from mailboxes.mailserver.config_parser.sqlmap import SqlMapFile

DEFAULT_POSTFIX_FOLDER = "/etc/postfix"
POSTFIX_FOLDERS = (
    DEFAULT_POSTFIX_FOLDER,
    "/usr/local/etc/postfix",
    "/usr/pkg/etc/postfix",
    "/opt/local/etc/postfix",
)
WHITESPACE = " \t\r\v\f"
LogicalLines = tuple[list[LogicalLine], tuple[ConfigProblem, ...]]
SqlMaps = list[tuple[MapReference, SqlMapFile]]


def split_logical_lines(path: str | Path, text: str) -> Iterator[LogicalLine]:
    """Yield the logical lines of a text, without comments and empty lines."""
    entry: list[Line] = []
    for line in split_physical_lines(path, text):
        if not line.text.strip(WHITESPACE) or line.text.lstrip(WHITESPACE).startswith("#"):
            continue
        if entry and line.text[0] not in WHITESPACE:
            yield LogicalLine(tuple(entry))
            entry = []
        entry.append(line)
    if entry:
        yield LogicalLine(tuple(entry))


def parse_setting(entry: LogicalLine) -> ConfigSetting | None:
    """Parse `name = value`; return None for anything else."""
    name, sign, value = entry.text.partition("=")
    name = name.strip(WHITESPACE)
    if not sign or not name or re.search(r"\s", name):
        return None
    return ConfigSetting(name, value.strip(WHITESPACE), entry.lines)


@dataclass(frozen=True)
class SettingsFile:
    """The settings of a file in order, and the problems with it."""

    settings: tuple[ConfigSetting, ...] = ()
    problems: tuple[ConfigProblem, ...] = ()

    @classmethod
    def of(cls, path: str | Path) -> Self:
        entries, problems = read_logical_lines(path)
        found = [(entry, parse_setting(entry)) for entry in entries]
        broken = [
            ConfigProblem("broken-line", entry.lines[0]) for entry, setting in found if not setting
        ]
        return cls(tuple(s for _entry, s in found if s), (*problems, *broken))

    def get_effective_settings(self) -> dict[str, ConfigSetting]:
        """Return name → setting; the last one of each name wins."""
        return {setting.name: setting for setting in self.settings}


def read_logical_lines(path: str | Path) -> LogicalLines:
    """Return the logical lines of a file, and the problem if it cannot be read."""
    try:
        return list(split_logical_lines(path, read_text(path))), ()
    except OSError as error:
        reason = error.strerror or ""
        return [], (ConfigProblem("unreadable-file", Line(str(path), 0, ""), reason),)


@dataclass(frozen=True)
class PostfixFiles:
    """A configuration folder of Postfix, live or copied, with the overrides of one service."""

    directory: Path
    overrides: dict[str, ConfigSetting] = field(default_factory=dict)

    # main.cf

    @property
    def main_cf_path(self) -> Path:
        return Path(self.directory) / "main.cf"

    @functools.cached_property
    def main_settings(self) -> SettingsFile:
        return SettingsFile.of(self.main_cf_path)

    @functools.cached_property
    def settings(self) -> dict[str, ConfigSetting]:
        """Return name → setting, including the overrides."""
        return self.main_settings.get_effective_settings() | self.overrides

    def is_set(self, name: str) -> bool:
        return name in self.settings

    def value(self, name: str) -> str:
        """Return the value of a parameter with all macros expanded."""
        return self.expand(self.raw(name))

    def expand(self, text: str) -> str:
        """Return the text with all macros expanded; empty if the nesting is endless."""
        try:
            return expand_macros(text, self.raw)
        except MacroNestingError:
            return ""

    def raw(self, name: str) -> str:
        """Return the value of a parameter as it is written, or Postfix's default."""
        if name in self.settings:
            return self.settings[name].value
        if name in COMPUTED_DEFAULTS:
            return COMPUTED_DEFAULTS[name](self)
        if name.endswith(RECIPIENT_LIMIT_SUFFIX) and name not in POSTFIX_DEFAULTS:
            return f"$default{RECIPIENT_LIMIT_SUFFIX}"
        return POSTFIX_DEFAULTS.get(name, "")

    def get_line(self, name: str, word: str = "") -> Line:
        """Return the line that sets a parameter (and holds the word), or main.cf as a whole."""
        setting = self.settings.get(name)
        return setting.find_line(word) if setting else Line(str(self.main_cf_path), 0, "")

    def is_yes(self, name: str) -> bool:
        return self.value(name).strip().lower() == "yes"

    def iter_words_with_lines(self, name: str) -> Iterator[tuple[str, Line]]:
        """Yield (word, line) for the expanded words of a list."""
        for written in maps.split_words(self.raw(name)):
            line = self.get_line(name, written)
            yield from ((word, line) for word in maps.split_words(self.expand(written)))

    def words(self, name: str) -> list[str]:
        return [word for word, _line in self.iter_words_with_lines(name)]

    def find_recursive_settings(self) -> Iterator[ConfigSetting]:
        """Yield the settings whose macros refer to themselves."""
        for setting in self.settings.values():
            try:
                expand_macros(setting.value, self.raw)
            except MacroNestingError:
                yield setting

    # Maps

    def maps(self, name: str) -> list[MapReference]:
        """Return the maps that a parameter names, in order."""
        words = self.iter_words_with_lines(name)
        return [found for word, line in words for found in maps.iter_map_references(word, line)]

    def all_maps(self, name: str) -> list[MapReference]:
        """Return the maps of a parameter, including the members of composite maps."""
        return [part for found in self.maps(name) for part in found.walk()]

    def get_map_path(self, reference: MapReference) -> Path:
        """Return the path of a map's file, in this folder if it is a copy."""
        return self.resolve_path(reference.name)

    def postmap_name(self, reference: MapReference) -> str:
        """Return `type:name` as postmap takes it, with the file in this folder if it is a copy."""
        name = self.get_map_path(reference) if reference.is_file else reference.name
        return f"{reference.type}:{name}"

    def resolve_path(self, path: str | Path) -> Path:
        own = self.settings.get("config_directory")
        return resolve_path(
            self.directory, path, (*POSTFIX_FOLDERS, own.value) if own else POSTFIX_FOLDERS
        )

    def sql_maps(self, name: str) -> SqlMaps:
        """Return (reference, settings) of the SQL maps of a parameter."""
        return [(found, self.sql_map(found)) for found in self.all_maps(name) if found.is_sql]

    def sql_map(self, reference: MapReference) -> SqlMapFile:
        """Return the settings of an SQL map, from its file or from main.cf."""
        if not reference.name.startswith(("/", ".")):
            return self._sql_map_of_main_cf(reference)
        path = self.get_map_path(reference)
        file = SettingsFile.of(path)
        return SqlMapFile(reference.type, str(path), file.get_effective_settings(), file.problems)

    def _sql_map_of_main_cf(self, reference: MapReference) -> SqlMapFile:
        prefix = f"{reference.name}_"
        settings = {
            name.removeprefix(prefix): replace(setting, value=self.value(name))
            for name, setting in self.settings.items()
            if name.startswith(prefix)
        }
        return SqlMapFile(reference.type, str(self.main_cf_path), settings)

    def read(self, reference: MapReference) -> LogicalLines:
        """Return the logical lines of a map's source file, and the problem if it cannot be read."""
        return read_logical_lines(self.get_map_path(reference))

    def entries(self, reference: MapReference) -> list[tuple[str, str, Line]]:
        """Return (key, value, line) of a map that lists them (a text file, inline)."""
        if reference.type == "inline":
            return [(key, value, reference.line) for key, value in reference.pairs]
        if reference.type not in maps.TEXT_SOURCE_TYPES:
            return []
        entries, _problems = self.read(reference)
        return [(*_split_map_entry(entry.text), entry.lines[0]) for entry in entries]

    def names(self, name: str) -> Iterator[tuple[str, Line]]:
        """Yield (domain, line) of the domains that a list contains, also by file or map."""
        for word, line in self.iter_words_with_lines(name):
            if found := maps.parse_map_reference(word, line):
                entries = (entry for part in found.walk() for entry in self.entries(part))
                yield from ((key.lower(), key_line) for key, _value, key_line in entries)
            elif word.startswith("/"):
                yield from self._names_of_file(word)
            elif maps.is_hostname(word):
                yield word.lower(), line

    def _names_of_file(self, path: str) -> Iterator[tuple[str, Line]]:
        entries, _problems = read_logical_lines(self.resolve_path(path))
        for entry in entries:
            yield from ((word.lower(), entry.lines[0]) for word in maps.split_words(entry.text))

    # master.cf

    @functools.cached_property
    def _master_cf(self) -> LogicalLines:
        return read_logical_lines(Path(self.directory) / "master.cf")

    @functools.cached_property
    def services(self) -> list[MasterService]:
        entries, _problems = self._master_cf
        return [service for entry in entries if (service := parse_service(entry))]

    def service(self, name: str, kind: str | None = None) -> MasterService | None:
        """Return the service of this name (and type: `inet`, `unix`)."""
        matching = (s for s in self.services if s.name == name and kind in (None, s.type))
        return next(matching, None)

    def for_service(self, service: MasterService) -> "PostfixFiles":
        """Return the configuration with the overrides of this service."""
        return PostfixFiles(self.directory, self.overrides | service.options)

    # Problems

    @functools.cached_property
    def problems(self) -> list[ConfigProblem]:
        """Return the parts that Postfix cannot read."""
        entries, unreadable = self._master_cf
        broken = [ConfigProblem("broken-line", e.lines[0]) for e in entries if not parse_service(e)]
        return [*self.main_settings.problems, *unreadable, *broken]

    def find_duplicates(self) -> list[ConfigSetting]:
        """Return the settings that a later one of the same name overrides."""
        last = self.main_settings.get_effective_settings()
        return [
            setting for setting in self.main_settings.settings if setting is not last[setting.name]
        ]


def _split_map_entry(text: str) -> tuple[str, str]:
    key, *value = text.split(None, 1)
    return key, value[0].strip() if value else ""


# Defaults that depend on the host name

DEFAULT_DOMAIN = "localdomain"


def _myhostname(postfix: PostfixFiles) -> str:
    name = socket.gethostname()
    mydomain = postfix.settings.get("mydomain")
    return name if "." in name else f"{name}.{mydomain.value if mydomain else DEFAULT_DOMAIN}"


def _mydomain(postfix: PostfixFiles) -> str:
    name = postfix.value("myhostname")
    return name.partition(".")[2] or DEFAULT_DOMAIN


COMPUTED_DEFAULTS: dict[str, Callable[[PostfixFiles], str]] = {
    "myhostname": _myhostname,
    "mydomain": _mydomain,
    "config_directory": lambda postfix: str(postfix.directory),
}
