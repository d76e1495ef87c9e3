"""Databases with `domains`, `forwardings`, `users` and `transport`, as many guides make them."""

import itertools
import sqlite3
from collections.abc import Iterable, Iterator

from mailboxes.transfer.entries import Losses, SourceEntry
from mailboxes.transfer.readers.hashes import build_password_values, check_scheme
from mailboxes.transfer.readers.routes import (
    ALIAS_COLUMNS,
    iter_alias_entries,
    map_domain_transports,
)
from mailboxes.transfer.readers.staging import Staging, check_schema, note_unknown_columns

SYSTEM = "forwardings"
KNOWN_COLUMNS = {
    "domains": ("domain",),
    "forwardings": ("source", "destination"),
    "users": ("email", "password", "quota"),
    "transport": ("domain", "transport"),
}
REQUIRED_COLUMNS = KNOWN_COLUMNS | {"users": ("email", "password")}
OPTIONAL_TABLES = ("transport",)


def is_wanted(table: str) -> bool:
    return table in KNOWN_COLUMNS


def read(staging: Staging, losses: Losses, scheme: str = "") -> Iterator[SourceEntry]:
    """Yield domains, mailboxes, aliases, alias domains and transports."""
    check_scheme(scheme)
    tables = staging.tables()
    needed = {
        name: cols
        for name, cols in REQUIRED_COLUMNS.items()
        if name in tables or name not in OPTIONAL_TABLES
    }
    check_schema(staging, SYSTEM, needed)
    note_unknown_columns(staging, KNOWN_COLUMNS, losses)
    create_address_tables(staging)
    return itertools.chain(
        iter_domain_entries(staging),
        iter_mailbox_entries(staging, losses, scheme),
        iter_alias_entries(staging),
        iter_transport_entries(staging),
    )


def create_address_tables(staging: Staging) -> None:
    staging.create_table_from_query(
        "_domains", ["name"], "SELECT COALESCE(domain, '') FROM domains"
    )
    staging.create_table_from_query(
        "_mailboxes", ["address"], "SELECT COALESCE(email, '') FROM users"
    )
    staging.create_table_from_query(
        "_aliases",
        ALIAS_COLUMNS,
        "SELECT COALESCE(source, ''), destination, 'forwardings, ' || COALESCE(source, ''), rowid"
        " FROM forwardings",
    )


def iter_domain_entries(staging: Staging) -> Iterator[SourceEntry]:
    transports = map_domain_transports(tuple(row) for row in fetch_transport_rows(staging))
    for row in staging.query("SELECT domain FROM domains ORDER BY rowid"):
        values = {"domain": row["domain"]}
        if transport := transports.get((row["domain"] or "").lower()):
            values["transport"] = transport
        yield SourceEntry("domain", values, f"domains, {row['domain']}")


def iter_mailbox_entries(staging: Staging, losses: Losses, scheme: str) -> Iterator[SourceEntry]:
    for row in staging.query("SELECT * FROM users ORDER BY rowid"):
        address = row["email"] or ""
        place = f"users, {address}"
        values = {"username": address, "maildir": build_maildir_path(address)}
        if "quota" in row.keys() and row["quota"] is not None:  # noqa: SIM118 (a Row iterates values)
            values["quota_bytes"] = row["quota"]
        values |= build_password_values(row["password"], place, losses, scheme)
        yield SourceEntry("mailbox", values, place)


def build_maildir_path(address: str) -> str:
    """Return what the map of the guides answers, in the table's own case."""
    return f"{address.rpartition('@')[2]}/{address.partition('@')[0]}/"


def fetch_transport_rows(staging: Staging) -> Iterable[sqlite3.Row]:
    if not staging.has_table("transport"):
        return []
    return staging.query("SELECT domain, transport FROM transport ORDER BY rowid")


def iter_transport_entries(staging: Staging) -> Iterator[SourceEntry]:
    for row in fetch_transport_rows(staging):
        values = {"pattern": row["domain"], "transport": row["transport"]}
        yield SourceEntry("transport", values, f"transport, {row['domain']}")
