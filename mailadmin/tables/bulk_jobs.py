"""The steps of a bulk action that runs as a job."""

from mailadmin import registry
from mailadmin.jobs.models import Job
from mailadmin.jobs.services import ROWS_PER_STEP


def get_next_bulk_step(job: Job) -> registry.JobStep | None:
    """Return the step for the next rows of a bulk action; rows deleted meanwhile are left out."""
    position = -(-job.done // ROWS_PER_STEP)  # the last part may be shorter
    part = job.selection.filter(position=position).values_list("keys", flat=True).first()
    if not part:
        return None
    table = registry.tables[job.arguments["table"]]
    action = next(a for a in table.actions if a.name == job.arguments["action"])
    rows = table.model._default_manager.filter(pk__in=part)
    existing = set(rows.values_list("pk", flat=True))
    keys, entered = [key for key in part if key in existing], job.arguments.get("entered")
    service, *arguments = table.action_step(action, keys, entered)
    return service, tuple(arguments), len(part)
