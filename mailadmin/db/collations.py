"""Keep the collation of the panel's names the same as that of PostfixAdmin's, for comparisons."""

from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Field, Model

from mailadmin.db.fields import get_adopted_collation, get_column_collation

_fields: list[Any] = []


def register_compared_fields(model: type[Model], *names: str) -> None:
    """Have these fields of a model follow the collation of PostfixAdmin's names."""
    _fields.extend(model._meta.get_field(name) for name in names)


def follow_collation(connection: BaseDatabaseWrapper) -> None:
    """Give the panel's names the collation of PostfixAdmin's, which an upgrade may change."""
    if connection.vendor != "mysql":
        return
    adopted = get_adopted_collation(connection)
    for field in _fields:
        current = get_column_collation(connection, field.model._meta.db_table, field.column)
        if current not in (None, adopted):
            change_collation(connection, field)


def change_collation(connection: BaseDatabaseWrapper, field: Field) -> None:
    """Change a column to the definition of its field, with the adopted collation; keys stay."""
    with connection.schema_editor() as schema_editor:
        kind, values = schema_editor.column_sql(field.model, field)
        kind = str(kind).removesuffix(" PRIMARY KEY").removesuffix(" UNIQUE")
        table = field.model._meta.db_table
        schema_editor.execute(f"ALTER TABLE {table} MODIFY {field.column} {kind}", values)
