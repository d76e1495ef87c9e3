"""Aliases as Postfix reads them, for the sources that say no more than where mail goes.

A reader fills three tables of the staging: `_domains` (name), `_mailboxes` (address) and
`_aliases` (address, goto, place, number: the order among rows of one address).
"""

import itertools

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from domains.patterns import validate_transport
from mailadmin.db.fields import split_goto
from mailboxes.models import is_vacation_target
from mailboxes.transfer.entries import SourceEntry
from mailboxes.transfer.readers.staging import split_domain

ALIAS_COLUMNS = ["address", "goto", "place", "number"]
SORTED_ALIASES_SQL = """
    SELECT a.address, a.goto, a.place, m.address AS mailbox
    FROM _aliases a LEFT JOIN _mailboxes m ON m.address = a.address
    ORDER BY a.address, CAST(a.number AS INTEGER), a.rowid
"""
DOMAIN_TO_DOMAIN_SQL = """
    SELECT a.address, a.goto, a.place FROM _aliases a
    WHERE a.address LIKE '@%' AND a.goto LIKE '@%'
      AND domain_of(a.address) COLLATE NOCASE IN (SELECT name FROM _domains)
      AND domain_of(a.address) COLLATE NOCASE NOT IN (
        SELECT domain_of(address) FROM _mailboxes WHERE address LIKE '%@%')
"""
SINGLE_ALIAS_DOMAINS_SQL = """
    SELECT domain_of(address) AS domain FROM _aliases WHERE address LIKE '%@%'
    GROUP BY domain_of(address) COLLATE NOCASE HAVING COUNT(*) = 1
"""


def iter_alias_entries(staging):
    """Aliases in order of their addresses, then the alias domains among them."""
    staging.index("_aliases", "address", "number")
    staging.index("_mailboxes", "address")
    mirrors = find_alias_domains(staging)
    for address, rows in itertools.groupby(
        staging.rows(SORTED_ALIASES_SQL), lambda row: fold_address(row)
    ):
        if not (address.startswith("@") and address[1:] in mirrors):
            yield from merge_alias_rows(list(rows))
    for mirror, (target, place) in mirrors.items():
        values = {"alias_domain": mirror, "target_domain": target, "active": "1"}
        yield SourceEntry("alias-domain", values, place)


def fold_address(row):
    return row["address"].lower()


def merge_alias_rows(rows):
    """The one alias that all rows of an address are; none if it leads a mailbox to itself."""
    address, place = rows[0]["address"], rows[0]["place"]
    named = unique_targets(target for row in rows for target in split_goto(row["goto"]))
    targets = [target for target in named if not is_vacation_target(target)]
    own = [target for target in targets if target.lower() == address.lower()]
    if rows[0]["mailbox"] and targets == own:
        return
    yield SourceEntry(
        "alias", {"address": address, "goto": targets}, place, find_alias_error(address, targets)
    )


def unique_targets(targets):
    """Each target once, however it is written."""
    first = {}
    for target in targets:
        first.setdefault(target.lower(), target)
    return list(first.values())


def find_alias_error(address, targets):
    """Why Postfix could not use this alias, or must not be given it."""
    if "@" not in address:
        return _("It is no address: Postfix would take the name for a domain without mailboxes.")
    return "" if targets else _("It leads nowhere.")


# Transports


def map_domain_transports(pairs):
    """Domain → its transport, where that is more than the usual one.

    PostfixAdmin's maps ask the column of the domain alone: left as usual there, they would deliver
    here what has been sent on.
    """
    return {
        pattern.lower(): transport
        for pattern, transport in pairs
        if pattern and "@" not in pattern and is_transport(transport or "")
    }


def is_transport(text):
    try:
        validate_transport(text)
    except ValidationError:
        return False  # which its own entry tells
    return bool(text.strip(":"))


# Catch-alls


def note_catch_alls(staging, losses, mailboxes, column, aliases):
    """Tell of mailboxes whose mail a catch-all has had, since no alias of theirs kept it."""
    staging.index(aliases, "address")
    sql = f"""SELECT m.{column} AS address FROM {mailboxes} m
        JOIN {aliases} c ON c.address = '@' || domain_of(m.{column})
        LEFT JOIN {aliases} a ON a.address = m.{column}
        WHERE a.address IS NULL AND c.goto <> m.{column}"""  # noqa: S608
    for row in staging.rows(sql):
        text = _("A catch-all took the mail of a mailbox: from now on the mailbox has it.")
        losses.add(text, row["address"])


# Whole domains


def find_alias_domains(staging):
    """Domain → (target domain, place) where `@domain → @target` is all that is known of it."""
    whole = list(staging.rows(DOMAIN_TO_DOMAIN_SQL))
    if not whole:
        return {}
    lonely = {row["domain"].lower() for row in staging.rows(SINGLE_ALIAS_DOMAINS_SQL)}
    domains = {row["name"].lower() for row in staging.rows("SELECT name FROM _domains")}
    found = {}
    for row in whole:
        domain, target = split_domain(row["address"]).lower(), row["goto"].strip().lower()[1:]
        if domain in lonely and target in domains:
            found[domain] = target, row["place"]
    return {name: way for name, way in found.items() if way[0] not in found}
