"""Reconcile the database with a manifest, completely or not at all: in one transaction."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import NamedTuple

from django.core.exceptions import ValidationError
from django.db.models import QuerySet

from domains.models import AliasDomain
from domains.services.locks import lock_domains
from mailadmin import passwords
from mailadmin.changes.perform import Changes
from mailadmin.db.bulk import chunks
from mailadmin.db.checks import check_transactional_tables
from mailadmin.names import fold
from mailadmin.translation import gettext as _
from mailboxes.models import Alias, Mailbox, SenderPermission
from mailboxes.transfer.entries import SourceError
from mailboxes.transfer.manifest.parse import SECTIONS, Manifest, ManifestRow
from mailboxes.transfer.plan.build import build_row_key, find_changes
from mailboxes.transfer.row_types import UNUSABLE_PASSWORD_HASH
from mailboxes.transfer.row_types.aliases import OF_MAILBOX
from mailboxes.transfer.row_types.base import Difference, ModelRow, RowType, RowValues
from mailboxes.transfer.row_types.related import RelatedRowType


class ReconcileStep(NamedTuple):
    """One change of a row; the differences are (column, old, new)."""

    verb: str  # create, edit or delete
    kind: str  # a key of `row_types.ROW_TYPES`
    key: str
    differences: list[Difference]


class DryRunRollback(Exception):
    """Carries the steps of a dry run out of the transaction, which is rolled back by it."""

    def __init__(self, steps: list[ReconcileStep]) -> None:
        super().__init__(steps)
        self.steps = steps


# Existing rows of each section, in the domains of a manifest
EXISTING_ROWS = {
    "mailboxes": lambda names: Mailbox.objects.filter(domain__in=names),
    # The owner of a mailbox may set its forwarding; only a row in the file overrides it.
    "aliases": lambda names: Alias.objects.filter(domain__in=names).exclude(
        pk__in=Mailbox.objects.filter(domain__in=names).values("pk")
    ),
    "alias-domains": lambda names: AliasDomain.objects.filter(alias_domain__in=names),
    "sender-permissions": lambda names: SenderPermission.objects.filter(domain__in=names),
}


def hash_passwords(manifest: Manifest) -> None:
    """Hash plain passwords, several at a time; leave out those that the mailbox has already."""
    rows = [row for row in manifest.rows("mailboxes").values() if row.raw_password]
    hashes: dict[str, str] = {}
    for keys in chunks(row.key for row in rows):
        found = Mailbox.objects.filter(pk__in=keys).values_list("pk", "password")
        hashes |= {fold(key): password for key, password in found}
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda row: hash_if_changed(row, hashes.get(row.key)), rows))


def hash_if_changed(row: ManifestRow, stored: str | None) -> None:
    if not (stored and passwords.verify(row.raw_password, stored, row.key)):
        row.values["password"] = passwords.make_hash(row.raw_password, row.key)


def reconcile(changes: Changes, manifest: Manifest, dry_run: bool = False) -> list[ReconcileStep]:
    """Create, edit and delete rows as the manifest says, and return the steps.

    A dry run raises DryRunRollback with them instead.
    """
    check_transactional_tables()
    lock_domains(changes, manifest.domains)
    steps = [
        *write_section(changes, manifest, "domains"),
        *delete_unlisted_rows(changes, manifest),
        *write_section(changes, manifest, "mailboxes"),
        *write_section(changes, manifest, "aliases"),
        *write_section(changes, manifest, "alias-domains"),
        *write_section(changes, manifest, "sender-permissions"),
    ]
    if dry_run:
        raise DryRunRollback(steps)
    return steps


def delete_unlisted_rows(changes: Changes, manifest: Manifest) -> Iterator[ReconcileStep]:
    """Delete existing rows that the manifest does not list, dependent ones first."""
    for table in ("sender-permissions", "alias-domains", "aliases", "mailboxes"):
        if table not in manifest.sections:
            continue
        row_type = SECTIONS[table]
        rows = EXISTING_ROWS[table](manifest.domains).order_by("pk")
        listed = manifest.rows(table)
        keys = [key for key in list_keys(row_type, rows) if fold(key) not in listed]
        for batch in chunks(keys):
            row_type.delete(changes, batch)
        yield from (ReconcileStep("delete", row_type.name, key, []) for key in keys)


def list_keys(row_type: RowType, rows: QuerySet) -> list[str]:
    """Return the keys of rows, in their order: several columns together, or the primary key."""
    if isinstance(row_type, RelatedRowType):
        return [row_type.key(values) for values in rows.values(*row_type.key_columns)]
    return list(rows.values_list("pk", flat=True))


def write_section(changes: Changes, manifest: Manifest, table: str) -> Iterator[ReconcileStep]:
    """Create the rows that are missing, and edit those that differ."""
    row_type, rows = SECTIONS[table], list(manifest.rows(table).values())
    for batch in chunks(rows):
        existing = row_type.find_existing_rows([row.key for row in batch])
        missing = [row for row in batch if row.key not in existing]
        yield from create_rows(changes, row_type, complete_new_rows(row_type, missing))
        for row in batch:
            if row.key in existing:
                yield from edit_row(changes, row_type, row, existing[row.key])


def complete_new_rows(row_type: RowType, rows: list[ManifestRow]) -> list[ManifestRow]:
    """Return new rows as services expect them. The manifest is not altered: it may be run again."""
    match row_type.name:
        case "mailbox":
            return [
                replace_values(
                    row, {"password": row.values.get("password") or UNUSABLE_PASSWORD_HASH}
                )
                for row in rows
            ]
        case "alias":  # that of a mailbox was created with it
            keys = Mailbox.objects.filter(pk__in=[row.key for row in rows])
            mailbox_keys = {fold(key) for key in keys.values_list("pk", flat=True)}
            return [replace_values(row, {OF_MAILBOX: row.key in mailbox_keys}) for row in rows]
    return rows


def replace_values(row: ManifestRow, values: RowValues) -> ManifestRow:
    return replace(row, values=row.values | values)


def create_rows(
    changes: Changes, row_type: RowType, rows: list[ManifestRow]
) -> list[ReconcileStep]:
    for row in rows:
        with add_line_to_errors(row):
            row_type.check_required_columns(row.values, row_type.required_columns)
    if rows:
        create_or_locate_error(changes, row_type, rows)
    return [ReconcileStep("create", row_type.name, row.key, describe_new_row(row)) for row in rows]


def describe_new_row(row: ManifestRow) -> list[Difference]:
    """Return what has to be known of a new row: that it has no password."""
    if row.values.get("password") != UNUSABLE_PASSWORD_HASH:
        return []
    return [["password", "", str(_("none: sign-in is not possible until one is set"))]]


def edit_row(
    changes: Changes, row_type: RowType, row: ManifestRow, existing: ModelRow
) -> list[ReconcileStep]:
    differences, values = find_changes(row_type, existing, row.values)
    if not differences:
        return []
    key = build_row_key(row_type, existing)
    with add_line_to_errors(row):
        row_type.edit(changes, key, values)
    return [ReconcileStep("edit", row_type.name, key, differences)]


def create_or_locate_error(changes: Changes, row_type: RowType, rows: list[ManifestRow]) -> None:
    """Create the rows together; if that is refused, one by one, to find the line to blame."""
    try:
        with changes.savepoint():
            row_type.create(changes, [row.values for row in rows])
    except ValidationError:
        for row in rows:
            with add_line_to_errors(row):
                row_type.create(changes, [row.values])
        raise


@contextmanager
def add_line_to_errors(row: ManifestRow) -> Iterator[None]:
    """Raise a ValidationError as SourceError, with the row's key and line."""
    try:
        yield
    except ValidationError as error:
        place = _("line %(line)s") % {"line": row.line}
        raise SourceError(f"{row.key}: {' '.join(error.messages)}", place) from error
