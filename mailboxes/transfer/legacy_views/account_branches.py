"""The queries of views for programs that sign people in: one row for each mailbox in use."""

from collections.abc import Iterator

from mailboxes.models import Alias, AliasTarget, Mailbox
from mailboxes.transfer.legacy_views.passwords import nextcloud_password, sogo_password
from mailboxes.transfer.legacy_views.sql import (
    ROW_ALIAS,
    SelectBranch,
    ViewSqlBuilder,
    utf8mb4_expression,
)

ADDRESS = f"{ROW_ALIAS}.username"


def sogo_branches(builder: ViewSqlBuilder) -> Iterator[SelectBranch]:
    own = {"password": sogo_password(builder), "aliases": aliases_expression(builder)}
    yield account_branch(builder, own)


def nextcloud_branches(builder: ViewSqlBuilder) -> Iterator[SelectBranch]:
    quota = f"CONCAT({ROW_ALIAS}.quota, ' B')"
    own = {
        "password": nextcloud_password(builder),
        "quota": f"CASE WHEN {ROW_ALIAS}.quota > 0 THEN {quota} ELSE 'none' END",
        "active": "1",
    }
    yield account_branch(builder, own)


def account_branch(builder: ViewSqlBuilder, own_columns: dict[str, str]) -> SelectBranch:
    """Select active mailboxes of active domains, except those of backup MX domains."""
    columns = {"address": ADDRESS, "name": name_expression(), "domain": "place.domain"}
    return SelectBranch(
        columns | own_columns,
        (builder.table(Mailbox), builder.join_domain("username", "place.backupmx = 0")),
        (f"{ROW_ALIAS}.active = 1",),
    )


def name_expression() -> str:
    """Return the name of the person, or their address if there is none."""
    name = f"NULLIF(TRIM({utf8mb4_expression(f'{ROW_ALIAS}.name')}), '')"
    return f"COALESCE({name}, {utf8mb4_expression(ADDRESS)})"


def aliases_expression(builder: ViewSqlBuilder) -> str:
    """Return the addresses whose mail goes to this mailbox alone, separated by spaces.

    They are found by the index of targets, as the mailbox is one of few rows that a program reads.
    """
    dialect = builder.dialect
    alias = builder.join(Alias, "own", "address", "entry.address", "own.active = 1")
    conditions = (
        dialect.equals("entry.name", AliasTarget, "name", f"LOWER({ADDRESS})"),
        dialect.equals("own.goto", Alias, "goto", ADDRESS),
        "LEFT(own.address, 1) <> '@'",
    )
    return (
        "(SELECT GROUP_CONCAT(own.address ORDER BY own.address SEPARATOR ' ')"  # noqa: S608
        f" FROM {builder.table(AliasTarget, 'entry')} {alias} WHERE {' AND '.join(conditions)})"
    )
