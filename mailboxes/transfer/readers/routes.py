"""Aliases as Postfix reads them, for sources that only say where mail goes.

A reader fills three tables of the staging: `_domains` (name), `_mailboxes` (address) and
`_aliases` (address, goto, place, number: the order among rows of one address).
"""

import itertools
import sqlite3
from collections.abc import Iterable, Iterator

from django.core.exceptions import ValidationError

from domains.patterns import validate_transport
from mailadmin.translation import gettext as _
from mailboxes.models import is_vacation_target
from mailboxes.models.goto import split_goto
from mailboxes.transfer.entries import Losses, SourceEntry
from mailboxes.transfer.readers.staging import Staging, split_domain

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


def iter_alias_entries(staging: Staging) -> Iterator[SourceEntry]:
    """Yield aliases in order of their addresses, then the alias domains found among them."""
    staging.create_index("_aliases", "address", "number")
    staging.create_index("_mailboxes", "address")
    alias_domains = find_alias_domains(staging)
    for address, rows in itertools.groupby(
        staging.query(SORTED_ALIASES_SQL), lambda row: fold_address(row)
    ):
        if not (address.startswith("@") and address[1:] in alias_domains):
            yield from merge_alias_rows(list(rows))
    for alias_domain, (target, place) in alias_domains.items():
        values = {"alias_domain": alias_domain, "target_domain": target, "active": "1"}
        yield SourceEntry("alias-domain", values, place)


def fold_address(row: sqlite3.Row) -> str:
    return row["address"].lower()


def merge_alias_rows(rows: list[sqlite3.Row]) -> Iterator[SourceEntry]:
    """Yield one alias for all rows of an address; none if it only delivers to its own mailbox."""
    address, place = rows[0]["address"], rows[0]["place"]
    all_targets = unique_targets(target for row in rows for target in split_goto(row["goto"]))
    targets = [target for target in all_targets if not is_vacation_target(target)]
    own_targets = [target for target in targets if target.lower() == address.lower()]
    if rows[0]["mailbox"] and targets == own_targets:
        return
    yield SourceEntry(
        "alias", {"address": address, "goto": targets}, place, find_alias_error(address, targets)
    )


def unique_targets(targets: Iterable[str]) -> list[str]:
    """Return each target once, comparing without regard to case."""
    first: dict[str, str] = {}
    for target in targets:
        first.setdefault(target.lower(), target)
    return list(first.values())


def find_alias_error(address: str, targets: list[str]) -> str:
    """Return why Postfix cannot use this alias, or an empty string."""
    if "@" not in address:
        return _(
            "This is not an email address: Postfix would treat it as a domain without mailboxes."
        )
    return "" if targets else _("It has no target.")


# Transports


def map_domain_transports(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the transports of domains that are not the default one, by domain.

    PostfixAdmin's maps ask only the column of the domain: left at its default, they would deliver
    here what was sent on before.
    """
    return {
        pattern.lower(): transport
        for pattern, transport in pairs
        if pattern and "@" not in pattern and is_transport(transport or "")
    }


def is_transport(text: str) -> bool:
    try:
        validate_transport(text)
    except ValidationError:
        return False  # its own entry is refused with the reason
    return bool(text.strip(":"))


# Catch-alls


def note_catch_alls(
    staging: Staging, losses: Losses, mailboxes: str, column: str, aliases: str
) -> None:
    """Note mailboxes whose mail a catch-all received, since they had no alias of their own."""
    staging.create_index(aliases, "address")
    sql = f"""SELECT m.{column} AS address FROM {mailboxes} m
        JOIN {aliases} c ON c.address = '@' || domain_of(m.{column})
        LEFT JOIN {aliases} a ON a.address = m.{column}
        WHERE a.address IS NULL AND c.goto <> m.{column}"""  # noqa: S608
    for row in staging.query(sql):
        text = _("A catch-all took the mail of a mailbox. From now on, the mailbox receives it.")
        losses.add(text, row["address"])


# Whole domains


def find_alias_domains(staging: Staging) -> dict[str, tuple[str, str]]:
    """Return (target domain, place) of each domain whose only alias is `@domain → @target`."""
    rows = list(staging.query(DOMAIN_TO_DOMAIN_SQL))
    if not rows:
        return {}
    single_alias_domains = {
        row["domain"].lower() for row in staging.query(SINGLE_ALIAS_DOMAINS_SQL)
    }
    domains = {row["name"].lower() for row in staging.query("SELECT name FROM _domains")}
    targets = {}
    for row in rows:
        domain = (split_domain(row["address"]) or "").lower()
        target = row["goto"].strip().lower()[1:]
        if domain in single_alias_domains and target in domains:
            targets[domain] = target, row["place"]
    return {name: target for name, target in targets.items() if target[0] not in targets}
