"""What a finding is, and what it looks at."""

import functools
import re
from dataclasses import dataclass
from typing import NamedTuple

from mailadmin.console import make_printable
from mailboxes.mailserver.checks.rows import DatabaseFacts
from mailboxes.mailserver.config_parser.defaults import POSTFIX_DEFAULTS
from mailboxes.mailserver.config_parser.dovecot import DovecotFiles
from mailboxes.mailserver.config_parser.lines import Line
from mailboxes.mailserver.config_parser.maps import MapReference
from mailboxes.mailserver.config_parser.postfix import PostfixFiles
from mailboxes.mailserver.config_parser.sqlmap import SqlMapFile

ERROR, WARNING, ADVICE = "error", "warning", "advice"
SEVERITIES = (ERROR, WARNING, ADVICE)


class Fault(NamedTuple):
    """A line, and what about it: a name, a value."""

    line: Line
    about: str = ""


class ConfigCheck:
    """One thing that may be wrong; a subclass says what, and where it is looked for."""

    code = ""
    severity = WARNING
    title = reason = fix = ""
    requires = ("postfix",)  # parts of the configuration without which there is nothing to see

    def find_faults(self, configuration):
        """Each fault, once."""
        raise NotImplementedError


@dataclass(frozen=True)
class CheckResult:
    """A fault, said with all that its finding knows."""

    check: ConfigCheck
    fault: Fault

    def as_dict(self):
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
    """A query of Postfix's, with the parameter that asks it."""

    parameter: str
    reference: MapReference
    sql: SqlMapFile


MAP_LIST_PARAMETERS = {"proxy_read_maps", "proxy_write_maps"}  # they list maps, and look nothing up
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
    """All that is looked at; a part that is not there is None."""

    postfix: PostfixFiles | None = None
    dovecot: DovecotFiles | None = None
    rows: DatabaseFacts | None = None
    prefix: str = ""  # of PostfixAdmin's tables
    dovecot_version: str = ""  # 2.3 or 2.4, of the Dovecot that reads these files, if known

    def has(self, needs):
        return all(getattr(self, part) is not None for part in needs)

    @functools.cached_property
    def map_uses(self):
        """Every map that anything names, also those inside of others."""
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
    def user_parameters(self):
        """Parameters that the operator made up, to be used as `$name` in others."""
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
    def sql_map_uses(self):
        found = {}
        for use in self.map_uses:
            if use.reference.is_sql:
                key = use.parameter, use.reference.type, use.reference.name
                sql = use.postfix.sql_map(use.reference)
                found.setdefault(key, SqlMapUse(use.parameter, use.reference, sql))
        return list(found.values())

    def get_sql_map_uses(self, *parameters):
        """The SQL maps of these parameters."""
        return [use for use in self.sql_map_uses if use.parameter in parameters]

    def table(self, name):
        """A table's name as PostfixAdmin has it."""
        return name.removeprefix(self.prefix) if self.prefix else name

    @functools.cached_property
    def virtual_domains(self):
        """Domains whose mail is for us and ours: of the panel, and as files list them."""
        listed = set(self.rows.virtual_domains) if self.rows else set()
        for parameter in ("virtual_mailbox_domains", "virtual_alias_domains"):
            if self.postfix and self.postfix.is_set(parameter):
                listed |= {name for name, _line in self.postfix.names(parameter)}
        return listed

    @property
    def delivers_with_virtual(self):
        """Whether Postfix itself writes the mailboxes, by virtual(8)."""
        name = self.postfix.value("virtual_transport").partition(":")[0]
        service = self.postfix.service(name, "unix")
        return service.command == "virtual" if service else name == "virtual"
