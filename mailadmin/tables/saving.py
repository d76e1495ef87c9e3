"""Save many forms in one transaction; repeat an edit that collides with others."""

import functools
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from django.core.exceptions import ValidationError

from mailadmin.changes.perform import AfterPerform, Changes, EditConflict, perform
from mailadmin.changes.refusals import RowError
from mailadmin.db.bulk import chunks
from mailadmin.db.checks import check_transactional_tables
from mailadmin.names import fold
from mailadmin.tables.actions import Service, Services
from mailadmin.tables.forms import TableForm
from mailadmin.tables.serialization import ErrorTexts, form_errors, validation_texts
from mailadmin.tables.table import Table
from mailadmin.translation import gettext as _

MAX_EDIT_ATTEMPTS = 3
MAX_REFUSED_ROWS = 50  # further rows are not checked
HASHING_THREADS = os.cpu_count() or 1  # hashing releases the interpreter's lock

Result = TypeVar("Result")
RowService = Callable[[Changes, list[Any]], list[Any]]


class EditOvertaken(Exception):
    """Others changed the row during each attempt."""


class RowsRefused(ValidationError):
    """Some of many rows were refused: number of the row → its errors."""

    def __init__(self, errors: dict[int, ErrorTexts], is_complete: bool = True) -> None:
        super().__init__(_("Some rows were rejected, so nothing was changed."))
        self.errors_by_number, self.is_complete = errors, is_complete


def retry_on_conflict(edit: Callable[[], Result]) -> Result:
    """Run an edit that reads the row itself; again if somebody else changed it meanwhile."""
    for _attempt in range(MAX_EDIT_ATTEMPTS):
        try:
            return edit()
        except EditConflict:
            continue
    raise EditOvertaken


@dataclass(frozen=True)
class SavedBatch:
    """Rows to save, a service that takes them all at once, and their keys as far as known."""

    service: RowService
    rows: list[Any]
    keys: list[Any]

    def save(self, changes: Changes, numbers: range) -> list[Any]:
        """Save these of the rows, or none of them."""
        with changes.savepoint():
            return self.service(changes, [self.rows[number] for number in numbers])


def save_forms(
    table: Table, forms: Iterable[TableForm], after: AfterPerform | None = None
) -> list[Any]:
    """Save all forms in one transaction, in order, and return their rows."""
    valid = validate_batch(table, forms)
    batch = build_batch(table.services, valid, hash_passwords(valid))
    seen = [form.get_seen_version() for form in valid]
    return perform(valid[0].actor, save_batch, batch, seen=seen, after=after)


def validate_batch(table: Table, forms: Iterable[TableForm]) -> list[TableForm]:
    """Return all forms; refuse what can be seen to be wrong before passwords are hashed."""
    valid = validate_forms(forms)
    refuse_existing_keys(table, valid)
    return valid


def hash_passwords(forms: Iterable[TableForm]) -> list[dict[str, Any]]:
    """Return the values of the forms for the service, with the hashes of new passwords."""
    with ThreadPoolExecutor(HASHING_THREADS) as pool:
        return list(pool.map(lambda form: form.get_service_values(), forms))


def build_batch(services: Services, forms: Sequence[TableForm], values: list[dict]) -> SavedBatch:
    """Return the batch of forms that are all for new rows, or all for existing ones."""
    if not forms[0].is_edit:
        return SavedBatch(services.create, values, [form.get_new_key() for form in forms])
    keys = [form.instance.pk for form in forms]
    edits = list(zip(keys, values, strict=True))
    return SavedBatch(
        services.edit_many or functools.partial(edit_each, services.edit), edits, keys
    )


def edit_each(edit: Service, changes: Changes, edits: list[tuple[Any, dict]]) -> list[Any]:
    """Edit rows one by one, with a service that takes no more."""
    return [edit(changes, key, values) for key, values in edits]


def validate_forms(forms: Iterable[TableForm]) -> list[TableForm]:
    """Return all forms if every one is valid; after many refusals the rest is not checked."""
    valid: list[TableForm] = []
    refused: dict[int, ErrorTexts] = {}
    for number, form in enumerate(forms):
        if len(refused) == MAX_REFUSED_ROWS:
            raise RowsRefused(refused, is_complete=False)
        if form.is_valid():
            valid.append(form)
        else:
            refused[number] = form_errors(form)
    if refused:
        raise RowsRefused(refused)
    return valid


def refuse_existing_keys(table: Table, forms: Sequence[TableForm]) -> None:
    """Refuse new rows that exist already, before their passwords are hashed."""
    keys = {
        number: key
        for number, form in enumerate(forms)
        if not form.is_edit and (key := form.get_new_key()) is not None
    }
    for part in chunks(keys.values()):
        rows = table.model._default_manager.filter(pk__in=part)
        existing = {fold(key) for key in rows.values_list("pk", flat=True)}
        if duplicates := [number for number, key in keys.items() if fold(key) in existing]:
            text = _("%(key)s already exists.")
            raise RowsRefused(
                {n: {"": [text % {"key": keys[n]}]} for n in duplicates[:MAX_REFUSED_ROWS]},
                is_complete=len(duplicates) <= MAX_REFUSED_ROWS,
            )


def save_batch(changes: Changes, batch: SavedBatch) -> list[Any]:
    """Save all rows; if one is refused, report which."""
    every = range(len(batch.rows))
    if len(every) > 1:
        check_transactional_tables()
    try:
        return batch.save(changes, every)
    except ValidationError as error:
        refused = find_refused(changes, batch, error) if len(every) > 1 else {}
        raise RowsRefused(refused or {0: validation_texts(error)}) from error


def find_refused(
    changes: Changes, batch: SavedBatch, error: ValidationError
) -> dict[int, ErrorTexts]:
    """Return the errors of the rows that are refused in their order; the caller saves nothing.

    Rows are saved in parts; what is refused is parted again, down to single rows.
    """
    refused: dict[int, ErrorTexts] = {}
    waiting = split_refused(range(len(batch.rows)), batch.keys, error)
    while waiting and len(refused) < MAX_REFUSED_ROWS:
        part = waiting.pop()
        try:
            batch.save(changes, part)
        except ValidationError as part_error:
            if len(part) == 1:
                refused[part[0]] = validation_texts(part_error)
            else:
                waiting += split_refused(part, batch.keys, part_error)
    return refused


def split_refused(part: range, keys: Sequence[Any], error: ValidationError) -> list[range]:
    """Return smaller parts, the first one last: around the row that the error names, or halves."""
    middle, end = len(part) // 2, len(part) // 2
    if isinstance(error, RowError):
        named = fold(error.key)
        middle = next((at for at, number in enumerate(part) if fold(keys[number]) == named), middle)
        end = middle + 1
    parts = [part[:middle], part[middle:end], part[end:]]
    return [each for each in reversed(parts) if each]
