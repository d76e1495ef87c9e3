"""Services that store a plan while its source is read."""

from mailadmin.changes.perform import Changes
from mailadmin.db.bulk import chunks, insert_rows
from mailadmin.jobs.runner import JobCanceled
from mailadmin.translation import encode_text
from mailadmin.translation import gettext as _
from mailboxes.models import Plan, PlanRow
from mailboxes.transfer.entries import Losses
from mailboxes.transfer.plan.build import PlanRowDraft, find_changes
from mailboxes.transfer.plan.limits import DomainLimits
from mailboxes.transfer.row_types import ROW_TYPES
from mailboxes.transfer.row_types.base import RowValues
from mailboxes.transfer.uploads import delete_upload, hide_temp_folder

Verb = PlanRow.Verb


def begin_plan(changes: Changes, plan_id: int) -> None:
    """Delete rows of an earlier reading: a plan is always read from the beginning."""
    PlanRow.objects.filter(plan=plan_id).delete()


def add_plan_rows(changes: Changes, plan_id: int, rows: list[PlanRowDraft]) -> None:
    if not Plan.objects.select_for_update().filter(pk=plan_id, state=Plan.State.READING).exists():
        raise JobCanceled(_("The import was discarded while the file was being read."))
    insert_rows(rows, PlanRow)


def finish_plan(
    changes: Changes, plan_id: int, losses: Losses, widened_limits: dict[str, DomainLimits]
) -> None:
    """Mark the plan as ready to be reviewed."""
    domains = PlanRow.objects.filter(plan=plan_id, kind="domain", verb__in=[Verb.NEW, Verb.CHANGED])
    for keys in chunks(widened_limits):
        for row in domains.filter(key__in=keys):
            widen_domain_row(row, row.values | widened_limits[row.key])
    notes = [
        {
            "text": encode_text(hide_temp_folder(note.text)),
            "count": note.count,
            "places": [encode_text(hide_temp_folder(place)) for place in note.places],
        }
        for note in losses
    ]
    Plan.objects.filter(pk=plan_id, state=Plan.State.READING).update(
        state=Plan.State.READY, losses=notes
    )
    delete_upload(plan_id)


def widen_domain_row(row: PlanRow, values: RowValues) -> None:
    """Set these limits in the row of a domain; those that it has already are no change."""
    if row.verb == Verb.CHANGED:
        row_type = ROW_TYPES[row.kind]
        existing = row_type.find_existing_rows([row.key])[row.key]
        row.differences, values = find_changes(row_type, existing, values)
        row.verb, row.is_done = (row.verb, False) if row.differences else (Verb.SAME, True)
    result = {"verb": row.verb, "is_done": row.is_done, "differences": row.differences}
    PlanRow.objects.filter(pk=row.pk).update(values=values, **result)


def fail_plan(changes: Changes, plan_id: int, error: str) -> None:
    """Delete the rows: a source that cannot be read completely gives no plan."""
    PlanRow.objects.filter(plan=plan_id).delete()
    Plan.objects.filter(pk=plan_id).update(state=Plan.State.FAILED, trouble=error)
    delete_upload(plan_id)
