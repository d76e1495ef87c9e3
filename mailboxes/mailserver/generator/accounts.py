"""The SQL that makes the database's accounts, each with the least it needs."""

import re

from django.conf import settings
from django.db import connection

from mailboxes.mailserver.autoresponder.tables import NEEDS
from mailboxes.postfix import maps

# The panel writes rows and cannot change a table; migrations run with an account that can.
PANEL_NEEDS = ("SELECT", "INSERT", "UPDATE", "DELETE")


def statements(passwords, clients=("localhost",)):
    """CREATE USER and GRANT for each account, to be run again at will."""
    for account, allowed in rights().items():
        for client in clients:
            person = f"'mailadmin_{account}'@'{client}'"
            yield f"CREATE USER IF NOT EXISTS {person};"
            yield f"ALTER USER {person} IDENTIFIED BY '{passwords[account]}';"
            yield from (f"GRANT {what} ON {place} TO {person};" for what, place in allowed)


def rights():
    """account → (what, on what)."""
    return {
        "postfix": list(grants(maps.POSTFIX_NEEDS)),
        "dovecot": list(grants(maps.DOVECOT_NEEDS)),
        "autoreply": list(grants(NEEDS)),
        "panel": [
            (", ".join(PANEL_NEEDS), f"{quoted(exactly(connection.settings_dict['NAME']))}.*")
        ],
    }


def grants(needs):
    database = quoted(connection.settings_dict["NAME"])
    for table, statements in needs.items():
        what = ", ".join(
            f"{verb} {listed(columns)}".strip() for verb, columns in statements.items()
        )
        yield what, f"{database}.{quoted(in_database(table))}"


def in_database(table):
    """PostfixAdmin's tables may have a prefix; ours are called `mailadmin_…` in every database."""
    is_ours = table.startswith("mailadmin_")
    return table if is_ours else settings.MAILADMIN_TABLE_PREFIX + table


def exactly(name):
    """A database's name where GRANT takes a pattern: `_` would let in its neighbours."""
    return re.sub(r"([_%\\])", r"\\\1", name)


def listed(columns):
    return f"({', '.join(columns)})" if columns else ""


def quoted(name):
    return f"`{name.replace('`', '``')}`"
