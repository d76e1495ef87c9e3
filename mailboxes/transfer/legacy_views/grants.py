"""Grants for the database accounts of programs: no more than they need, and to read only."""

import re
from collections.abc import Iterator, Mapping

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from mailboxes.mailserver.generator.accounts import quote_identifier
from mailboxes.transfer.legacy_views.systems import LEGACY_SYSTEMS
from mailboxes.transfer.legacy_views.views import LegacyView

ACCOUNT_RE = re.compile(r"(?P<user>[\w.-]{1,80})@(?P<host>[\w.:%/-]{1,255})", re.ASCII)


def parse_account(account: str) -> str:
    """Return `user@host` quoted for SQL; refuse names that would need more care."""
    if not (match := ACCOUNT_RE.fullmatch(account)):
        text = _("%(account)s is not a database account such as postfix@localhost.")
        raise ValidationError(text % {"account": account})
    return f"'{match['user']}'@'{match['host']}'"


def iter_grants(system: str, database: str, accounts: Mapping[str, str]) -> Iterator[str]:
    """Yield a GRANT for each program and each view that it reads; `accounts` are its own."""
    for program in LEGACY_SYSTEMS[system].accounts:
        for view in LEGACY_SYSTEMS[system].views:
            if columns := program.get_columns(view):
                yield format_grant(view, database, accounts[program.name], columns)


def format_grant(view: LegacyView, database: str, account: str, columns: list[str]) -> str:
    column_list = (
        f" ({', '.join(map(quote_identifier, columns))})"
        if len(columns) < len(view.columns)
        else ""
    )
    name = f"{quote_identifier(database)}.{quote_identifier(view.name)}"
    return f"GRANT SELECT{column_list} ON {name} TO {account};"
