"""Lookups of a route as pages, the command and the API show them."""

from collections.abc import Iterable
from typing import Any

from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from mailboxes.postfix.explain.html import ROW_URL_NAMES
from mailboxes.postfix.explain.redaction import VisibleScope
from mailboxes.postfix.routing import Lookup, MatchedRow

# A lookup links to where the row that answered it is edited; a domain has its page for all roles.
EDIT_URL_NAMES = ROW_URL_NAMES | {"alias": "aliases-edit", "mailbox": "mailboxes-edit"}
PERMISSION_MODEL = "senderpermission"

Data = dict[str, Any]


def serialize_lookups(lookups: Iterable[Lookup], scope: VisibleScope) -> list[Data]:
    """Return each lookup once, with its SQL and the rows that answered or would have."""
    found: dict[tuple[str, str], Data] = {}
    for lookup in lookups:
        if scope.can_see_rows(lookup) and (lookup.table.name, lookup.key) not in found:
            found[lookup.table.name, lookup.key] = {
                "table": lookup.table.name,
                "title": str(lookup.table.title),
                "key": lookup.key,
                "sql": lookup.table.sql,
                "answer": lookup.value,
                "said": format_lookup_answer(lookup),
                "rows": [serialize_row(row) for row in lookup.rows],
                "inactive": [serialize_row(row) for row in lookup.inactive],
            }
    return list(found.values())


def format_lookup_answer(lookup: Lookup) -> str:
    """Return the answer for people: a restriction that permits says no."""
    return _("no") if lookup.value == "DUNNO" else lookup.value or lookup.key


def serialize_row(row: MatchedRow) -> Data:
    data: Data = {"table": row.model, "key": row.key, "url": get_row_url(row)}
    if row.model == PERMISSION_MODEL:
        data["mailbox"] = row.answer
    return data | ({"reason": str(row.reason)} if row.reason else {})


def get_row_url(row: MatchedRow) -> str:
    """Return where a row is edited; of sender permissions, the list of those for the address."""
    if row.model == PERMISSION_MODEL:
        return f"{reverse('sender-permissions-list')}?{urlencode({'q': row.key})}"
    return reverse(EDIT_URL_NAMES[row.model], args=[row.key])
