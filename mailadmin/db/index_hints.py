"""Hints about indexes for MySQL's optimiser, which Django cannot give."""

from collections.abc import Sequence
from typing import Any

from django.db import connection, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.expressions import Col
from django.db.models.lookups import Exact
from django.db.models.sql.compiler import SQLCompiler
from django.db.models.sql.datastructures import BaseTable

# As a comment, which no server refuses if there is no index of the name
NO_INDEX = "SELECT /*+ NO_INDEX(%s %s) */ "
NO_PRIMARY_ORDER = "IGNORE INDEX FOR ORDER BY (PRIMARY)"


class SecondaryOrderTable(BaseTable):
    """The table of a query that is not to be read in the order of its primary key."""

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> tuple[str, Any]:
        sql, parameters = super().as_sql(compiler, connection)
        if connection.vendor == "mysql":
            sql = f"{sql} {NO_PRIMARY_ORDER}"
        return sql, parameters


def ordered_by_secondary_index(rows: models.QuerySet) -> models.QuerySet:
    """Return the same rows, for a query that finds them in order by another index.

    MySQL would expect to find as many as are wanted soon in the primary key, which has the whole
    table, however few rows match. If no other index has the order, it sorts the rows.
    """
    rows = rows.all()
    alias = rows.query.get_initial_alias()
    table = SecondaryOrderTable(rows.model._meta.db_table, alias)
    rows.query.alias_map = {**rows.query.alias_map, alias: table}
    return rows


def ignore_unordered_indexes(
    sql: str, rows: models.QuerySet, column: str, order: Sequence[str]
) -> str:
    """Have rows of one value of a column not read by an index whose entries have another order.

    For an unselective range of keys MySQL prefers a shorter one, all of whose entries it sorts.
    """
    if not is_mysql():
        return sql
    meta = rows.model._meta
    ordered = {*order, "pk", str(meta.pk.name), *get_compared_columns(rows)}
    names = [
        str(index.name)
        for index in meta.indexes
        if index.fields[:1] == [column] and not ordered.issuperset(index.fields[1:2])
    ]
    return sql.replace("SELECT ", NO_INDEX % (meta.db_table, " ".join(names)), 1) if names else sql


def get_compared_columns(rows: models.QuerySet) -> set[str]:
    """Return the columns that are compared with one value."""
    conditions = [each for each in rows.query.where.children if isinstance(each, Exact)]
    return {each.lhs.target.name for each in conditions if isinstance(each.lhs, Col)}


def is_mysql() -> bool:
    """Return whether the server is MySQL itself, whose optimiser is not that of MariaDB."""
    return connection.vendor == "mysql" and not connection.mysql_is_mariadb  # type: ignore[attr-defined]
