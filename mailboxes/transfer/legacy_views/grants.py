"""What the mail server's accounts must be allowed: no more than their files ask."""

import re

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from mailboxes.mailserver.generator.accounts import quote_identifier
from mailboxes.transfer.legacy_views.views import LEGACY_SYSTEMS

ACCOUNT_RE = re.compile(r"(?P<user>[\w.-]{1,80})@(?P<host>[\w.:%/-]{1,255})", re.ASCII)
SECRET_COLUMNS = {"password"}


def parse_account(account):
    """`postfix@localhost`, quoted as SQL takes it; anything that needs more care is refused."""
    if not (hit := ACCOUNT_RE.fullmatch(account)):
        text = _("%(account)s is no account of a database, as postfix@localhost is.")
        raise ValidationError(text % {"account": account})
    return f"'{hit['user']}'@'{hit['host']}'"


def iter_grants(system, database, postfix, dovecot):
    """One GRANT for each view and account; Postfix needs no password."""
    for view in LEGACY_SYSTEMS[system]:
        yield format_grant(
            view, database, postfix, [c for c in view.columns if c not in SECRET_COLUMNS]
        )
    for view in LEGACY_SYSTEMS[system]:
        if SECRET_COLUMNS & set(view.columns):
            yield format_grant(view, database, dovecot, list(view.columns))


def format_grant(view, database, person, columns):
    some = (
        f" ({', '.join(map(quote_identifier, columns))})"
        if len(columns) < len(view.columns)
        else ""
    )
    name = f"{quote_identifier(database)}.{quote_identifier(view.name)}"
    return f"GRANT SELECT{some} ON {name} TO {person};"
