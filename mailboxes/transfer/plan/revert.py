"""Undo an import: delete what it created and restore what it changed, with the services.

Rows that were changed since, or that others depend on by now, are left as they are and listed.
"""

import datetime
from uuid import UUID

from django.db.models import QuerySet

from mailadmin.changes.models import Change
from mailadmin.changes.perform import Changes
from mailadmin.names import fold
from mailadmin.translation import gettext as _
from mailboxes.models import Plan, PlanRow
from mailboxes.transfer.plan.apply import check_plan_owner, lock_unprocessed_rows, write_or_bisect
from mailboxes.transfer.row_types import ROW_TYPES
from mailboxes.transfer.row_types.base import ModelRow, RowType

ROWS_PER_STEP = 100
Verb = PlanRow.Verb
OwnWrites = dict[tuple[str, datetime.datetime | None], bool]  # by (folded key, date)


def next_rows(plan: Plan) -> list[PlanRow]:
    """Return the last rows of one type and verb that the import wrote and that are to be undone."""
    rows = list(pending_rows(plan).order_by("-stage", "-pk")[:ROWS_PER_STEP])
    return [row for row in rows if (row.stage, row.verb) == (rows[0].stage, rows[0].verb)]


def pending_rows(plan: Plan) -> QuerySet[PlanRow]:
    return plan.rows.filter(is_done=True, done__isnull=False)


# Services


def revert_rows(changes: Changes, plan: Plan, rows: list[PlanRow]) -> None:
    """Undo the rows; if that is refused, find those that cannot be undone and leave them."""
    changes.batch = revert_batch_id(plan)
    check_plan_owner(changes, plan)
    rows = lock_unprocessed_rows(rows, pending_rows(plan))
    if not rows:
        return
    row_type = ROW_TYPES[rows[0].kind]
    existing = row_type.find_existing_rows([row.key for row in rows])
    row_type.lock(changes, [row_type.values_from_row(row) for row in existing.values()])
    blocked = find_revert_blockers(
        plan, row_type, rows, row_type.find_existing_rows([row.key for row in rows])
    )
    undo = delete_new_rows if rows[0].verb == Verb.NEW else restore_changed_rows
    undoable = [row for row in rows if row.pk not in blocked]
    blocked |= write_or_bisect(changes, row_type, undo, undoable)
    PlanRow.objects.filter(pk__in=[row.pk for row in rows]).update(done=None, values={})
    for key, reason in blocked.items():
        PlanRow.objects.filter(pk=key).update(reason=reason)


def revert_batch_id(plan: Plan) -> UUID:
    """Return the batch id of the undoing: derived from the import's, so the same in every step."""
    return UUID(int=plan.batch.int ^ 1)


def find_revert_blockers(
    plan: Plan, row_type: RowType, rows: list[PlanRow], existing: dict[str, ModelRow]
) -> dict[int, str]:
    """Return the rows that have to stay, with the reason for each."""
    new_keys = [row.key for row in rows if row.verb == Verb.NEW]
    with_dependents = row_type.keys_with_dependents(new_keys) if new_keys else set()
    dates = {row.pk: getattr(existing.get(fold(row.key)), "modified", row.done) for row in rows}
    own_writes = find_last_writers(plan, row_type, rows, set(dates.values()))
    reasons = {}
    for row in rows:
        if fold(row.key) not in existing:
            reasons[row.pk] = _("No longer exists.")
        elif was_changed_since(row, dates[row.pk], own_writes):
            reasons[row.pk] = _("Changed after the import; kept.")
        elif fold(row.key) in with_dependents:
            reasons[row.pk] = _("Other rows depend on it now; kept.")
    return reasons


def was_changed_since(
    row: PlanRow,
    date: datetime.datetime | None,
    own_writes: OwnWrites,
) -> bool:
    """Tell whether somebody else wrote the row last: with the panel, or without a change record."""
    is_older = date is None or row.done is None or date <= row.done
    return not own_writes.get((fold(row.key), date), is_older)


def find_last_writers(
    plan: Plan, row_type: RowType, rows: list[PlanRow], dates: set[datetime.datetime | None]
) -> OwnWrites:
    """Tell for each (key, date) whether the last change then was the import's or its undoing's."""
    records = Change.objects.filter(
        at__in=[date for date in dates if date],
        key__in=[row.key for row in rows],
        table=row_type.model.__name__.lower(),
    ).order_by("pk")
    own_batches = (plan.batch, revert_batch_id(plan))
    return {
        (fold(key), at): batch in own_batches
        for key, at, batch in records.values_list("key", "at", "batch")
    }


def delete_new_rows(changes: Changes, row_type: RowType, rows: list[PlanRow]) -> None:
    row_type.delete(changes, [row.key for row in rows])


def restore_changed_rows(changes: Changes, row_type: RowType, rows: list[PlanRow]) -> None:
    for row in rows:
        row_type.edit(changes, row.key, row.values)


def reverted_rows(plan: Plan) -> QuerySet[PlanRow]:
    """Return the rows that were written and undone."""
    return plan.rows.filter(is_done=True, done__isnull=True, reason="")


def unreverted_rows(plan: Plan) -> QuerySet[PlanRow]:
    """Return the rows that were not undone; each has its reason."""
    return plan.rows.exclude(verb=Verb.REFUSED).exclude(reason="")
