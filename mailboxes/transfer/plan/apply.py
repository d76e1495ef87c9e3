"""A plan made true: some hundred rows a transaction, by the services, and no row twice."""

from django.core.exceptions import PermissionDenied, ValidationError
from django.utils.translation import gettext as _

from mailadmin.names import fold
from mailboxes.models import Plan, PlanRow
from mailboxes.transfer.row_types import ROW_TYPES

ROWS_PER_STEP = 500
Verb = PlanRow.Verb


def next_rows(plan):
    """The next rows of one kind that are to be written."""
    rows = list(plan.rows.filter(is_done=False).order_by("stage", "pk")[:ROWS_PER_STEP])
    return [row for row in rows if row.stage == rows[0].stage]


def pending_rows(plan):
    return plan.rows.filter(is_done=False)


# Services


def apply_rows(changes, plan, rows):
    """Write these rows. One that is refused is marked with the reason, and hinders no other."""
    changes.batch = plan.batch
    check_plan_owner(changes, plan)
    rows = lock_unprocessed_rows(rows, pending_rows(plan))
    if not rows:
        return
    kind = ROW_TYPES[rows[0].kind]
    kind.lock(changes, [row.values for row in rows])
    refused = apply_changed(changes, kind, [row for row in rows if row.verb == Verb.CHANGED])
    new = [row for row in rows if row.verb == Verb.NEW]
    refused |= write_or_bisect(changes, lambda part: apply_new(changes, kind, part), new)
    written = [row.pk for row in new if row.pk not in refused]
    PlanRow.objects.filter(pk__in=written).update(is_done=True, done=changes.at, values={})
    for row in rows:
        if row.pk in refused:
            mark_refused(plan, kind, row, refused[row.pk])


def check_plan_owner(changes, plan):
    """Rights may have been lost since the plan was made."""
    if not Plan.objects.of(changes.principal).filter(pk=plan.pk).exists():
        raise PermissionDenied


def lock_unprocessed_rows(rows, present):
    """Those of the rows that nobody else has seen to meanwhile, ours until the transaction ends."""
    keys = set(
        present.filter(pk__in=[row.pk for row in rows])
        .select_for_update()
        .values_list("pk", flat=True)
    )
    return [row for row in rows if row.pk in keys]


def mark_refused(plan, kind, row, reason):
    """Keep the row with the reason, as a file holds it, so that it can be mended."""
    mark = {"is_done": True, "verb": Verb.REFUSED, "reason": reason}
    values = kind.to_file_values(kind.values_from_key(row.key) | row.values)
    if not plan.of_superadmin:
        values.pop("password_hash", None)  # which his file may not hold
    PlanRow.objects.filter(pk=row.pk).update(**mark, values=values)


def apply_new(changes, kind, rows):
    kind.create(changes, [row.values for row in rows])


def apply_changed(changes, kind, rows):
    """Rows that are no longer as the plan saw them are nobody's to overwrite."""
    there = kind.present([row.key for row in rows]) if rows else {}
    refused = {}
    for row in rows:
        present = there.get(fold(row.key))
        if present is None or kind.digest(present) != row.digest:
            refused[row.pk] = _("This changed after the plan was made.")
        else:
            was = kind.previous_values(present, row.values)
            refused |= write_or_bisect(changes, lambda part: edit_rows(changes, kind, part), [row])
            if row.pk not in refused:
                save_previous_values(changes, row, was)
    return refused


def save_previous_values(changes, row, was):
    """What the row had before, so that it can be taken back."""
    values = {"is_done": True, "done": changes.at, "values": was}
    PlanRow.objects.filter(pk=row.pk).update(**values)


def edit_rows(changes, kind, rows):
    for row in rows:
        kind.edit(changes, row.key, row.values)


def write_or_bisect(changes, write, rows):
    """Write all of them, or halve until those are found that are refused: row → reason."""
    if not rows:
        return {}
    try:
        with changes.savepoint():
            write(rows)
        return {}
    except ValidationError as error:
        if len(rows) == 1:
            return {rows[0].pk: " ".join(error.messages)}
    half = len(rows) // 2
    return write_or_bisect(changes, write, rows[:half]) | write_or_bisect(
        changes, write, rows[half:]
    )
