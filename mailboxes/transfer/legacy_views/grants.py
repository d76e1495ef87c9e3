"""Grants for the mail server's database accounts: no more than their files need."""

import re
from collections.abc import Iterator

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from mailboxes.mailserver.generator.accounts import quote_identifier
from mailboxes.transfer.legacy_views.views import LEGACY_SYSTEMS, LegacyView

ACCOUNT_RE = re.compile(r"(?P<user>[\w.-]{1,80})@(?P<host>[\w.:%/-]{1,255})", re.ASCII)
SECRET_COLUMNS = {"password"}


def parse_account(account: str) -> str:
    """Return `user@host` quoted for SQL; refuse names that would need more care."""
    if not (match := ACCOUNT_RE.fullmatch(account)):
        text = _("%(account)s is not a database account such as postfix@localhost.")
        raise ValidationError(text % {"account": account})
    return f"'{match['user']}'@'{match['host']}'"


def iter_grants(system: str, database: str, postfix: str, dovecot: str) -> Iterator[str]:
    """Yield a GRANT for each view and account; Postfix may not read passwords."""
    for view in LEGACY_SYSTEMS[system]:
        yield format_grant(
            view,
            database,
            postfix,
            [column for column in view.columns if column not in SECRET_COLUMNS],
        )
    for view in LEGACY_SYSTEMS[system]:
        if SECRET_COLUMNS & set(view.columns):
            yield format_grant(view, database, dovecot, list(view.columns))


def format_grant(view: LegacyView, database: str, account: str, columns: list[str]) -> str:
    column_list = (
        f" ({', '.join(map(quote_identifier, columns))})"
        if len(columns) < len(view.columns)
        else ""
    )
    name = f"{quote_identifier(database)}.{quote_identifier(view.name)}"
    return f"GRANT SELECT{column_list} ON {name} TO {account};"
