"""Save many forms in one transaction; repeat an edit that collides with others."""

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from django.core.exceptions import ValidationError

from mailadmin.changes.perform import AfterPerform, Changes, EditConflict, perform
from mailadmin.db.bulk import chunks
from mailadmin.db.checks import check_transactional_tables
from mailadmin.names import fold
from mailadmin.tables.forms import TableForm
from mailadmin.tables.serialization import ErrorTexts, form_errors, validation_texts
from mailadmin.tables.table import Table
from mailadmin.translation import gettext as _

MAX_EDIT_ATTEMPTS = 3
MAX_REFUSED_ROWS = 50  # further rows are not checked
HASHING_THREADS = os.cpu_count() or 1  # hashing releases the interpreter's lock

Result = TypeVar("Result")
ServiceCall = tuple[Any, ...]  # the service and its arguments


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


def save_forms(
    table: Table, forms: Iterable[TableForm], after: AfterPerform | None = None
) -> list[Any]:
    """Save all forms in one transaction, in order, and return their rows."""
    valid = validate_forms(forms)
    refuse_existing_keys(table, valid)
    with ThreadPoolExecutor(HASHING_THREADS) as pool:
        calls = list(pool.map(lambda form: form.service_call(table.services), valid))
    seen = [form.get_seen_version() for form in valid]
    is_creation = not valid[0].is_edit
    return perform(valid[0].actor, run_service_calls, calls, is_creation, seen=seen, after=after)


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


def run_service_calls(
    changes: Changes, calls: Sequence[ServiceCall], is_creation: bool
) -> list[Any]:
    """Run all calls; if one is refused, report which."""
    if len(calls) > 1:
        check_transactional_tables()
    try:
        with changes.savepoint():
            return run_together(changes, calls, is_creation)
    except ValidationError as error:
        refused = find_refused(changes, calls, is_creation)
        raise RowsRefused(refused or {0: validation_texts(error)}) from error


def run_together(changes: Changes, calls: Sequence[ServiceCall], is_creation: bool) -> list[Any]:
    """Run the calls, those that create rows as one, and return all rows."""
    return run_all(changes, merge_creations(calls) if is_creation else calls)


def merge_creations(calls: Sequence[ServiceCall]) -> Sequence[ServiceCall]:
    """Return one call for all new rows, since services take many."""
    service = calls[0][0]
    return [(service, [row for _service, rows in calls for row in rows])]


def run_all(changes: Changes, calls: Sequence[ServiceCall]) -> list[Any]:
    """Run the calls in order and return all rows."""
    rows: list[Any] = []
    for service, *arguments in calls:
        result = service(changes, *arguments)
        rows += result if isinstance(result, list) else [result]
    return rows


def find_refused(
    changes: Changes, calls: Sequence[ServiceCall], is_creation: bool
) -> dict[int, ErrorTexts]:
    """Return the errors of the calls that are refused in their order; nothing is saved.

    Calls run together; if that is refused, in two halves, and so on to the single ones.
    """
    refused: dict[int, ErrorTexts] = {}
    waiting = [range(len(calls))]
    while waiting and len(refused) < MAX_REFUSED_ROWS:
        part = waiting.pop()
        try:
            with changes.savepoint():
                run_together(changes, [calls[number] for number in part], is_creation)
        except ValidationError as error:
            if len(part) == 1:
                refused[part[0]] = validation_texts(error)
            else:
                middle = len(part) // 2
                waiting += [part[middle:], part[:middle]]
    return refused
