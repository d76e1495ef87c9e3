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
from mailboxes.transfer.entries import Entry
from mailboxes.transfer.readers.staging import domain_of

ALIASES = ["address", "goto", "place", "number"]
IN_ORDER = """
    SELECT a.address, a.goto, a.place, m.address AS mailbox
    FROM _aliases a LEFT JOIN _mailboxes m ON m.address = a.address
    ORDER BY a.address, CAST(a.number AS INTEGER), a.rowid
"""
WHOLE_DOMAINS = """
    SELECT a.address, a.goto, a.place FROM _aliases a
    WHERE a.address LIKE '@%' AND a.goto LIKE '@%'
      AND domain_of(a.address) COLLATE NOCASE IN (SELECT name FROM _domains)
      AND domain_of(a.address) COLLATE NOCASE NOT IN (
        SELECT domain_of(address) FROM _mailboxes WHERE address LIKE '%@%')
"""
LONELY = """
    SELECT domain_of(address) AS domain FROM _aliases WHERE address LIKE '%@%'
    GROUP BY domain_of(address) COLLATE NOCASE HAVING COUNT(*) = 1
"""


def alias_entries(staging):
    """Aliases in order of their addresses, then the alias domains among them."""
    staging.index("_aliases", "address", "number")
    staging.index("_mailboxes", "address")
    mirrors = mirrors_in(staging)
    for address, rows in itertools.groupby(staging.rows(IN_ORDER), lambda row: folded(row)):
        if not (address.startswith("@") and address[1:] in mirrors):
            yield from alias_entry(list(rows))
    for mirror, (target, place) in mirrors.items():
        values = {"alias_domain": mirror, "target_domain": target, "active": "1"}
        yield Entry("alias-domain", values, place)


def folded(row):
    return row["address"].lower()


def alias_entry(rows):
    """The one alias that all rows of an address are; none if it leads a mailbox to itself."""
    address, place = rows[0]["address"], rows[0]["place"]
    named = unique(target for row in rows for target in split_goto(row["goto"]))
    targets = [target for target in named if not is_vacation_target(target)]
    own = [target for target in targets if target.lower() == address.lower()]
    if rows[0]["mailbox"] and targets == own:
        return
    yield Entry("alias", {"address": address, "goto": targets}, place, trouble_of(address, targets))


def unique(targets):
    """Each target once, however it is written."""
    first = {}
    for target in targets:
        first.setdefault(target.lower(), target)
    return list(first.values())


def trouble_of(address, targets):
    """Why Postfix could not use this alias, or must not be given it."""
    if "@" not in address:
        return _("It is no address: Postfix would take the name for a domain without mailboxes.")
    return "" if targets else _("It leads nowhere.")


# Transports


def transports_of_domains(pairs):
    """Domain → its transport, where that is more than the usual one.

    PostfixAdmin's maps ask the column of the domain alone: left as usual there, they would deliver
    here what has been sent on.
    """
    return {
        pattern.lower(): transport
        for pattern, transport in pairs
        if pattern and "@" not in pattern and names_a_transport(transport or "")
    }


def names_a_transport(text):
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


def mirrors_in(staging):
    """Domain → (target domain, place) where `@domain → @target` is all that is known of it."""
    whole = list(staging.rows(WHOLE_DOMAINS))
    if not whole:
        return {}
    lonely = {row["domain"].lower() for row in staging.rows(LONELY)}
    domains = {row["name"].lower() for row in staging.rows("SELECT name FROM _domains")}
    found = {}
    for row in whole:
        domain, target = domain_of(row["address"]).lower(), row["goto"].strip().lower()[1:]
        if domain in lonely and target in domains:
            found[domain] = target, row["place"]
    return {name: way for name, way in found.items() if way[0] not in found}
