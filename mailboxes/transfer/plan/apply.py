"""Apply a plan: write some hundred rows per transaction with the services, no row twice."""

from collections.abc import Callable

from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet

from mailadmin.changes.perform import Changes
from mailadmin.names import fold
from mailadmin.translation import gettext as _
from mailadmin.translation import join_messages
from mailboxes.models import Plan, PlanRow
from mailboxes.transfer.row_types import ROW_TYPES
from mailboxes.transfer.row_types.base import RowType, RowValues

ROWS_PER_STEP = 500
WRITTEN_COLUMNS = ("plan", "stage", "kind", "key", "verb", "values", "digest")  # not the texts
Verb = PlanRow.Verb
RowWriter = Callable[[Changes, RowType, list[PlanRow]], None]


def next_rows(plan: Plan) -> list[PlanRow]:
    """Return the next rows to write; all are of one type."""
    pending = pending_rows(plan).only(*WRITTEN_COLUMNS).order_by("stage", "pk")
    rows = list(pending[:ROWS_PER_STEP])
    return [row for row in rows if row.stage == rows[0].stage]


def pending_rows(plan: Plan) -> QuerySet[PlanRow]:
    return plan.rows.filter(is_done=False)


# Services


def apply_rows(changes: Changes, plan: Plan, rows: list[PlanRow]) -> None:
    """Write the rows; mark those that are refused with the reason and go on with the others."""
    changes.batch = plan.batch
    check_plan_owner(changes, plan)
    rows = lock_unprocessed_rows(rows, pending_rows(plan))
    if not rows:
        return
    row_type = ROW_TYPES[rows[0].kind]
    row_type.lock(changes, [row.values for row in rows])
    refused = apply_changed(changes, row_type, [row for row in rows if row.verb == Verb.CHANGED])
    new_rows = [row for row in rows if row.verb == Verb.NEW]
    refused |= write_or_bisect(changes, row_type, create_rows, new_rows)
    written = [row.pk for row in new_rows if row.pk not in refused]
    PlanRow.objects.filter(pk__in=written).update(is_done=True, done=changes.at, values={})
    for row in rows:
        if row.pk in refused:
            mark_refused(plan, row_type, row, refused[row.pk])


def check_plan_owner(changes: Changes, plan: Plan) -> None:
    """Refuse a plan that the actor may not see: rights may have been lost since it was made."""
    if not Plan.objects.visible_to(changes.principal).filter(pk=plan.pk).exists():
        raise PermissionDenied


def lock_unprocessed_rows(rows: list[PlanRow], pending: QuerySet[PlanRow]) -> list[PlanRow]:
    """Return the rows that no other process has written, locked until the transaction ends."""
    keys = set(
        pending.filter(pk__in=[row.pk for row in rows])
        .select_for_update()
        .values_list("pk", flat=True)
    )
    return [row for row in rows if row.pk in keys]


def mark_refused(plan: Plan, row_type: RowType, row: PlanRow, reason: str) -> None:
    """Store the reason, and the values as a file holds them, for the file of rejected rows."""
    result = {"is_done": True, "verb": Verb.REFUSED, "reason": reason}
    values = row_type.to_file_values(row_type.values_from_key(row.key) | row.values)
    if not plan.of_superadmin:
        values.pop("password_hash", None)  # only superadmins may import it
    PlanRow.objects.filter(pk=row.pk).update(**result, values=values)


def create_rows(changes: Changes, row_type: RowType, rows: list[PlanRow]) -> None:
    row_type.create(changes, [row.values for row in rows])


def apply_changed(changes: Changes, row_type: RowType, rows: list[PlanRow]) -> dict[int, str]:
    """Edit the rows; refuse those that were changed since the plan was made."""
    existing = row_type.find_existing_rows([row.key for row in rows]) if rows else {}
    refused = {}
    for row in rows:
        current = existing.get(fold(row.key))
        if current is None or row_type.digest(current) != row.digest:
            refused[row.pk] = _("This was changed after the preview was made.")
        else:
            previous = row_type.previous_values(current, row.values)
            refused |= write_or_bisect(changes, row_type, edit_rows, [row])
            if row.pk not in refused:
                save_previous_values(changes, row, previous)
    return refused


def save_previous_values(changes: Changes, row: PlanRow, previous: RowValues) -> None:
    """Keep what the row had before, so that it can be restored."""
    values = {"is_done": True, "done": changes.at, "values": previous}
    PlanRow.objects.filter(pk=row.pk).update(**values)


def edit_rows(changes: Changes, row_type: RowType, rows: list[PlanRow]) -> None:
    for row in rows:
        row_type.edit(changes, row.key, row.values)


def write_or_bisect(
    changes: Changes, row_type: RowType, write_rows: RowWriter, rows: list[PlanRow]
) -> dict[int, str]:
    """Write all rows; if that is refused, halve them until those to blame are found.

    Return the reason for each row that was refused, by its key.
    """
    if not rows:
        return {}
    try:
        with changes.savepoint():
            write_rows(changes, row_type, rows)
        return {}
    except ValidationError as error:
        if len(rows) == 1:
            return {rows[0].pk: join_messages(error)}
    half = len(rows) // 2
    refused = write_or_bisect(changes, row_type, write_rows, rows[:half])
    return refused | write_or_bisect(changes, row_type, write_rows, rows[half:])
