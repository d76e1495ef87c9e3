"""SQL maps of Postfix, defined by a file or by main.cf parameters with the map's name as prefix."""

from dataclasses import dataclass, field

from mailboxes.mailserver.config_parser.lines import ConfigProblem, ConfigSetting, Line

SQL_MAP_DEFAULTS = {
    "hosts": "localhost",
    "result_format": "%s",
    "expansion_limit": "0",
    "option_group": "client",
}
# The settings from which Postfix builds a query if `query` is not set.
LEGACY_SETTINGS = ("select_field", "table", "where_field", "additional_conditions")


@dataclass(frozen=True)
class SqlMapFile:
    """The settings of an SQL map, each with its line."""

    type: str
    file: str
    settings: dict[str, ConfigSetting] = field(default_factory=dict)
    problems: tuple[ConfigProblem, ...] = ()

    def value(self, name: str) -> str:
        setting = self.settings.get(name)
        return setting.value if setting else SQL_MAP_DEFAULTS.get(name, "")

    def get_line(self, name: str) -> Line:
        """Return the line of a setting, or of the file if it is not set."""
        setting = self.settings.get(name)
        return setting.line if setting else Line(self.file, 0, "")

    @property
    def is_legacy(self) -> bool:
        return not self.value("query") and any(
            name in self.settings for name in LEGACY_SETTINGS[:3]
        )

    @property
    def query(self) -> str:
        """Return the SQL that Postfix runs, with `%s` and other placeholders."""
        if not self.is_legacy:
            return self.value("query")
        select, table, where, conditions = map(self.value, LEGACY_SETTINGS)
        return f"SELECT {select} FROM {table} WHERE {where} = '%s' {conditions}".strip()  # noqa: S608 (read, never run)

    @property
    def query_line(self) -> Line:
        name = next(
            (name for name in ("query", *LEGACY_SETTINGS) if name in self.settings), "query"
        )
        return self.get_line(name)

    @property
    def hosts(self) -> list[str]:
        return self.value("hosts").replace(",", " ").split()

    @property
    def domains(self) -> list[str]:
        """Return the only domains that Postfix looks up in the map; an empty list means all."""
        return self.value("domain").replace(",", " ").split()
