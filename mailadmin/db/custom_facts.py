"""Custom columns as the database has them: their types and defaults, and whether they are NULL."""

import functools
from typing import NamedTuple

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

MYSQL_FACTS = (
    "SELECT table_name, column_name, column_type, is_nullable = 'YES', column_default, extra"
    " FROM information_schema.columns"
    " WHERE table_schema = DATABASE() AND LEFT(column_name, 2) = 'x_'"
)
SQLITE_FACTS = (
    "SELECT t.name, c.name, c.type, NOT c.\"notnull\", c.dflt_value, iif(c.hidden, 'GENERATED', '')"
    " FROM sqlite_master t JOIN pragma_table_xinfo(t.name) c"
    " WHERE t.type = 'table' AND substr(c.name, 1, 2) = 'x_'"
)


class CustomFacts(NamedTuple):
    """A column: `default` is the text of a constant; None if there is none."""

    column_type: str
    is_nullable: bool
    default: str | None = None
    has_default: bool = False
    is_generated: bool = False

    @property
    def base_type(self) -> str:
        """Return the type without its length: `varchar`, `tinyint`."""
        return self.column_type.partition("(")[0].split(" ")[0]


@functools.cache
def load_custom_facts(alias: str) -> dict[tuple[str, str], CustomFacts]:
    """Return (table, column) → its facts, of all columns whose names begin with `x_`."""
    connection = connections[alias]
    with connection.cursor() as cursor:
        cursor.execute(MYSQL_FACTS if connection.vendor == "mysql" else SQLITE_FACTS)
        return {
            (table, column.lower()): build_facts(connection, *facts)
            for table, column, *facts in cursor
        }


def build_facts(
    connection: BaseDatabaseWrapper,
    column_type: str,
    is_nullable: int,
    default: str | None,
    extra: str,
) -> CustomFacts:
    has_expression = "DEFAULT_GENERATED" in extra
    text = None if has_expression else parse_constant(connection, default)
    return CustomFacts(
        column_type.lower(),
        bool(is_nullable),
        text,
        text is not None,
        "GENERATED" in extra.replace("DEFAULT_GENERATED", ""),
    )


def parse_constant(connection: BaseDatabaseWrapper, default: str | None) -> str | None:
    """Return the text of a default; None for none, for NULL, and for one that is computed."""
    if default is None or default.upper() == "NULL":
        return None
    if connection.vendor == "mysql" and not is_mariadb(connection):
        return default  # without quotes
    if len(default) > 1 and default[0] == default[-1] == "'":
        return default[1:-1].replace("''", "'").replace("\\'", "'").replace("\\\\", "\\")
    return default if default.lstrip("-").replace(".", "", 1).isdecimal() else None


def is_mariadb(connection: BaseDatabaseWrapper) -> bool:
    return bool(getattr(connection, "mysql_is_mariadb", False))
