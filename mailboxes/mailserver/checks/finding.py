"""Base class of the checks, their results, and the configuration that they look at."""

import functools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from mailadmin.conf.client_servers import ServicePort
from mailadmin.console import make_printable
from mailboxes.mailserver.checks.rows import EMPTY_FACTS, DatabaseFacts
from mailboxes.mailserver.config_parser.defaults import POSTFIX_DEFAULTS
from mailboxes.mailserver.config_parser.dovecot import DovecotFiles
from mailboxes.mailserver.config_parser.lines import Line
from mailboxes.mailserver.config_parser.maps import MapReference
from mailboxes.mailserver.config_parser.postfix import PostfixFiles
from mailboxes.mailserver.config_parser.sqlmap import SqlMapFile

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

ERROR, WARNING, ADVICE = "error", "warning", "advice"
SEVERITIES = (ERROR, WARNING, ADVICE)


class Fault(NamedTuple):
    """A line at fault, and the name or value that is wrong."""

    line: Line
    about: str = ""


Faults = Iterator[Fault]


class ConfigCheck:
    """A check for one known fault; subclasses set the texts and find the lines."""

    code = ""
    severity = WARNING
    title: "StrOrPromise" = ""
    reason: "StrOrPromise" = ""
    fix: "StrOrPromise" = ""
    requires: tuple[str, ...] = ("postfix",)  # the check is skipped without these parts

    def find_faults(self, configuration: "Configuration") -> Faults:
        """Yield the faults."""
        raise NotImplementedError


@dataclass(frozen=True)
class CheckResult:
    """A fault with the check that found it."""

    check: ConfigCheck
    fault: Fault

    def as_dict(self) -> dict[str, Any]:
        line = self.fault.line
        return {
            "code": self.check.code,
            "severity": self.check.severity,
            "title": str(self.check.title),
            "file": make_printable(line.file),
            "line": line.number or None,
            "text": line.shown,
            "about": make_printable(self.fault.about),
            "why": str(self.check.reason),
            "mend": str(self.check.fix),
        }


class MapUse(NamedTuple):
    """A map that a parameter names, in main.cf or for one service."""

    parameter: str
    reference: MapReference
    postfix: PostfixFiles


class SqlMapUse(NamedTuple):
    """An SQL map that a parameter names."""

    parameter: str
    reference: MapReference
    sql: SqlMapFile


MAP_LIST_PARAMETERS = {"proxy_read_maps", "proxy_write_maps"}  # permissions, not lookups
PARAMETER_REFERENCE_RE = re.compile(r"\$[{(]?(\w+)", re.ASCII)
POSTFIX_PARAMETER_SUFFIXES = (
    "_maps",
    "_map",
    "_restrictions",
    "_domains",
    "_checks",
    "_database",
    "_networks",
)


@dataclass(frozen=True)
class Configuration:
    """The files and database facts to check; `*_files` is None for a server that is not given."""

    postfix_files: PostfixFiles | None = None
    dovecot_files: DovecotFiles | None = None
    rows: DatabaseFacts = EMPTY_FACTS
    tables: Mapping[str, str] = field(default_factory=dict)  # name here → PostfixAdmin's
    dovecot_version: str = ""  # 2.3 or 2.4, of the Dovecot that reads these files, if known
    # Protocol → the ports that the settings name to mail programs
    client_ports: Mapping[str, tuple[ServicePort, ...]] = field(default_factory=dict)

    @property
    def parts(self) -> set[str]:
        files = {"postfix": self.postfix_files, "dovecot": self.dovecot_files}
        return {name for name, part in files.items() if part}

    @property
    def postfix(self) -> PostfixFiles:
        """Return Postfix's files; for checks that require them."""
        if self.postfix_files is None:
            raise LookupError("no files of Postfix")
        return self.postfix_files

    @property
    def dovecot(self) -> DovecotFiles:
        """Return Dovecot's files; for checks that require them."""
        if self.dovecot_files is None:
            raise LookupError("no files of Dovecot")
        return self.dovecot_files

    @functools.cached_property
    def map_uses(self) -> list[MapUse]:
        """Return all maps that parameters of main.cf and of services name, members included."""
        if self.postfix_files is None:
            return []
        views = [(self.postfix, self.postfix.main_settings.get_effective_settings())]
        for service in self.postfix.services:
            views.append((self.postfix.for_service(service), service.options))
        return [
            MapUse(name, reference, view)
            for view, names in views
            for name in names
            if name not in MAP_LIST_PARAMETERS and name not in self.user_parameters
            for reference in view.all_maps(name)
        ]

    @functools.cached_property
    def user_parameters(self) -> set[str]:
        """Return the names of parameters that the administrator invented to use as `$name`."""
        values = [setting.value for setting in self.postfix.settings.values()]
        for service in self.postfix.services:
            values += [setting.value for setting in service.options.values()]
        used = {name for value in values for name in PARAMETER_REFERENCE_RE.findall(value)}
        return {
            n
            for n in used
            if n not in POSTFIX_DEFAULTS and not n.endswith(POSTFIX_PARAMETER_SUFFIXES)
        }

    @functools.cached_property
    def sql_map_uses(self) -> list[SqlMapUse]:
        found: dict[tuple[str, str, str], SqlMapUse] = {}
        for use in self.map_uses:
            if use.reference.is_sql:
                key = use.parameter, use.reference.type, use.reference.name
                sql = use.postfix.sql_map(use.reference)
                found.setdefault(key, SqlMapUse(use.parameter, use.reference, sql))
        return list(found.values())

    def get_sql_map_uses(self, *parameters: str) -> list[SqlMapUse]:
        """Return the SQL maps of these parameters."""
        return [use for use in self.sql_map_uses if use.parameter in parameters]

    def table(self, name: str) -> str:
        """Return PostfixAdmin's name of a table."""
        return self.tables.get(name, name)

    @functools.cached_property
    def virtual_domains(self) -> set[str]:
        """Return the domains of local mailboxes and aliases, from the database and from files."""
        listed = set(self.rows.virtual_domains)
        postfix = self.postfix_files
        for parameter in ("virtual_mailbox_domains", "virtual_alias_domains"):
            if postfix and postfix.is_set(parameter):
                listed |= {name for name, _line in postfix.names(parameter)}
        return listed

    @property
    def delivers_with_virtual(self) -> bool:
        """Check whether Postfix itself writes to the mailboxes, by virtual(8)."""
        if self.postfix_files is None:
            return False
        name = self.postfix.value("virtual_transport").partition(":")[0]
        service = self.postfix.service(name, "unix")
        return service.command == "virtual" if service else name == "virtual"
