"""ISPmail: the databases of the guides for Debian, from the first to the latest."""

import itertools

from django.utils.translation import gettext as _

from mailboxes.transfer.entries import Entry
from mailboxes.transfer.readers.hashes import password_values, refuse_scheme
from mailboxes.transfer.readers.routes import ALIASES, alias_entries
from mailboxes.transfer.readers.staging import domain_of, expect, note_strange

SYSTEM = "ISPmail"
KNOWN = {
    "virtual_domains": ("id", "name"),
    "virtual_users": ("id", "domain_id", "email", "user", "password", "quota"),
    "virtual_aliases": ("id", "domain_id", "source", "destination"),
}
NEEDED = {
    "virtual_domains": ("id", "name"),
    "virtual_users": ("id", "domain_id", "password"),
    "virtual_aliases": ("id", "domain_id", "source", "destination"),
}


def is_wanted(table):
    return table in KNOWN


def read(staging, losses, scheme=""):
    """Domains, mailboxes, aliases and alias domains."""
    refuse_scheme(scheme)
    expect(staging, SYSTEM, NEEDED)
    if not (staging.has("virtual_users", "email") or staging.has("virtual_users", "user")):
        expect(staging, SYSTEM, {"virtual_users": ("email",)})
    note_strange(staging, KNOWN, losses)
    prepare(staging)
    return itertools.chain(
        domains(staging), mailboxes(staging, losses, scheme), alias_entries(staging)
    )


def prepare(staging):
    """The same rows under whole addresses: early guides keep local parts beside a domain."""
    name = "email" if staging.has("virtual_users", "email") else "user"
    staging.index("virtual_domains", "id")
    staging.fill("_domains", ["name"], "SELECT COALESCE(name, '') FROM virtual_domains")
    staging.fill(
        "_mailboxes",
        ["address", "id", "domain", "password", "quota"],
        f"SELECT {whole(name)}, t.id, d.name, t.password, {quota(staging)}"  # noqa: S608
        " FROM virtual_users t LEFT JOIN virtual_domains d ON d.id = t.domain_id"
        " ORDER BY CAST(t.id AS INTEGER), t.rowid",
    )
    staging.fill(
        "_aliases",
        ALIASES,
        f"SELECT {whole('source')}, t.destination,"  # noqa: S608
        " 'virtual_aliases, id ' || COALESCE(t.id, ''), t.id"
        " FROM virtual_aliases t LEFT JOIN virtual_domains d ON d.id = t.domain_id",
    )


def whole(column):
    """A local part becomes an address; an empty one stands for everybody else."""
    address = f"COALESCE(t.{column}, '') || '@' || d.name"
    return (
        f"CASE WHEN instr(t.{column}, '@') THEN t.{column}"
        f" ELSE COALESCE({address}, t.{column}, '') END"
    )


def quota(staging):
    return "t.quota" if staging.has("virtual_users", "quota") else "NULL"


def domains(staging):
    for row in staging.rows("SELECT id, name FROM virtual_domains ORDER BY rowid"):
        yield Entry("domain", {"domain": row["name"]}, f"virtual_domains, id {row['id']}")


def mailboxes(staging, losses, scheme):
    staging.index("_domains", "name")
    sql = """SELECT m.*, d.name AS own_domain FROM _mailboxes m
        LEFT JOIN _domains d ON d.name = domain_of(m.address) ORDER BY m.rowid"""
    for row in staging.rows(sql):
        place = f"virtual_users, id {row['id']}"
        note_place(row, place, losses)
        values = {"username": row["address"]}
        if row["quota"] is not None:
            values["quota_bytes"] = row["quota"]
        values |= password_values(row["password"], place, losses, scheme)
        yield Entry("mailbox", values, place, trouble_of(row["address"]))


def note_place(row, place, losses):
    """A mailbox is where its address says, whatever its row's domain is."""
    if not row["own_domain"]:
        text = _("The domain of the address is not in the source: mail was never accepted there.")
        losses.add(text, place)
    elif (row["domain"] or "").lower() != domain_of(row["address"]).lower():
        text = _("The row names another domain than the address, and the address counts.")
        losses.add(text, place)


def trouble_of(address):
    return "" if "@" in address else _("Its domain is not in the source.")
