"""Checks of the files themselves: missing, broken, world-readable, duplicate settings."""

import os
import re
import stat
from collections.abc import Collection, Iterator
from pathlib import Path

from django.utils.translation import gettext_lazy as _

from mailboxes.mailserver.checks.finding import (
    ADVICE,
    ERROR,
    WARNING,
    ConfigCheck,
    Configuration,
    Fault,
    Faults,
    MapUse,
)
from mailboxes.mailserver.config_parser import maps
from mailboxes.mailserver.config_parser.lines import ConfigProblem, Line
from mailboxes.mailserver.config_parser.postfix import POSTFIX_FOLDERS

PASSWORD_MAP_PARAMETERS = {"smtp_sasl_password_maps", "lmtp_sasl_password_maps"}
PASSWORD_SETTINGS = {"password", "bind_pw"}
SYSTEM_ALIASES_FILE = "/etc/aliases"  # outside of Postfix's folder
# Caches that Postfix creates itself.
CACHE_PARAMETER_RE = re.compile(
    r"\w+_session_cache_database|address_verify_map|postscreen_cache_map"
)


class ProblemCheck(ConfigCheck):
    """Base of checks that report the problems of the parsers with the same code."""

    severity = ERROR
    requires = ()

    def find_faults(self, configuration: Configuration) -> Faults:
        for problem in find_problems(configuration, self.code):
            yield Fault(problem.line, problem.reason)


class UnreadableFile(ProblemCheck):
    code = "unreadable-file"
    title = _("A file cannot be read")
    reason = _(
        "Its settings are not checked, and the mail server may not be able to read it either."
    )
    fix = _("Create the file, or run the check as a user who can read it.")


class BrokenLine(ProblemCheck):
    code = "broken-line"
    title = _("Invalid line")
    reason = _("Postfix or Dovecot does not start, or misinterprets the line.")
    fix = _("Write it as “name = value”, close all brackets and quotes, and start comments with #.")


def find_problems(configuration: Configuration, code: str) -> list[ConfigProblem]:
    parts = [part for part in (configuration.postfix_files, configuration.dovecot_files) if part]
    found = [problem for part in parts for problem in part.problems]
    found += [problem for use in configuration.sql_map_uses for problem in use.sql.problems]
    found += [problem for use in configuration.map_uses for problem in find_map_file_problems(use)]
    missing = find_missing_map_files(configuration)  # reported by MissingMapFile
    return [each for each in found if each.code == code and each.line.file not in missing]


def find_map_file_problems(use: MapUse) -> Collection[ConfigProblem]:
    """Return the problems with the source of a map; none if only the compiled map exists."""
    reference = use.reference
    if reference.type not in maps.TEXT_SOURCE_TYPES or is_path_missing(
        use.postfix.get_map_path(reference)
    ):
        return ()
    _entries, found = use.postfix.read(reference)
    return found


class DefinedTwice(ConfigCheck):
    code = "defined-twice"
    severity = WARNING
    title = _("A parameter is set twice")
    reason = _("Only the last line counts. Changes to this one have no effect.")
    fix = _("Delete one of the lines.")

    def find_faults(self, configuration: Configuration) -> Faults:
        for setting in configuration.postfix.find_duplicates():
            yield Fault(setting.line, setting.name)


class EndlessValue(ConfigCheck):
    code = "endless-value"
    severity = ERROR
    title = _("A parameter refers to itself")
    reason = _("Postfix stops with “unreasonable macro call nesting”.")
    fix = _("Replace the reference with the intended value.")

    def find_faults(self, configuration: Configuration) -> Faults:
        for setting in configuration.postfix.find_recursive_settings():
            yield Fault(setting.line, setting.name)


def find_missing_map_files(configuration: Configuration) -> dict[str, MapUse]:
    """Return path → use of the maps whose file does not exist."""
    found: dict[str, MapUse] = {}
    for use in configuration.map_uses:
        path = use.postfix.get_map_path(use.reference) if is_map_file_required(use) else None
        compiled = maps.INDEX_SUFFIXES.get(use.reference.type, "")
        if path and is_path_missing(path) and is_path_missing(f"{path}{compiled}"):
            found.setdefault(str(path), use)
    return found


