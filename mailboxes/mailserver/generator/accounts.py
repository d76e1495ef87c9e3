"""Generate the SQL for the database accounts, each with the least privileges it needs."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping

from django.db import connection

from mailadmin.db.table_names import get_table_name
from mailboxes.mailserver.autoresponder.tables import AUTOREPLY_PRIVILEGES
from mailboxes.postfix.dovecot_queries import DOVECOT_PRIVILEGES
from mailboxes.postfix.maps import POSTFIX_PRIVILEGES

# Migrations need an account that can change tables as well.
PANEL_PRIVILEGES = ("SELECT", "INSERT", "UPDATE", "DELETE")

TablePrivileges = Mapping[str, Mapping[str, Collection[str]]]  # table → statement → columns
Grant = tuple[str, str]  # privileges, object


def iter_account_statements(
    passwords: Mapping[str, str], clients: Iterable[str] = ("localhost",)
) -> Iterator[str]:
    """Yield CREATE USER and GRANT for each account; they can be run repeatedly."""
    for account, grants in get_account_privileges().items():
        for client in clients:
            user = f"'mailadmin_{account}'@'{client}'"
            yield f"CREATE USER IF NOT EXISTS {user};"
            yield f"ALTER USER {user} IDENTIFIED BY '{passwords[account]}';"
            yield from (f"GRANT {names} ON {target} TO {user};" for names, target in grants)


def get_account_privileges() -> dict[str, list[Grant]]:
    """Return account → grants."""
    database = quote_identifier(escape_grant_pattern(connection.settings_dict["NAME"]))
    return {
        "postfix": list(iter_grants(POSTFIX_PRIVILEGES)),
        "dovecot": list(iter_grants(DOVECOT_PRIVILEGES)),
        "autoreply": list(iter_grants(AUTOREPLY_PRIVILEGES)),
        "panel": [(", ".join(PANEL_PRIVILEGES), f"{database}.*")],
    }


def iter_grants(privileges: TablePrivileges) -> Iterator[Grant]:
    database = quote_identifier(connection.settings_dict["NAME"])
    for table, statements in privileges.items():
        names = ", ".join(
            f"{verb} {format_columns(columns)}".strip() for verb, columns in statements.items()
        )
        yield names, f"{database}.{quote_identifier(get_granted_table(table))}"


def get_granted_table(table: str) -> str:
    """Return the name of a table in the database; `mailadmin_…` are the panel's own."""
    return table if table.startswith("mailadmin_") else get_table_name(table)


def escape_grant_pattern(name: str) -> str:
    """Escape the name of a database for GRANT, where `_` matches any character."""
    return re.sub(r"([_%\\])", r"\\\1", name)


def format_columns(columns: Collection[str]) -> str:
    return f"({', '.join(columns)})" if columns else ""


def quote_identifier(name: str) -> str:
    return f"`{name.replace('`', '``')}`"
