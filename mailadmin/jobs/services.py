"""Start, continue and dismiss background jobs."""

from collections.abc import Iterable, Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import get_language

from mailadmin.changes.perform import Actor, Changes, perform
from mailadmin.db.bulk import chunks, insert_rows
from mailadmin.jobs.models import Job, JobKeys
from mailadmin.translation import gettext as _

ROWS_PER_STEP = 100
MAX_UNFINISHED_JOBS = 50  # per principal; the command line has no limit


def start_job(
    actor: Actor,
    kind: str,
    title: str,
    arguments: dict[str, Any],
    total: int,
    keys: Sequence[Any] = (),
) -> Job:
    """Store a job, which the worker will find."""
    return perform(actor, add_job_within_limit, kind, title, arguments, total, keys)


def add_job_within_limit(
    changes: Changes,
    kind: str,
    title: str,
    arguments: dict[str, Any],
    total: int,
    keys: Sequence[Any] = (),
) -> Job:
    """Add a job that a user starts, unless they have too many unfinished ones."""
    check_job_limit(changes.actor)
    return add_job(changes, kind, title, arguments, total, keys=keys)


def add_job(
    changes: Changes,
    kind: str,
    title: str,
    arguments: dict[str, Any],
    total: int,
    state: str = Job.State.WAITING,
    keys: Sequence[Any] = (),
) -> Job:
    """Add a job within a service, so that it exists exactly if the service is committed."""
    principal = changes.actor.principal
    job = Job.objects.create(
        kind=kind,
        state=state,
        title=title,
        owner=str(changes.actor)[:255],
        owner_model=principal.model_label,
        owner_key=principal.pk or "",
        token_id=getattr(principal, "token_id", None),
        arguments=arguments | {"language": get_language()},  # its messages are stored
        total=total,
    )
    parts = enumerate(chunks(keys, ROWS_PER_STEP))
    insert_rows([JobKeys(job=job, position=number, keys=part) for number, part in parts])
    return job


def check_job_limit(actor: Actor) -> None:
    """Refuse another job to a principal who has many unfinished ones."""
    if not actor.principal.model_label:
        return
    unfinished = Job.objects.owned_by(actor.principal).filter(
        state__in=[Job.State.WAITING, Job.State.RUNNING]
    )
    if unfinished.count() >= MAX_UNFINISHED_JOBS:
        raise ValidationError(
            _("You have %(count)s unfinished background jobs. Wait until some of them are done."),
            params={"count": MAX_UNFINISHED_JOBS},
        )


def retry_job(changes: Changes, job_id: int) -> None:
    """Continue a failed job where it stopped."""
    Job.objects.filter(pk=job_id, state=Job.State.FAILED).update(
        state=Job.State.WAITING, message="", finished=None, attempts=0
    )


def dismiss_job(changes: Changes, job_id: int) -> None:
    """Delete a finished job."""
    Job.objects.filter(pk=job_id, state__in=[Job.State.FAILED, Job.State.DONE]).delete()


def dismiss_failed_jobs(changes: Changes, job_ids: Iterable[int]) -> None:
    """Delete those of these jobs that failed."""
    for part in chunks(job_ids):
        Job.objects.filter(pk__in=part, state=Job.State.FAILED).delete()
