"""Postfix's SQL maps: a file of settings, or settings of main.cf that begin with a name."""

from dataclasses import dataclass, field

from mailboxes.mailserver.config_parser.lines import ConfigProblem, ConfigSetting, Line

SQL_MAP_DEFAULTS = {
    "hosts": "localhost",
    "result_format": "%s",
    "expansion_limit": "0",
    "option_group": "client",
}
# The settings from which Postfix makes a query where none is given.
LEGACY_SETTINGS = ("select_field", "table", "where_field", "additional_conditions")


@dataclass(frozen=True)
class SqlMapFile:
    """The settings of one SQL map, each with its line."""

    type: str
    file: str
    settings: dict[str, ConfigSetting] = field(default_factory=dict)
    problems: tuple[ConfigProblem, ...] = ()

    def value(self, name):
        setting = self.settings.get(name)
        return setting.value if setting else SQL_MAP_DEFAULTS.get(name, "")

    def where(self, name):
        """The line of a setting; of the file, where it does not say it."""
        setting = self.settings.get(name)
        return setting.line if setting else Line(self.file, 0, "")

    @property
    def is_legacy(self):
        return not self.value("query") and any(
            name in self.settings for name in LEGACY_SETTINGS[:3]
        )

    @property
    def query(self):
        """The SQL that Postfix runs, `%s` and the like not yet replaced."""
        if not self.is_legacy:
            return self.value("query")
        select, table, where, conditions = map(self.value, LEGACY_SETTINGS)
        return f"SELECT {select} FROM {table} WHERE {where} = '%s' {conditions}".strip()  # noqa: S608 (read, never run)

    @property
    def query_line(self):
        name = next(
            (name for name in ("query", *LEGACY_SETTINGS) if name in self.settings), "query"
        )
        return self.where(name)

    @property
    def hosts(self):
        return self.value("hosts").replace(",", " ").split()

    @property
    def domains(self):
        """The domains outside which the map is not asked; none means all are."""
        return self.value("domain").replace(",", " ").split()
