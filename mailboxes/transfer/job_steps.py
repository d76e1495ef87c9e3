"""The steps of import jobs. The modules that read files are loaded when a job needs them."""

from mailadmin.jobs.models import Job
from mailadmin.registry import JobStep


def next_plan_step(job: Job) -> JobStep | None:
    """Read the source of an import into its plan."""
    from mailboxes.transfer.plan import workflow

    return workflow.next_reading_step(job)


def next_import_step(job: Job) -> JobStep | None:
    """Write rows of a confirmed plan."""
    from mailboxes.transfer.plan import workflow

    return workflow.next_applying_step(job)


def next_revert_step(job: Job) -> JobStep | None:
    """Undo rows of an import."""
    from mailboxes.transfer.plan import workflow

    return workflow.next_reverting_step(job)


def purge_plans() -> None:
    """Delete plans that nobody confirmed, and sources that are no longer needed."""
    from mailboxes.transfer.plan import workflow

    workflow.purge_plans()
