"""Making a description true: one transaction, in which nothing happens or all of it."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import NamedTuple

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from domains.models import AliasDomain
from domains.services.locks import lock_domains
from mailadmin import passwords
from mailadmin.db.bulk import chunks
from mailadmin.db.checks import check_transactional_tables
from mailadmin.names import fold
from mailboxes.models import Alias, Mailbox
from mailboxes.transfer.entries import SourceError
from mailboxes.transfer.manifest.parse import SECTIONS
from mailboxes.transfer.plan.build import build_row_key, find_changes
from mailboxes.transfer.row_types import UNUSABLE_PASSWORD_HASH


class ReconcileStep(NamedTuple):
    """What is done to a row; the differences are (column, old, new)."""

    verb: str  # create, edit or delete
    kind: str
    key: str
    differences: list


class DryRunRollback(Exception):
    """Everything was tried, and nothing of it stays."""

    def __init__(self, steps):
        super().__init__(steps)
        self.steps = steps


# What is in the domains described, of each section
EXISTING_ROWS = {
    "mailboxes": lambda names: Mailbox.objects.filter(domain__in=names),
    # The forwarding of a mailbox is its owner's, unless the file names it.
    "aliases": lambda names: Alias.objects.filter(domain__in=names).exclude(
        pk__in=Mailbox.objects.filter(domain__in=names).values("pk")
    ),
    "alias-domains": lambda names: AliasDomain.objects.filter(alias_domain__in=names),
}


def hash_passwords(description):
    """Typed passwords become hashes, several at a time; one that is so already is left out."""
    typed = [row for row in description.rows("mailboxes").values() if "typed" in row.values]
    stored = {}
    for part in chunks(row.key for row in typed):
        people = Mailbox.objects.filter(pk__in=part).values_list("pk", "password")
        stored |= {fold(key): password for key, password in people}
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda row: hash_if_changed(row, stored.get(row.key)), typed))


def hash_if_changed(row, stored):
    typed = row.values.pop("typed")
    if not (stored and passwords.verify(typed, stored, row.key)):
        row.values["password"] = passwords.make_hash(typed, row.key)


def reconcile(changes, description, only_ask=False):
    """The steps taken; if it was only asked what they would be, none of them stays."""
    check_transactional_tables()
    lock_domains(changes, description.domains)
    steps = [
        *write_section(changes, description, "domains"),
        *delete_unlisted_rows(changes, description),
        *write_section(changes, description, "mailboxes"),
        *write_section(changes, description, "aliases"),
        *write_section(changes, description, "alias-domains"),
    ]
    if only_ask:
        raise DryRunRollback(steps)
    return steps


def delete_unlisted_rows(changes, description):
    """What is there and is not described, last things first."""
    for table in ("alias-domains", "aliases", "mailboxes"):
        if table not in description.sections:
            continue
        kind = SECTIONS[table]
        rows = EXISTING_ROWS[table](description.domains).order_by("pk")
        wanted = description.rows(table)
        keys = [key for key in rows.values_list("pk", flat=True) if fold(key) not in wanted]
        for part in chunks(keys):
            kind.delete(changes, part)
        yield from (ReconcileStep("delete", kind.name, key, []) for key in keys)


def write_section(changes, description, table):
    """Make what is missing, and change what differs."""
    kind, rows = SECTIONS[table], list(description.rows(table).values())
    for part in chunks(rows):
        there = kind.present([row.key for row in part])
        new = [row for row in part if row.key not in there]
        yield from create_rows(changes, kind, complete_new_rows(kind, new))
        for row in part:
            if row.key in there:
                yield from edit_row(changes, kind, row, there[row.key])


def complete_new_rows(kind, rows):
    """New rows as services take them. The description stays as it is: it may be run again."""
    match kind.name:
        case "mailbox":
            return [
                replace_values(row, password=row.values.get("password") or UNUSABLE_PASSWORD_HASH)
                for row in rows
            ]
        case "alias":  # that of a mailbox is there with it, before anybody has made it
            keys = Mailbox.objects.filter(pk__in=[row.key for row in rows])
            own = {fold(key) for key in keys.values_list("pk", flat=True)}
            return [replace_values(row, of_mailbox=row.key in own) for row in rows]
    return rows


def replace_values(row, **more):
    return replace(row, values=row.values | more)


def create_rows(changes, kind, rows):
    for row in rows:
        add_line_to_errors(
            row, lambda row=row: kind.check_required_columns(row.values, kind.needed)
        )
    if rows:
        locate_refused_row(
            changes, rows, lambda some: kind.create(changes, [r.values for r in some])
        )
    return [ReconcileStep("create", kind.name, row.key, describe_new_row(row)) for row in rows]


def describe_new_row(row):
    """What has to be known of a new row."""
    if row.values.get("password") != UNUSABLE_PASSWORD_HASH:
        return []
    return [["password", "", str(_("none: nobody can sign in until one is set"))]]


def edit_row(changes, kind, row, present):
    differences, values = find_changes(kind, present, row.values)
    if not differences:
        return []
    key = build_row_key(kind, present)
    add_line_to_errors(row, lambda: kind.edit(changes, key, values))
    return [ReconcileStep("edit", kind.name, key, differences)]


def locate_refused_row(changes, rows, make):
    """Make all; or find the row for which it is refused, to tell where it stands."""
    try:
        with changes.savepoint():
            make(rows)
    except ValidationError:
        for row in rows:
            add_line_to_errors(row, lambda row=row: make([row]))
        raise


def add_line_to_errors(row, do):
    try:
        do()
    except ValidationError as error:
        place = _("line %(line)s") % {"line": row.line}
        raise SourceError(f"{row.key}: {' '.join(error.messages)}", place) from error
