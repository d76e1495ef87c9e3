"""What the mail server's accounts must be allowed: no more than their files ask."""

import re

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from mailboxes.mailserver.generator.accounts import quoted
from mailboxes.transfer.legacy_views.views import SYSTEMS

ACCOUNT = re.compile(r"(?P<user>[\w.-]{1,80})@(?P<host>[\w.:%/-]{1,255})", re.ASCII)
SECRETS = {"password"}


def parsed(account):
    """`postfix@localhost`, quoted as SQL takes it; anything that needs more care is refused."""
    if not (hit := ACCOUNT.fullmatch(account)):
        text = _("%(account)s is no account of a database, as postfix@localhost is.")
        raise ValidationError(text % {"account": account})
    return f"'{hit['user']}'@'{hit['host']}'"


def statements(system, database, postfix, dovecot):
    """One GRANT for each view and account; Postfix needs no password."""
    for view in SYSTEMS[system]:
        yield granting(view, database, postfix, [c for c in view.columns if c not in SECRETS])
    for view in SYSTEMS[system]:
        if SECRETS & set(view.columns):
            yield granting(view, database, dovecot, list(view.columns))


def granting(view, database, person, columns):
    some = f" ({', '.join(map(quoted, columns))})" if len(columns) < len(view.columns) else ""
    return f"GRANT SELECT{some} ON {quoted(database)}.{quoted(view.name)} TO {person};"
