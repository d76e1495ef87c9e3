"""Check at each start, and by `manage.py check --database default`, that custom columns exist."""

from collections.abc import Iterator, Sequence
from typing import Any

from django.apps import apps
from django.core.checks import CheckMessage, Error
from django.db import connections

from mailadmin.db.custom_columns import CustomColumnMixin, get_custom_fields
from mailadmin.db.custom_facts import CustomFacts, load_custom_facts

CHAR_TYPES = ("varchar", "char", "text", "tinytext", "mediumtext", "longtext")
INTEGER_TYPES = ("tinyint", "smallint", "mediumint", "int", "integer", "bigint")
# Type of the setting → types of columns, in MySQL and SQLite
COLUMN_TYPES = {
    "text": CHAR_TYPES,
    "multiline": CHAR_TYPES,
    "choice": ("varchar", "char", "enum", "text", "tinytext"),
    "integer": INTEGER_TYPES,
    "decimal": ("decimal", "numeric"),
    "boolean": ("tinyint(1)", "bool", "boolean"),
    "date": ("date",),
    "datetime": ("datetime", "timestamp"),
}
EXAMPLES = {
    "text": "varchar({length}) NOT NULL DEFAULT ''",
    "multiline": "text",
    "choice": "varchar({length}) NOT NULL DEFAULT ''",
    "integer": "int",
    "decimal": "decimal(10,{places})",
    "boolean": "tinyint(1) NOT NULL DEFAULT 0",
    "date": "date",
    "datetime": "datetime",
}


def check_custom_columns(
    databases: Sequence[str] | None = None, **options: Any
) -> list[CheckMessage]:
    """Return an error for each column of the setting that the database lacks or has otherwise."""
    fields = [field for model in apps.get_models() for field in get_custom_fields(model)]
    if not fields or not databases:
        return []
    load_custom_facts.cache_clear()
    return [
        Error(f"MAILADMIN_CUSTOM_COLUMNS: {field.custom}: {fault}", id="mailadmin.E003")
        for alias in databases
        for field in fields
        for fault in iter_faults(field, alias)
    ]


def iter_faults(field: CustomColumnMixin, alias: str) -> Iterator[str]:
    """Yield what is wrong with a column; nothing in a database that is still empty."""
    connection, table = connections[alias], field.model._meta.db_table
    facts = load_custom_facts(alias).get((table, str(field.column)))
    if facts is not None:
        yield from iter_column_faults(field, facts)
        return
    with connection.cursor() as cursor:
        is_empty = table not in connection.introspection.table_names(cursor)
    if not is_empty:
        column_type = EXAMPLES[field.custom.kind].format(**field.custom._asdict())
        yield (
            f"the table {table} has no such column. Add it, for example by"
            f" ALTER TABLE {table} ADD {field.column} {column_type}"
        )


def iter_column_faults(field: CustomColumnMixin, facts: CustomFacts) -> Iterator[str]:
    custom, column_type = field.custom, facts.column_type
    if facts.is_generated:
        yield "the database computes this column; remove it from the setting"
    if not {facts.base_type, column_type} & set(COLUMN_TYPES[custom.kind]):
        yield f"the column has the type {column_type}, which does not hold {custom.kind}"
    if not facts.is_nullable and not facts.has_default:
        yield (
            "the column is NOT NULL and has no constant as its default, so that rows cannot be"
            " added without a value. Give it such a default, or allow NULL"
        )
    if facts.base_type == "enum":
        yield from iter_enum_faults(field, column_type)
    if custom.kind == "decimal" and "(" in column_type:
        yield from iter_decimal_faults(field, column_type)


def iter_enum_faults(field: CustomColumnMixin, column_type: str) -> Iterator[str]:
    for value in field.custom.choices:
        if f"'{value.lower()}'" not in column_type:
            yield f"{value} is not a value of the column, which is {column_type}"


def iter_decimal_faults(field: CustomColumnMixin, column_type: str) -> Iterator[str]:
    places = column_type.partition("(")[2].partition(")")[0].partition(",")[2].strip() or "0"
    if int(places) != field.custom.places:
        yield f"the column is {column_type}: write decimal:{places}"
