"""ISPmail: the databases of the guides for Debian, from the first to the latest."""

import itertools
import sqlite3
from collections.abc import Iterator

from mailadmin.translation import gettext as _
from mailboxes.transfer.entries import Losses, SourceEntry
from mailboxes.transfer.readers.hashes import build_password_values, check_scheme
from mailboxes.transfer.readers.routes import ALIAS_COLUMNS, iter_alias_entries
from mailboxes.transfer.readers.staging import (
    Staging,
    check_schema,
    note_unknown_columns,
    split_domain,
)

SYSTEM = "ISPmail"
KNOWN_COLUMNS = {
    "virtual_domains": ("id", "name"),
    "virtual_users": ("id", "domain_id", "email", "user", "password", "quota"),
    "virtual_aliases": ("id", "domain_id", "source", "destination"),
}
REQUIRED_COLUMNS = {
    "virtual_domains": ("id", "name"),
    "virtual_users": ("id", "domain_id", "password"),
    "virtual_aliases": ("id", "domain_id", "source", "destination"),
}


def is_wanted(table: str) -> bool:
    return table in KNOWN_COLUMNS


def read(staging: Staging, losses: Losses, scheme: str = "") -> Iterator[SourceEntry]:
    """Yield domains, mailboxes, aliases and alias domains."""
    check_scheme(scheme)
    check_schema(staging, SYSTEM, REQUIRED_COLUMNS)
    if not (
        staging.has_table("virtual_users", "email") or staging.has_table("virtual_users", "user")
    ):
        check_schema(staging, SYSTEM, {"virtual_users": ("email",)})
    note_unknown_columns(staging, KNOWN_COLUMNS, losses)
    create_address_tables(staging)
    return itertools.chain(
        iter_domain_entries(staging),
        iter_mailbox_entries(staging, losses, scheme),
        iter_alias_entries(staging),
    )


def create_address_tables(staging: Staging) -> None:
    """Build tables with whole addresses: early guides store local parts and a domain id."""
    address_column = "email" if staging.has_table("virtual_users", "email") else "user"
    staging.create_index("virtual_domains", "id")
    staging.create_table_from_query(
        "_domains", ["name"], "SELECT COALESCE(name, '') FROM virtual_domains"
    )
    staging.create_table_from_query(
        "_mailboxes",
        ["address", "id", "domain", "password", "quota"],
        f"SELECT {address_expression(address_column)}, t.id, d.name, t.password,"  # noqa: S608
        f" {quota_expression(staging)}"
        " FROM virtual_users t LEFT JOIN virtual_domains d ON d.id = t.domain_id"
        " ORDER BY CAST(t.id AS INTEGER), t.rowid",
    )
    staging.create_table_from_query(
        "_aliases",
        ALIAS_COLUMNS,
        f"SELECT {address_expression('source')}, t.destination,"  # noqa: S608
        " 'virtual_aliases, id ' || COALESCE(t.id, ''), t.id"
        " FROM virtual_aliases t LEFT JOIN virtual_domains d ON d.id = t.domain_id",
    )


def address_expression(column: str) -> str:
    """Return SQL for the whole address; an empty local part is a catch-all's."""
    address = f"COALESCE(t.{column}, '') || '@' || d.name"
    return (
        f"CASE WHEN instr(t.{column}, '@') THEN t.{column}"
        f" ELSE COALESCE({address}, t.{column}, '') END"
    )


def quota_expression(staging: Staging) -> str:
    return "t.quota" if staging.has_table("virtual_users", "quota") else "NULL"


def iter_domain_entries(staging: Staging) -> Iterator[SourceEntry]:
    for row in staging.query("SELECT id, name FROM virtual_domains ORDER BY rowid"):
        yield SourceEntry("domain", {"domain": row["name"]}, f"virtual_domains, id {row['id']}")


def iter_mailbox_entries(staging: Staging, losses: Losses, scheme: str) -> Iterator[SourceEntry]:
    staging.create_index("_domains", "name")
    sql = """SELECT m.*, d.name AS own_domain FROM _mailboxes m
        LEFT JOIN _domains d ON d.name = domain_of(m.address) ORDER BY m.rowid"""
    for row in staging.query(sql):
        place = f"virtual_users, id {row['id']}"
        note_domain_mismatch(row, place, losses)
        values = {"username": row["address"]}
        if row["quota"] is not None:
            values["quota_bytes"] = row["quota"]
        values |= build_password_values(row["password"], place, losses, scheme)
        yield SourceEntry("mailbox", values, place, find_address_error(row["address"]))


def note_domain_mismatch(row: sqlite3.Row, place: str, losses: Losses) -> None:
    """Note mailboxes whose row names another domain than their address, which counts."""
    if not row["own_domain"]:
        text = _(
            "The domain of this address is not in the source, so mail to it was never accepted."
        )
        losses.add(text, place)
    elif (row["domain"] or "").lower() != (split_domain(row["address"]) or "").lower():
        text = _("The row names another domain than its address. The address is used.")
        losses.add(text, place)


def find_address_error(address: str) -> str:
    return "" if "@" in address else _("Its domain is not in the source.")
