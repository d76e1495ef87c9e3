"""The names of PostfixAdmin's tables in this database."""

from django.conf import settings

from mailadmin.conf.table_names import TABLES, build_table_name


def get_table_name(table: str) -> str:
    """Return the name of one of PostfixAdmin's tables in this database."""
    names = ("MAILADMIN_TABLE_PREFIX", "MAILADMIN_DATABASE_TABLES")
    return build_table_name(table, {name: getattr(settings, name) for name in names})


def build_table_mapping() -> dict[str, str]:
    """Return the name of each table in this database → PostfixAdmin's name for it."""
    return {get_table_name(table): table for table in TABLES}
