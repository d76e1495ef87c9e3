"""Hints about indexes for MySQL's optimiser, which Django cannot give."""

from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.sql.compiler import SQLCompiler
from django.db.models.sql.datastructures import BaseTable

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
