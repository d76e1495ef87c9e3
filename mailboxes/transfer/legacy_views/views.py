"""A view: the table of an older system, or of a program that signs people in."""

import hashlib
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from mailboxes.mailserver.generator.accounts import quote_identifier
from mailboxes.transfer.legacy_views.account_branches import nextcloud_branches, sogo_branches
from mailboxes.transfer.legacy_views.mail_branches import (
    alias_branches,
    domain_branches,
    mailbox_branches,
    transport_branches,
)
from mailboxes.transfer.legacy_views.sql import ROW_ALIAS, SelectBranch, ViewSqlBuilder

MARKER_RE = re.compile(rf"\b{ROW_ALIAS}_[0-9a-f]{{12}}\b")
BRANCH_BUILDERS: dict[str, Callable[[ViewSqlBuilder], Iterator[SelectBranch]]] = {
    "domains": domain_branches,
    "mailboxes": mailbox_branches,
    "aliases": alias_branches,
    "transports": transport_branches,
    "sogo accounts": sogo_branches,
    "nextcloud accounts": nextcloud_branches,
}


class LegacyView(NamedTuple):
    """A table of an older system: its name, what it lists, and old column → our column."""

    name: str
    content: str
    columns: dict[str, str]

    def build_sql(self) -> str:
        """Return the SELECT; the alias of its row holds a hash of it, as a marker."""
        branches = BRANCH_BUILDERS[self.content](ViewSqlBuilder())
        columns = {quote_identifier(old): column for old, column in self.columns.items()}
        sql = " UNION ALL ".join(branch.build_sql(columns) for branch in branches)
        return sql.replace(
            ROW_ALIAS, f"{ROW_ALIAS}_{hashlib.sha256(sql.encode()).hexdigest()[:12]}"
        )


def has_marker(definition: str | None) -> bool:
    """Tell whether this command has made the view with this definition."""
    return bool(MARKER_RE.search(definition or ""))


def find_marker(sql: str) -> str:
    """Return the marker that the definition of such a view contains."""
    match = MARKER_RE.search(sql)
    return match[0] if match else ""
