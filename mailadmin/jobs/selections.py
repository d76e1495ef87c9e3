"""Selections: keys stored as a draft of a job until the user confirms exactly these."""

from collections.abc import Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import get_language

from mailadmin.changes.perform import Actor, Changes, perform
from mailadmin.jobs.models import Job
from mailadmin.jobs.services import add_job, check_job_limit
from mailadmin.translation import gettext as _

CONFIRMATION_KIND = "confirm"  # a selection that waits for confirmation
MAX_PENDING_SELECTIONS = 3  # per principal; older ones are dropped


def store_selection(actor: Actor, table: str, action: str, keys: Sequence[Any]) -> int:
    """Store a selection until the action is confirmed; return its number."""
    return perform(actor, add_selection, {"table": table, "action": action}, keys).pk


def add_selection(changes: Changes, arguments: dict[str, Any], keys: Sequence[Any]) -> Job:
    """Store a selection, and drop the oldest of those that were never confirmed."""
    drafts = Job.objects.owned_by(changes.principal).filter(
        kind=CONFIRMATION_KIND, state=Job.State.DRAFT
    )
    oldest = drafts.order_by("-pk").values_list("pk", flat=True)[MAX_PENDING_SELECTIONS - 1 :]
    Job.objects.filter(pk__in=list(oldest)).delete()
    return add_job(changes, CONFIRMATION_KIND, "", arguments, len(keys), Job.State.DRAFT, keys)


def find_selection(principal: Any, table: str, action: str, number: str) -> Job | None:
    """Return the unconfirmed selection of this number, if it is the principal's for this action."""
    if not number.isdecimal() or len(number) > 18:
        return None
    drafts = Job.objects.owned_by(principal).filter(
        kind=CONFIRMATION_KIND, state=Job.State.DRAFT, pk=number
    )
    wanted = {"table": table, "action": action}.items()
    return next((draft for draft in drafts if wanted <= draft.arguments.items()), None)


def load_selected_keys(job: Job) -> list:
    """Return all keys of a job's selection."""
    parts = job.selection.order_by("position").values_list("keys", flat=True)
    return [key for part in parts.iterator() for key in part]


def start_selection_job(
    changes: Changes, job: Job, kind: str, title: str, arguments: dict[str, Any]
) -> Job:
    """Turn a confirmed selection into the job that works on it; refuse a second time."""
    check_job_limit(changes.actor)
    started = Job.objects.filter(pk=job.pk, state=Job.State.DRAFT).update(
        kind=kind,
        state=Job.State.WAITING,
        title=title,
        owner=str(changes.actor)[:255],
        arguments=arguments | {"language": get_language()},
        created=changes.at,
    )
    if not started:
        raise ValidationError(_("This selection has already been confirmed."))
    return job


def delete_selection(changes: Changes, job: Job) -> None:
    """Delete a selection whose keys are processed otherwise."""
    if not Job.objects.filter(pk=job.pk, state=Job.State.DRAFT).delete()[0]:
        raise ValidationError(_("This selection has already been confirmed."))
