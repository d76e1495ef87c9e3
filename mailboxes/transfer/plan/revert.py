"""An import taken back: what it made is deleted, what it changed is as it was, by the services.

What was changed since, or has something else hanging on it, is left alone and listed.
"""

from django.utils.translation import gettext as _

from mailadmin.changes.models import Change
from mailadmin.names import fold
from mailboxes.models import PlanRow
from mailboxes.transfer.plan.apply import check_plan_owner, lock_unprocessed_rows, write_or_bisect
from mailboxes.transfer.row_types import ROW_TYPES

ROWS_PER_STEP = 100
Verb = PlanRow.Verb


def next_rows(plan):
    """The last rows of one kind and verb that the import wrote and that are still to be undone."""
    rows = list(pending_rows(plan).order_by("-stage", "-pk")[:ROWS_PER_STEP])
    return [row for row in rows if (row.stage, row.verb) == (rows[0].stage, rows[0].verb)]


def pending_rows(plan):
    return plan.rows.filter(is_done=True, done__isnull=False)


# Services


def revert_rows(changes, plan, rows):
    """Undo what was done to these rows, each alone where not all can be."""
    changes.batch = revert_batch_id(plan)
    check_plan_owner(changes, plan)
    rows = lock_unprocessed_rows(rows, pending_rows(plan))
    if not rows:
        return
    kind = ROW_TYPES[rows[0].kind]
    there = kind.present([row.key for row in rows])
    kind.lock(changes, [kind.words(row) for row in there.values()])
    left = find_revert_blockers(plan, kind, rows, kind.present([row.key for row in rows]))
    undo = delete_new_rows if rows[0].verb == Verb.NEW else restore_changed_rows
    todo = [row for row in rows if row.pk not in left]
    left |= write_or_bisect(changes, lambda part: undo(changes, kind, part), todo)
    PlanRow.objects.filter(pk__in=[row.pk for row in rows]).update(done=None, values={})
    for key, reason in left.items():
        PlanRow.objects.filter(pk=key).update(reason=reason)


def revert_batch_id(plan):
    """The name of the undoing: following from the import's, it is the same in every step."""
    return type(plan.batch)(int=plan.batch.int ^ 1)


def find_revert_blockers(plan, kind, rows, there):
    """Row → why it has to stay as it is."""
    new = [row.key for row in rows if row.verb == Verb.NEW]
    burdened = kind.keys_with_dependents(new) if new else set()
    dates = {row.pk: getattr(there.get(fold(row.key)), "modified", row.done) for row in rows}
    ours = find_last_writers(plan, kind, rows, set(dates.values()))
    reasons = {}
    for row in rows:
        if fold(row.key) not in there:
            reasons[row.pk] = _("It is not there any more.")
        elif was_changed_since(row, dates[row.pk], ours):
            reasons[row.pk] = _("It was changed after the import, and stays as it is.")
        elif fold(row.key) in burdened:
            reasons[row.pk] = _("Something else depends on it by now; it stays.")
    return reasons


def was_changed_since(row, date, ours):
    """Whether somebody else wrote the row last: by the panel, or without a record."""
    return not ours.get((fold(row.key), date), date is None or date <= row.done)


def find_last_writers(plan, kind, rows, dates):
    """(key, date) → whether what was written last at that date was the import or its undoing."""
    found = Change.objects.filter(
        at__in=dates, key__in=[row.key for row in rows], table=kind.model.__name__.lower()
    ).order_by("pk")
    own = (plan.batch, revert_batch_id(plan))
    return {
        (fold(key), at): batch in own for key, at, batch in found.values_list("key", "at", "batch")
    }


def delete_new_rows(changes, kind, rows):
    kind.delete(changes, [row.key for row in rows])


def restore_changed_rows(changes, kind, rows):
    for row in rows:
        kind.edit(changes, row.key, row.values)


def unreverted_rows(plan):
    """The rows that were not taken back, each with its reason."""
    return plan.rows.exclude(verb=Verb.REFUSED).exclude(reason="")
