"""The steps of jobs that the API starts. What they need is loaded when there is such a job."""

from mailadmin.jobs.models import Job
from mailadmin.registry import JobStep

CREATION_JOB_KIND = "create-rows"


def get_next_creation_step(job: Job) -> JobStep | None:
    """Hash the next passwords of new rows, or create the rows."""
    from mailadmin.api import creation_jobs

    return creation_jobs.get_next_step(job)
