"""A folder of Postfix's: main.cf, master.cf and the maps they name."""

import functools
import re
import socket
from dataclasses import dataclass, field, replace
from pathlib import Path

from mailboxes.mailserver.config_parser import maps
from mailboxes.mailserver.config_parser.defaults import POSTFIX_DEFAULTS, RECIPIENT_LIMIT_SUFFIX
from mailboxes.mailserver.config_parser.expansion import MacroNestingError, expand_macros
from mailboxes.mailserver.config_parser.lines import (
    ConfigProblem,
    ConfigSetting,
    Line,
    read_text,
    resolve_path,
    split_physical_lines,
)
from mailboxes.mailserver.config_parser.services import parse_service
from mailboxes.mailserver.config_parser.sqlmap import SqlMapFile

DEFAULT_POSTFIX_FOLDER = "/etc/postfix"
POSTFIX_FOLDERS = (
    DEFAULT_POSTFIX_FOLDER,
    "/usr/local/etc/postfix",
    "/usr/pkg/etc/postfix",
    "/opt/local/etc/postfix",
)
WHITESPACE = " \t\r\v\f"


@dataclass(frozen=True)
class LogicalLine:
    """A logical line: what one physical line began and indented ones went on."""

    lines: tuple[Line, ...]

    @property
    def text(self):
        return "".join(line.text for line in self.lines)


def split_logical_lines(path, text):
    """The entries of a file; comments and empty lines also vanish from amidst one."""
    entry = []
    for line in split_physical_lines(path, text):
        if not line.text.strip(WHITESPACE) or line.text.lstrip(WHITESPACE).startswith("#"):
            continue
        if entry and line.text[0] not in WHITESPACE:
            yield LogicalLine(tuple(entry))
            entry = []
        entry.append(line)
    if entry:
        yield LogicalLine(tuple(entry))


def parse_setting(entry):
    """`name = value` of an entry, or None."""
    name, sign, value = entry.text.partition("=")
    name = name.strip(WHITESPACE)
    if not sign or not name or re.search(r"\s", name):
        return None
    return ConfigSetting(name, value.strip(WHITESPACE), entry.lines)


@dataclass(frozen=True)
class SettingsFile:
    """The settings of a file in order, and what was wrong with it."""

    settings: tuple[ConfigSetting, ...] = ()
    problems: tuple[ConfigProblem, ...] = ()

    @classmethod
    def of(cls, path):
        entries, problems = read_logical_lines(path)
        found = [(entry, parse_setting(entry)) for entry in entries]
        broken = [
            ConfigProblem("broken-line", entry.lines[0]) for entry, setting in found if not setting
        ]
        return cls(tuple(s for _entry, s in found if s), (*problems, *broken))

    def get_effective_settings(self):
        """The last of each name is the one that counts."""
        return {setting.name: setting for setting in self.settings}


def read_logical_lines(path):
    """The logical lines of a file, and the problem with it, if there is one."""
    try:
        return list(split_logical_lines(path, read_text(path))), ()
    except OSError as error:
        return [], (ConfigProblem("unreadable-file", Line(str(path), 0, ""), error.strerror),)


