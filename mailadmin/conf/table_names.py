"""The names of PostfixAdmin's tables in a database that has other names for them."""

import re
from collections.abc import Mapping

TABLES = (
    *("admin", "admin_preferences", "alias", "alias_domain", "config", "dkim", "dkim_signing"),
    *("domain", "domain_admins", "fetchmail", "log", "mailbox", "mailbox_app_password"),
    *("quota", "quota2", "totp_exception_address", "vacation", "vacation_notification"),
)
MAX_NAME_LENGTH = 64  # of MySQL


def parse_table_names(value: str) -> dict[str, str]:
    """Accept `table=name` pairs, separated by commas or spaces."""
    names = {}
    for part in filter(None, re.split(r"[,\s]+", value)):
        table, equals, name = part.partition("=")
        if table not in TABLES:
            raise ValueError(f"contains {table!r}, which is not a table of PostfixAdmin")
        if not equals or not re.fullmatch(r"[A-Za-z0-9_]+", name):
            raise ValueError(f"contains {part!r}, which is not table=name")
        if name.startswith("mailadmin_") or len(name) > MAX_NAME_LENGTH:
            raise ValueError(f"contains {name!r}, which cannot be the name of the table {table}")
        names[table] = name
    if len({names.get(table, table) for table in TABLES}) < len(TABLES):
        raise ValueError("gives two tables the same name")
    return names


def build_table_name(table: str, settings: Mapping[str, object]) -> str:
    """Return the name of one of PostfixAdmin's tables in the database."""
    names = settings["MAILADMIN_DATABASE_TABLES"]
    own = names.get(table, table) if isinstance(names, Mapping) else table
    return f"{settings['MAILADMIN_TABLE_PREFIX']}{own}"
