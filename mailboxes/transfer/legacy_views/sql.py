"""Parts of the queries of views: tables of the panel, joins, conditions and expressions."""

from typing import NamedTuple

from django.db import connection
from django.db.models import Model

from domains.models import Domain
from mailboxes.mailserver.generator.accounts import quote_identifier
from mailboxes.postfix.dialects import MySQLDialect

# The alias of each view's row, with a hash of the query: the marker of views made here.
ROW_ALIAS = "mailadmin_compat"


class SelectBranch(NamedTuple):
    """A SELECT: its columns by our names, its tables and its conditions."""

    columns: dict[str, str]
    tables: tuple[str, ...]
    conditions: tuple[str, ...]

    def build_sql(self, names: dict[str, str]) -> str:
        columns = ", ".join(f"{self.columns[column]} AS {old}" for old, column in names.items())
        where = " AND ".join(self.conditions)
        return f"SELECT {columns} FROM {' '.join(self.tables)} WHERE {where}"  # noqa: S608 (our names)


class QualifiedDialect(MySQLDialect):
    """Names tables with their database, since a view may be in another one."""

    def table(self, model: type[Model], name: str | None = None) -> str:
        database = quote_identifier(connection.settings_dict["NAME"])
        table = quote_identifier(model._meta.db_table)
        return f"{database}.{table} AS {name or model._meta.model_name}"


class ViewSqlBuilder:
    """Builds the parts of the queries: tables, and joins that find rows by key."""

    def __init__(self) -> None:
        self.dialect = QualifiedDialect()

    def table(self, model: type[Model], name: str = ROW_ALIAS) -> str:
        return self.dialect.table(model, name)

    def join(self, model: type[Model], name: str, column: str, value: str, *conditions: str) -> str:
        condition = self._join_condition(model, name, column, value, *conditions)
        return f"JOIN {self.table(model, name)} ON {condition}"

    def left_join(
        self, model: type[Model], name: str, column: str, value: str, *conditions: str
    ) -> str:
        return f"LEFT {self.join(model, name, column, value, *conditions)}"

    def exists(self, model: type[Model], name: str, column: str, value: str) -> str:
        """Test whether the row with this key exists and is active; evaluated only where needed."""
        condition = self._join_condition(model, name, column, value, f"{name}.active = 1")
        return f"EXISTS (SELECT 1 FROM {self.table(model, name)} WHERE {condition})"  # noqa: S608

    def _join_condition(
        self, model: type[Model], name: str, column: str, value: str, *conditions: str
    ) -> str:
        return " AND ".join(
            [self.dialect.equals(f"{name}.{column}", model, column, value), *conditions]
        )

    def join_domain(self, column: str, *conditions: str) -> str:
        """Join the active domain of the row's address, as `place`."""
        domain = f"SUBSTRING_INDEX({ROW_ALIAS}.{column}, '@', -1)"
        return self.join(
            Domain, "place", "domain", domain, *active_domain_conditions("place"), *conditions
        )

    def comparable_column(
        self, model: type[Model], column: str, other_model: type[Model], other_column: str
    ) -> str:
        """Return a column that compares like another.

        It is cast only if it has to be, since no index helps a cast column.
        """
        value, facts = f"{ROW_ALIAS}.{column}", self.dialect.column_facts
        own = facts[model._meta.db_table, column]
        other = facts[other_model._meta.db_table, other_column]
        if (own.charset, own.collation) == (other.charset, other.collation):
            return value
        return self.dialect.cast_to_column(other_model, other_column, value)


def active_domain_conditions(name: str) -> tuple[str, str]:
    return f"{name}.active = 1", f"{name}.domain <> 'ALL'"


def number_expression(expression: str) -> str:
    """Return a stable number computed from the name: 60 bits of its MD5.

    Among 200,000 names, two of one number are as likely as one in fifty million.
    """
    name = f"LOWER(CONVERT({expression} USING utf8mb4))"
    return f"CAST(CONV(LEFT(MD5({name}), 15), 16, 10) AS UNSIGNED)"


def utf8mb4_expression(expression: str) -> str:
    """Convert to a charset that fits the other branches; for columns that nobody searches.

    With a collation of its own: that of a newer MariaDB does not fit the text of a query.
    """
    return f"CONVERT({expression} USING utf8mb4) COLLATE utf8mb4_general_ci"
