"""`PersonTable`, what the tables of admins and of mailboxes have in common."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from mailadmin.accounts.password_requests import REQUEST_PASSWORD
from mailadmin.accounts.stored_schemes import (
    DIGEST,
    NO_PASSWORD,
    PLAIN_TEXT,
    UNKNOWN,
    filter_by_scheme,
)
from mailadmin.tables.actions import ACTIVATE, DEACTIVATE, DELETE, Action, Text
from mailadmin.tables.table import Table

SCHEME_CHOICES: dict[str, Text] = {
    "weak": _("weak scheme"),
    "rejected": _("rejected by Dovecot 2.4"),
    NO_PASSWORD: _("no password"),
    DIGEST: _("digest without a prefix"),
    UNKNOWN: _("unknown scheme"),
    PLAIN_TEXT: _("PLAIN (plain text)"),
}


class PersonTable(Table):
    """A table of people who sign in by a password."""

    filter_names: Sequence[str] = ("domain", "active", "q", "scheme")
    actions: Sequence[Action] = (ACTIVATE, DEACTIVATE, REQUEST_PASSWORD, DELETE)

    def filter_choices(self, principal: Any) -> Mapping[str, Mapping[str, Text]]:
        return {"scheme": SCHEME_CHOICES}

    def filter(self, rows: QuerySet, filters: Mapping[str, str]) -> QuerySet:
        rows = super().filter(rows, filters)
        return filter_by_scheme(rows, filters["scheme"]) if "scheme" in filters else rows