@dataclass(frozen=True)
class PostfixFiles:
    """A configuration folder of Postfix's, live or copied; `overrides` is what a service sets."""

    directory: Path
    overrides: dict[str, ConfigSetting] = field(default_factory=dict)

    # main.cf

    @property
    def main_cf_path(self):
        return Path(self.directory) / "main.cf"

    @functools.cached_property
    def main_settings(self):
        return SettingsFile.of(self.main_cf_path)

    @functools.cached_property
    def settings(self):
        """Name → setting, as a service sees it."""
        return self.main_settings.get_effective_settings() | self.overrides

    def is_set(self, name):
        return name in self.settings

    def value(self, name):
        """A parameter's value with all names in it replaced."""
        return self.expand(self.raw(name))

    def expand(self, text):
        """The text as Postfix understands it; what never ends is empty."""
        try:
            return expand_macros(text, self.raw)
        except MacroNestingError:
            return ""

    def raw(self, name):
        """A parameter's value as it is written, or as Postfix has it by default."""
        if name in self.settings:
            return self.settings[name].value
        if name in COMPUTED_DEFAULTS:
            return COMPUTED_DEFAULTS[name](self)
        if name.endswith(RECIPIENT_LIMIT_SUFFIX) and name not in POSTFIX_DEFAULTS:
            return f"$default{RECIPIENT_LIMIT_SUFFIX}"
        return POSTFIX_DEFAULTS.get(name, "")

    def where(self, name, word=""):
        """The line that sets a parameter (and holds the word); of the file, if none does."""
        setting = self.settings.get(name)
        return setting.find_line(word) if setting else Line(str(self.main_cf_path), 0, "")

    def is_yes(self, name):
        return self.value(name).strip().lower() == "yes"

    def iter_words_with_lines(self, name):
        """The words of a list, each with the line that it, or the name it stands behind, is on."""
        for written in maps.split_words(self.raw(name)):
            line = self.where(name, written)
            yield from ((word, line) for word in maps.split_words(self.expand(written)))

    def words(self, name):
        return [word for word, _line in self.iter_words_with_lines(name)]

    def find_recursive_settings(self):
        """Settings whose value never ends."""
        for setting in self.settings.values():
            try:
                expand_macros(setting.value, self.raw)
            except MacroNestingError:
                yield setting

    # Maps

    def maps(self, name):
        """The maps that a parameter names, in order."""
        words = self.iter_words_with_lines(name)
        return [found for word, line in words for found in maps.iter_map_references(word, line)]

    def all_maps(self, name):
        """The same, and those that combined ones are made of."""
        return [part for found in self.maps(name) for part in found.walk()]

    def get_map_path(self, reference):
        """The file of a map, in this folder if that is a copy."""
        return self.resolve_path(reference.name)

    def place_of(self, reference):
        """How postmap is told the map, its file being in this folder if that is a copy."""
        name = self.get_map_path(reference) if reference.is_file else reference.name
        return f"{reference.type}:{name}"

    def resolve_path(self, path):
        own = self.settings.get("config_directory")
        return resolve_path(
            self.directory, path, (*POSTFIX_FOLDERS, own.value) if own else POSTFIX_FOLDERS
        )

    def sql_maps(self, name):
        """The SQL maps of a parameter, as (reference, settings)."""
        return [(found, self.sql_map(found)) for found in self.all_maps(name) if found.is_sql]

    def sql_map(self, reference):
        """The settings of an SQL map: of its file, or of main.cf behind its name."""
        if not reference.name.startswith(("/", ".")):
            return self._sql_map_of_main_cf(reference)
        path = self.get_map_path(reference)
        listing = SettingsFile.of(path)
        return SqlMapFile(
            reference.type, str(path), listing.get_effective_settings(), listing.problems
        )

    def _sql_map_of_main_cf(self, reference):
        prefix = f"{reference.name}_"
        settings = {
            name.removeprefix(prefix): replace(setting, value=self.value(name))
            for name, setting in self.settings.items()
            if name.startswith(prefix)
        }
        return SqlMapFile(reference.type, str(self.main_cf_path), settings)

    def read(self, reference):
        """The logical lines of a map's text, and the problem with it, if there is one."""
        return read_logical_lines(self.get_map_path(reference))

    def entries(self, reference):
        """Keys and values of a map that lists them (a text file, inline), each with its line."""
        if reference.type == "inline":
            return [(key, value, reference.where) for key, value in reference.pairs]
        if reference.type not in maps.TEXT_SOURCE_TYPES:
            return []
        entries, _problems = self.read(reference)
        return [(*_split_map_entry(entry.text), entry.lines[0]) for entry in entries]

    def names(self, name):
        """The domains that a list spells out, also by file or map, each with its line."""
        for word, where in self.iter_words_with_lines(name):
            if found := maps.parse_map_reference(word, where):
                for part in found.walk():
                    yield from ((key.lower(), line) for key, _value, line in self.entries(part))
            elif word.startswith("/"):
                yield from self._names_of_file(word)
            elif maps.is_hostname(word):
                yield word.lower(), where

    def _names_of_file(self, path):
        entries, _problems = read_logical_lines(self.resolve_path(path))
        for entry in entries:
            yield from ((word.lower(), entry.lines[0]) for word in maps.split_words(entry.text))

    # master.cf

    @functools.cached_property
    def _master_cf(self):
        return read_logical_lines(Path(self.directory) / "master.cf")

    @functools.cached_property
    def services(self):
        entries, _problems = self._master_cf
        return [service for entry in entries if (service := parse_service(entry))]

    def service(self, name, kind=None):
        """A service by its name (and type: `inet`, `unix`), or None."""
        fitting = (s for s in self.services if s.name == name and kind in (None, s.type))
        return next(fitting, None)

    def for_service(self, service):
        """The configuration as this service sees it."""
        return PostfixFiles(self.directory, self.overrides | service.options)

    # What was wrong

    @functools.cached_property
    def problems(self):
        """What Postfix would not read either."""
        entries, unreadable = self._master_cf
        broken = [ConfigProblem("broken-line", e.lines[0]) for e in entries if not parse_service(e)]
        return [*self.main_settings.problems, *unreadable, *broken]

    def find_duplicates(self):
        """Settings that a later one of the same name undoes."""
        last = self.main_settings.get_effective_settings()
        return [
            setting for setting in self.main_settings.settings if setting is not last[setting.name]
        ]


def _split_map_entry(text):
    key, *value = text.split(None, 1)
    return key, value[0].strip() if value else ""


# What Postfix makes of the machine's name

DEFAULT_DOMAIN = "localdomain"


def _myhostname(postfix):
    name = socket.gethostname()
    mydomain = postfix.settings.get("mydomain")
    return name if "." in name else f"{name}.{mydomain.value if mydomain else DEFAULT_DOMAIN}"


def _mydomain(postfix):
    name = postfix.value("myhostname")
    return name.partition(".")[2] or DEFAULT_DOMAIN


COMPUTED_DEFAULTS = {
    "myhostname": _myhostname,
    "mydomain": _mydomain,
    "config_directory": lambda postfix: (
        DEFAULT_POSTFIX_FOLDER
        if str(postfix.directory) == DEFAULT_POSTFIX_FOLDER
        else str(postfix.directory)
    ),
}
