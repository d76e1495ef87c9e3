"""Columns of adopted tables that are compared though their charsets or collations differ."""

from typing import Any

from django.db import models
from django.db.models import Func
from django.db.models.sql.compiler import SQLCompiler

from mailadmin.db.column_facts import ColumnFacts, load_column_facts


def get_column_facts(field: models.Field, alias: str = "default") -> ColumnFacts:
    name = field.model._meta.db_table, str(field.column)
    return load_column_facts(alias).get(name, ColumnFacts())


def have_same_collation(field: models.Field, other: models.Field) -> bool:
    """Return whether the index of either column can be used to find values of the other."""
    return get_column_facts(field).collation == get_column_facts(other).collation


class AsColumn(Func):
    """A value in the charset and collation of a column, by whose index it can be found."""

    template = "%(expressions)s"

    def __init__(self, value: Any, column: models.Field) -> None:
        super().__init__(value, output_field=column)

    def as_mysql(self, compiler: SQLCompiler, connection: Any) -> Any:
        facts = get_column_facts(self.output_field, connection.alias)
        if not facts.charset:
            return self.as_sql(compiler, connection)
        template = f"CONVERT(%(expressions)s USING {facts.charset}) COLLATE {facts.collation}"
        return self.as_sql(compiler, connection, template=template)
