"""Databases of `domains`, `forwardings`, `users` and `transport`, as many guides made them."""

import itertools

from mailboxes.transfer.entries import Entry
from mailboxes.transfer.readers.hashes import password_values, refuse_scheme
from mailboxes.transfer.readers.routes import ALIASES, alias_entries, transports_of_domains
from mailboxes.transfer.readers.staging import expect, note_strange

SYSTEM = "forwardings"
KNOWN = {
    "domains": ("domain",),
    "forwardings": ("source", "destination"),
    "users": ("email", "password", "quota"),
    "transport": ("domain", "transport"),
}
NEEDED = KNOWN | {"users": ("email", "password")}
OPTIONAL = ("transport",)


def is_wanted(table):
    return table in KNOWN


def read(staging, losses, scheme=""):
    """Domains, mailboxes, aliases, alias domains and transports."""
    refuse_scheme(scheme)
    tables = staging.tables()
    needed = {name: cols for name, cols in NEEDED.items() if name in tables or name not in OPTIONAL}
    expect(staging, SYSTEM, needed)
    note_strange(staging, KNOWN, losses)
    prepare(staging)
    return itertools.chain(
        domains(staging),
        mailboxes(staging, losses, scheme),
        alias_entries(staging),
        transports(staging),
    )


def prepare(staging):
    staging.fill("_domains", ["name"], "SELECT COALESCE(domain, '') FROM domains")
    staging.fill("_mailboxes", ["address"], "SELECT COALESCE(email, '') FROM users")
    staging.fill(
        "_aliases",
        ALIASES,
        "SELECT COALESCE(source, ''), destination, 'forwardings, ' || COALESCE(source, ''), rowid"
        " FROM forwardings",
    )


def domains(staging):
    ways = transports_of_domains(tuple(row) for row in transport_rows(staging))
    for row in staging.rows("SELECT domain FROM domains ORDER BY rowid"):
        values = {"domain": row["domain"]}
        if way := ways.get((row["domain"] or "").lower()):
            values["transport"] = way
        yield Entry("domain", values, f"domains, {row['domain']}")


def mailboxes(staging, losses, scheme):
    for row in staging.rows("SELECT * FROM users ORDER BY rowid"):
        address = row["email"] or ""
        place = f"users, {address}"
        values = {"username": address, "maildir": maildir_of(address)}
        if "quota" in row.keys() and row["quota"] is not None:  # noqa: SIM118 (a Row iterates values)
            values["quota_bytes"] = row["quota"]
        values |= password_values(row["password"], place, losses, scheme)
        yield Entry("mailbox", values, place)


def maildir_of(address):
    """What the guides' map answers, in the letters of the table."""
    return f"{address.rpartition('@')[2]}/{address.partition('@')[0]}/"


def transport_rows(staging):
    if not staging.has("transport"):
        return []
    return staging.rows("SELECT domain, transport FROM transport ORDER BY rowid")


def transports(staging):
    for row in transport_rows(staging):
        values = {"pattern": row["domain"], "transport": row["transport"]}
        yield Entry("transport", values, f"transport, {row['domain']}")
