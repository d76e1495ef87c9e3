"""The SQL that makes the database's accounts, each with the least it needs."""

import re

from django.conf import settings
from django.db import connection

from mailboxes.mailserver.autoresponder.tables import AUTOREPLY_PRIVILEGES
from mailboxes.postfix import maps

# The panel writes rows and cannot change a table; migrations run with an account that can.
PANEL_PRIVILEGES = ("SELECT", "INSERT", "UPDATE", "DELETE")


def iter_account_statements(passwords, clients=("localhost",)):
    """CREATE USER and GRANT for each account, to be run again at will."""
    for account, allowed in get_account_privileges().items():
        for client in clients:
            person = f"'mailadmin_{account}'@'{client}'"
            yield f"CREATE USER IF NOT EXISTS {person};"
            yield f"ALTER USER {person} IDENTIFIED BY '{passwords[account]}';"
            yield from (f"GRANT {what} ON {place} TO {person};" for what, place in allowed)


def get_account_privileges():
    """account → (what, on what)."""
    return {
        "postfix": list(iter_grants(maps.POSTFIX_PRIVILEGES)),
        "dovecot": list(iter_grants(maps.DOVECOT_PRIVILEGES)),
        "autoreply": list(iter_grants(AUTOREPLY_PRIVILEGES)),
        "panel": [
            (
                ", ".join(PANEL_PRIVILEGES),
                f"{quote_identifier(escape_grant_pattern(connection.settings_dict['NAME']))}.*",
            )
        ],
    }


def iter_grants(needs):
    database = quote_identifier(connection.settings_dict["NAME"])
    for table, statements in needs.items():
        what = ", ".join(
            f"{verb} {format_columns(columns)}".strip() for verb, columns in statements.items()
        )
        yield what, f"{database}.{quote_identifier(get_prefixed_table(table))}"


def get_prefixed_table(table):
    """PostfixAdmin's tables may have a prefix; ours are called `mailadmin_…` in every database."""
    is_ours = table.startswith("mailadmin_")
    return table if is_ours else settings.MAILADMIN_TABLE_PREFIX + table


def escape_grant_pattern(name):
    """A database's name where GRANT takes a pattern: `_` would let in its neighbours."""
    return re.sub(r"([_%\\])", r"\\\1", name)


def format_columns(columns):
    return f"({', '.join(columns)})" if columns else ""


def quote_identifier(name):
    return f"`{name.replace('`', '``')}`"
