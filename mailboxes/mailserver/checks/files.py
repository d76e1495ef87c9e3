"""Findings about the files themselves: missing, broken, said twice, open to all."""

import os
import re
import stat
from pathlib import Path

from django.utils.translation import gettext_lazy as _

from mailboxes.mailserver.checks.finding import ADVICE, ERROR, WARNING, ConfigCheck, Fault
from mailboxes.mailserver.config_parser import maps
from mailboxes.mailserver.config_parser.postfix import POSTFIX_FOLDERS

PASSWORD_MAP_PARAMETERS = {"smtp_sasl_password_maps", "lmtp_sasl_password_maps"}
PASSWORD_SETTINGS = {"password", "bind_pw"}
SYSTEM_ALIASES_FILE = "/etc/aliases"  # of the machine's own users, beside Postfix's folder
# Caches that Postfix makes itself when it needs them.
CACHE_PARAMETER_RE = re.compile(
    r"\w+_session_cache_database|address_verify_map|postscreen_cache_map"
)


class UnreadableFile(ConfigCheck):
    code = "unreadable-file"
    severity = ERROR
    title = _("A file cannot be read")
    reason = _("What it says counts for nothing here, and perhaps for the mail server as well.")
    fix = _("Create the file, or let the check run as somebody who may read it.")
    requires = ()

    def find_faults(self, configuration):
        for problem in find_problems(configuration, self.code):
            yield Fault(problem.line, problem.reason)


class BrokenLine(ConfigCheck):
    code = "broken-line"
    severity = ERROR
    title = _("A line is no setting")
    reason = _("Postfix and Dovecot refuse to start with it, or take it for something else.")
    fix = _("Write it as “name = value”; close what is opened; begin comments with #.")
    requires = ()

    def find_faults(self, configuration):
        for problem in find_problems(configuration, self.code):
            yield Fault(problem.line, problem.reason)


def find_problems(configuration, code):
    parts = [part for part in (configuration.postfix, configuration.dovecot) if part]
    found = [problem for part in parts for problem in part.problems]
    if configuration.postfix:
        found += [problem for use in configuration.sql_map_uses for problem in use.sql.problems]
        found += [
            problem for use in configuration.map_uses for problem in find_map_file_problems(use)
        ]
    wanted = [problem for problem in found if problem.code == code]
    missing = find_missing_map_files(configuration) if configuration.postfix else set()
    # a map that is missing has a finding of its own
    return dict.fromkeys(p for p in wanted if p.line.file not in missing)


def find_map_file_problems(use):
    """What keeps the text of a map from being read; where only the compiled map is, nothing."""
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
    reason = _(
        "The later line counts, and this one does nothing: whoever changes it sees no effect."
    )
    fix = _("Delete the line that is not meant.")

    def find_faults(self, configuration):
        for setting in configuration.postfix.find_duplicates():
            yield Fault(setting.line, setting.name)


class EndlessValue(ConfigCheck):
    code = "endless-value"
    severity = ERROR
    title = _("A value names itself")
    reason = _("Postfix stops with “unreasonable macro call nesting”.")
    fix = _("Write out what is meant instead of the parameter's own name.")

    def find_faults(self, configuration):
        for setting in configuration.postfix.find_recursive_settings():
            yield Fault(setting.line, setting.name)


def find_missing_map_files(configuration):
    """Path → use, of maps whose file is not there."""
    found = {}
    for use in configuration.map_uses:
        path = use.postfix.get_map_path(use.reference) if is_map_file_required(use) else None
        compiled = maps.INDEX_SUFFIXES.get(use.reference.type, "")
        if path and is_path_missing(path) and is_path_missing(f"{path}{compiled}"):
            found.setdefault(str(path), use)
    return found


def is_map_file_required(use):
    """Whether a map's file has to be here: not a cache, nor the aliases beside a copied folder."""
    if not use.reference.is_file or CACHE_PARAMETER_RE.fullmatch(use.parameter):
        return False
    is_copy = str(use.postfix.directory) not in POSTFIX_FOLDERS
    return not (is_copy and use.reference.name == SYSTEM_ALIASES_FILE)


def is_path_missing(path):
    """Whether there is nothing; what may not be looked at is not missing."""
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
    title = _("A map's file does not exist")
    reason = _(
        "Postfix defers all mail that needs the map: “unsupported dictionary” or “table lookup "
        "problem”."
    )
    fix = _("Create the file, or take the map out of the parameter.")

    def find_faults(self, configuration):
        for path, use in find_missing_map_files(configuration).items():
            yield Fault(use.reference.where, f"{use.parameter}: {path}")


class ReadableSecret(ConfigCheck):
    code = "readable-secret"
    severity = ERROR
    title = _("Everybody on this machine can read a password")
    reason = _(
        "Whoever has any account here, a web site's as well, can read all mailboxes' passwords "
        "with it."
    )
    fix = _("chmod o-rwx FILE, and give it the group of those who need it (postfix, dovecot).")
    requires = ()

    def find_faults(self, configuration):
        for line, folder in find_password_lines(configuration):
            if is_world_readable(Path(line.file), Path(folder)):
                yield Fault(line)


def find_password_lines(configuration):
    """The first line of each file that holds a password, with its configuration's folder."""
    found = {}
    for folder, line in [
        *_iter_postfix_passwords(configuration),
        *_iter_dovecot_passwords(configuration),
    ]:
        found.setdefault(line.file, (line, folder))
    return found.values()


def _iter_postfix_passwords(configuration):
    postfix = configuration.postfix
    if not postfix:
        return
    for use in configuration.map_uses:
        if use.reference.type in ("ldap", "memcache") or use.reference.is_sql:
            settings = postfix.sql_map(use.reference).settings
            yield from (
                (postfix.directory, settings[n].line) for n in PASSWORD_SETTINGS & settings.keys()
            )
        elif use.parameter in PASSWORD_MAP_PARAMETERS:
            entries = use.postfix.entries(use.reference)
            yield from ((postfix.directory, line) for _key, _value, line in entries[:1])


def _iter_dovecot_passwords(configuration):
    dovecot = configuration.dovecot
    if not dovecot:
        return
    for setting in dovecot.settings():
        is_password = setting.name.endswith("password") and setting.value
        if is_password or (setting.name == "connect" and "password=" in setting.value):
            yield dovecot.directory, setting.find_line("password")


def is_world_readable(path, folder):
    """Whether anybody can come to the file and read it, as far as the folder decides."""
    try:
        way = [part for part in path.parents if part == folder or part.is_relative_to(folder)]
        passable = all(part.stat().st_mode & stat.S_IXOTH for part in way)
        return passable and bool(path.stat().st_mode & stat.S_IROTH)
    except OSError:
        return False


class LegacySqlSettings(ConfigCheck):
    code = "legacy-sql-settings"
    severity = ADVICE
    title = _("A map is written in the old way: table, select_field, where_field")
    reason = _("It works, but has no way to say what newer maps need: joins, %u and %d, UNION.")
    fix = _("Write it as one line: query = SELECT … FROM … WHERE … = '%s'.")

    def find_faults(self, configuration):
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
