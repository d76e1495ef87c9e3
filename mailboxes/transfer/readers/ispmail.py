"""ISPmail: the databases of the guides for Debian, from the first to the latest."""

import itertools

from django.utils.translation import gettext as _

from mailboxes.transfer.entries import SourceEntry
from mailboxes.transfer.readers.hashes import build_password_values, check_scheme
from mailboxes.transfer.readers.routes import ALIAS_COLUMNS, iter_alias_entries
from mailboxes.transfer.readers.staging import check_schema, note_unknown_columns, split_domain

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


def is_wanted(table):
    return table in KNOWN_COLUMNS


def read(staging, losses, scheme=""):
    """Domains, mailboxes, aliases and alias domains."""
    check_scheme(scheme)
    check_schema(staging, SYSTEM, REQUIRED_COLUMNS)
    if not (staging.has("virtual_users", "email") or staging.has("virtual_users", "user")):
        check_schema(staging, SYSTEM, {"virtual_users": ("email",)})
    note_unknown_columns(staging, KNOWN_COLUMNS, losses)
    create_address_tables(staging)
    return itertools.chain(
        iter_domain_entries(staging),
        iter_mailbox_entries(staging, losses, scheme),
        iter_alias_entries(staging),
    )


def create_address_tables(staging):
    """The same rows under whole addresses: early guides keep local parts beside a domain."""
    name = "email" if staging.has("virtual_users", "email") else "user"
    staging.index("virtual_domains", "id")
    staging.create_table_from_query(
        "_domains", ["name"], "SELECT COALESCE(name, '') FROM virtual_domains"
    )
    staging.create_table_from_query(
        "_mailboxes",
        ["address", "id", "domain", "password", "quota"],
        f"SELECT {address_expression(name)}, t.id, d.name, t.password, {quota_expression(staging)}"  # noqa: S608
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


def address_expression(column):
    """A local part becomes an address; an empty one stands for everybody else."""
    address = f"COALESCE(t.{column}, '') || '@' || d.name"
    return (
        f"CASE WHEN instr(t.{column}, '@') THEN t.{column}"
        f" ELSE COALESCE({address}, t.{column}, '') END"
    )


def quota_expression(staging):
    return "t.quota" if staging.has("virtual_users", "quota") else "NULL"


def iter_domain_entries(staging):
    for row in staging.rows("SELECT id, name FROM virtual_domains ORDER BY rowid"):
        yield SourceEntry("domain", {"domain": row["name"]}, f"virtual_domains, id {row['id']}")


def iter_mailbox_entries(staging, losses, scheme):
    staging.index("_domains", "name")
    sql = """SELECT m.*, d.name AS own_domain FROM _mailboxes m
        LEFT JOIN _domains d ON d.name = domain_of(m.address) ORDER BY m.rowid"""
    for row in staging.rows(sql):
        place = f"virtual_users, id {row['id']}"
        note_domain_mismatch(row, place, losses)
        values = {"username": row["address"]}
        if row["quota"] is not None:
            values["quota_bytes"] = row["quota"]
        values |= build_password_values(row["password"], place, losses, scheme)
        yield SourceEntry("mailbox", values, place, find_address_error(row["address"]))


def note_domain_mismatch(row, place, losses):
    """A mailbox is where its address says, whatever its row's domain is."""
    if not row["own_domain"]:
        text = _("The domain of the address is not in the source: mail was never accepted there.")
        losses.add(text, place)
    elif (row["domain"] or "").lower() != split_domain(row["address"]).lower():
        text = _("The row names another domain than the address, and the address counts.")
        losses.add(text, place)


def find_address_error(address):
    return "" if "@" in address else _("Its domain is not in the source.")