def is_map_file_required(use: MapUse) -> bool:
    """Check that a map's file is no cache, nor the system aliases next to a copied folder."""
    if not use.reference.is_file or CACHE_PARAMETER_RE.fullmatch(use.parameter):
        return False
    is_copy = str(use.postfix.directory) not in POSTFIX_FOLDERS
    return not (is_copy and use.reference.name == SYSTEM_ALIASES_FILE)


def is_path_missing(path: str | Path) -> bool:
    """Check that a path does not exist; a path without permission to look counts as existing."""
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


class MissingMapFile(ConfigCheck):
    code = "missing-map-file"
    severity = ERROR
    title = _("The file of a map does not exist")
    reason = _(
        "Postfix defers all mail that needs the map: “unsupported dictionary” or “table lookup "
        "problem”."
    )
    fix = _("Create the file, or remove the map from the parameter.")

    def find_faults(self, configuration: Configuration) -> Faults:
        for path, use in find_missing_map_files(configuration).items():
            yield Fault(use.reference.line, f"{use.parameter}: {path}")


class ReadableSecret(ConfigCheck):
    code = "readable-secret"
    severity = ERROR
    title = _("A password is readable by every user of this machine")
    reason = _(
        "Anyone with an account on this machine, including a website, can use it to read"
        " the password hashes of all mailboxes."
    )
    fix = _(
        "Run chmod o-rwx FILE, and set its group to that of the program that needs it"
        " (postfix, dovecot)."
    )
    requires = ()

    def find_faults(self, configuration: Configuration) -> Faults:
        for line, folder in find_password_lines(configuration):
            if is_world_readable(Path(line.file), Path(folder)):
                yield Fault(line)


def find_password_lines(configuration: Configuration) -> Collection[tuple[Line, Path]]:
    """Return the first line with a password of each file, and the folder of its configuration."""
    found: dict[str, tuple[Line, Path]] = {}
    for folder, line in [
        *_iter_postfix_passwords(configuration),
        *_iter_dovecot_passwords(configuration),
    ]:
        found.setdefault(line.file, (line, folder))
    return found.values()


def _iter_postfix_passwords(configuration: Configuration) -> Iterator[tuple[Path, Line]]:
    for use in configuration.map_uses:
        if use.reference.type in ("ldap", "memcache") or use.reference.is_sql:
            settings = configuration.postfix.sql_map(use.reference).settings
            for name in PASSWORD_SETTINGS & settings.keys():
                yield use.postfix.directory, settings[name].line
        elif use.parameter in PASSWORD_MAP_PARAMETERS:
            entries = use.postfix.entries(use.reference)
            yield from ((use.postfix.directory, line) for _key, _value, line in entries[:1])


def _iter_dovecot_passwords(configuration: Configuration) -> Iterator[tuple[Path, Line]]:
    dovecot = configuration.dovecot_files
    if not dovecot:
        return
    for setting in dovecot.settings():
        is_password = setting.name.endswith("password") and setting.value
        if is_password or (setting.name == "connect" and "password=" in setting.value):
            yield dovecot.directory, setting.find_line("password")


def is_world_readable(path: Path, folder: Path) -> bool:
    """Check that others may read a file and pass through the directories up to the folder."""
    try:
        directories = [each for each in path.parents if each.is_relative_to(folder)]
        passable = all(each.stat().st_mode & stat.S_IXOTH for each in directories)
        return passable and bool(path.stat().st_mode & stat.S_IROTH)
    except OSError:
        return False


class LegacySqlSettings(ConfigCheck):
    code = "legacy-sql-settings"
    severity = ADVICE
    title = _("A map uses the old syntax: table, select_field, where_field")
    reason = _("It works, but cannot express what newer maps need: joins, %u and %d, UNION.")
    fix = _("Write it as one line: query = SELECT … FROM … WHERE … = '%s'.")

    def find_faults(self, configuration: Configuration) -> Faults:
        found = {use.sql.file: use for use in configuration.sql_map_uses if use.sql.is_legacy}
        for use in found.values():
            yield Fault(use.sql.query_line, use.parameter)


CONFIG_CHECKS = (
    UnreadableFile(),
    BrokenLine(),
    DefinedTwice(),
    EndlessValue(),
    MissingMapFile(),
    ReadableSecret(),
    LegacySqlSettings(),
)
