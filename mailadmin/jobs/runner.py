"""Start and run background jobs: chains of transactions that store their progress."""

import datetime
import logging
import os
import socket
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.apps import apps
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import InterfaceError, OperationalError, connection
from django.db.models import F, Q, QuerySet
from django.utils import timezone
from django.utils.translation import get_language, override
from django.utils.translation import gettext as _

from mailadmin import registry
from mailadmin.changes.perform import Actor, Changes, perform
from mailadmin.db.bulk import chunks, insert_rows
from mailadmin.db.retry import retry_on_deadlock
from mailadmin.jobs.models import Job, JobKeys, WorkerSign

logger = logging.getLogger("mailadmin.jobs")

LEASE_DURATION = datetime.timedelta(seconds=60)
MAX_STEP_ATTEMPTS = 5  # a step that kills the worker each time must not do so forever
ROWS_PER_STEP = 100
CONFIRMATION_KIND = "confirm"  # a selection that waits for confirmation
MAX_IN_MEMORY_JOBS = {"plan": 3}  # kinds with state in memory → how many a worker holds
MAX_UNFINISHED_JOBS = 50  # per principal; the command line has no limit
MAX_PENDING_SELECTIONS = 3  # per principal; older ones are dropped


class JobCanceled(ValidationError):
    """The rest of the job is not wanted any more: it ends, and has not failed."""


class LeaseLost(Exception):
    """Another worker has taken over the job."""


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
    title: Any,
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
        title=str(title)[:255],
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
    unfinished = get_principal_jobs(actor.principal).filter(
        state__in=[Job.State.WAITING, Job.State.RUNNING]
    )
    if unfinished.count() >= MAX_UNFINISHED_JOBS:
        raise ValidationError(
            _("You have %(count)s unfinished background jobs. Wait until some of them are done."),
            params={"count": MAX_UNFINISHED_JOBS},
        )


def get_principal_jobs(principal: Any) -> QuerySet[Job]:
    return Job.objects.filter(owner_model=principal.model_label, owner_key=principal.pk)


# Selections: keys stored until the user confirms exactly these


def store_selection(actor: Actor, table: str, action: str, keys: Sequence[Any]) -> int:
    """Store a selection until the action is confirmed; return its number."""
    return perform(actor, add_selection, {"table": table, "action": action}, keys).pk


def add_selection(changes: Changes, arguments: dict[str, Any], keys: Sequence[Any]) -> Job:
    """Store a selection, and drop the oldest of those that were never confirmed."""
    drafts = get_principal_jobs(changes.principal).filter(
        kind=CONFIRMATION_KIND, state=Job.State.DRAFT
    )
    oldest = drafts.order_by("-pk").values_list("pk", flat=True)[MAX_PENDING_SELECTIONS - 1 :]
    Job.objects.filter(pk__in=list(oldest)).delete()
    return add_job(changes, CONFIRMATION_KIND, "", arguments, len(keys), Job.State.DRAFT, keys)


def find_selection(principal: Any, table: str, action: str, number: str) -> Job | None:
    """Return the unconfirmed selection of this number, if it is the principal's for this action."""
    if not number.isdecimal() or len(number) > 18:
        return None
    drafts = get_principal_jobs(principal).filter(
        kind=CONFIRMATION_KIND, state=Job.State.DRAFT, pk=number
    )
    wanted = {"table": table, "action": action}.items()
    return next((draft for draft in drafts if wanted <= draft.arguments.items()), None)


def load_selected_keys(job: Job) -> list:
    """Return all keys of a job's selection."""
    parts = job.selection.order_by("position").values_list("keys", flat=True)
    return [key for part in parts.iterator() for key in part]


def start_selection_job(
    changes: Changes, job: Job, kind: str, title: Any, arguments: dict[str, Any]
) -> Job:
    """Turn a confirmed selection into the job that works on it; refuse a second time."""
    check_job_limit(changes.actor)
    started = Job.objects.filter(pk=job.pk, state=Job.State.DRAFT).update(
        kind=kind,
        state=Job.State.WAITING,
        title=str(title)[:255],
        owner=str(changes.actor)[:255],
        arguments=arguments | {"language": get_language()},
        created=changes.at,
    )
    if not started:
        raise ValidationError(_("This selection was confirmed already."))
    return job


def delete_selection(changes: Changes, job: Job) -> None:
    """Delete a selection whose keys are processed otherwise."""
    if not Job.objects.filter(pk=job.pk, state=Job.State.DRAFT).delete()[0]:
        raise ValidationError(_("This selection was confirmed already."))


def retry_job(changes: Changes, job_id: int) -> None:
    """Continue a failed job where it stopped."""
    Job.objects.filter(pk=job_id, state=Job.State.FAILED).update(
        state=Job.State.WAITING, message="", finished=None, tries=0
    )


def dismiss_job(changes: Changes, job_id: int) -> None:
    """Delete a finished job."""
    Job.objects.filter(pk=job_id, state__in=[Job.State.FAILED, Job.State.DONE]).delete()


def dismiss_failed_jobs(changes: Changes, job_ids: Iterable[int]) -> None:
    """Delete those of these jobs that failed."""
    for part in chunks(job_ids):
        Job.objects.filter(pk__in=part, state=Job.State.FAILED).delete()


def claim_job(holder: str, except_kinds: Collection[str] = ()) -> Job | None:
    """Return the job that has waited longest for a step, or whose worker is silent; or None."""
    now = timezone.now()
    free = Q(state=Job.State.WAITING) | Q(state=Job.State.RUNNING, lease_until__lt=now)
    waiting = Job.objects.filter(free).exclude(kind__in=except_kinds)
    for job in waiting.order_by("lease_until", "pk")[:10]:
        lease = {
            "state": Job.State.RUNNING,
            "lease_until": now + LEASE_DURATION,
            "lease_holder": holder,
        }
        if Job.objects.filter(free, pk=job.pk).update(**lease):
            job.refresh_from_db()
            return job
    return None


def run_job(job: Job, should_stop: Callable[[], bool] = lambda: False) -> None:
    """Run steps until there are no more or it should stop; finished steps stay done."""
    has_more = True
    while has_more and not should_stop():
        with hold_leases(job):
            has_more = advance_job(job)


def count_attempt(job: Job) -> None:
    """Count that this worker begins the job: one that kills its worker is given up at last."""
    if not job.is_attempt_counted:
        job.is_attempt_counted, job.tries = True, job.tries + 1
        held = Job.objects.filter(pk=job.pk, lease_holder=job.lease_holder)
        held.update(tries=F("tries") + 1)


def advance_job(job: Job) -> bool:
    """Run one step of the job; return whether there may be another."""
    count_attempt(job)
    if job.tries > MAX_STEP_ATTEMPTS:
        text = _(
            "It was begun %(count)s times, and each time its worker ended or lost the database."
        )
        return finish_job(job, Job.State.FAILED, text % {"count": MAX_STEP_ATTEMPTS})
    try:
        return run_next_step(job)
    except JobCanceled as reason:
        return finish_job(job, Job.State.DONE, " ".join(reason.messages))
    except ValidationError as error:
        return finish_job(job, Job.State.FAILED, " ".join(error.messages))
    except PermissionDenied:
        text = _("%(owner)s may not do this any more.") % {"owner": job.owner}
        return finish_job(job, Job.State.FAILED, text)
    except LeaseLost:
        logger.warning("job %s goes on in another worker", job.pk)
        return False
    except (OperationalError, InterfaceError):
        raise
    except Exception:  # a job that cannot be done must not stop all others forever
        logger.exception("job %s: %s", job.pk, job.kind)
        text = _("It stopped with an error; the program's log says more.")
        return finish_job(job, Job.State.FAILED, text)


def run_next_step(job: Job) -> bool:
    """Run the next step in the language of the job's owner; return whether there was one."""
    with override(job.arguments.get("language") or get_language()):
        step = registry.job_steps[job.kind](job)
        if step is None:
            return finish_job(job, Job.State.DONE)
        perform(get_job_actor(job), run_step, job, step)
    job.refresh_from_db(fields=["done"])
    job.tries = 1
    return True


@contextmanager
def hold_leases(*jobs: Job) -> Iterator[None]:
    """Keep renewing the leases of these jobs within a block."""
    stop_event = threading.Event()
    leases = {job.pk: job.lease_holder for job in jobs}
    thread = threading.Thread(target=renew_leases_until, args=(leases, stop_event), daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop_event.set()
        thread.join()


def renew_leases_until(leases: dict[int, str], stop_event: threading.Event) -> None:
    while not stop_event.wait(LEASE_DURATION.total_seconds() / 3):
        renew_leases(leases)


def renew_leases(leases: dict[int, str]) -> None:
    """Renew these leases; runs in a thread, with a connection of its own."""
    try:
        for job_id, holder in leases.items():
            held = Job.objects.filter(pk=job_id, lease_holder=holder, state=Job.State.RUNNING)
            held.update(lease_until=timezone.now() + LEASE_DURATION)
    except (OperationalError, InterfaceError) as error:
        logger.warning("the leases of jobs %s could not be kept: %s", list(leases), error)
    finally:
        connection.close()


def run_step(changes: Changes, job: Job, step: registry.JobStep) -> None:
    """Run one step and store its progress in the same transaction."""
    service, arguments, count = step
    held = Job.objects.filter(pk=job.pk, lease_holder=job.lease_holder)
    if not held.update(
        done=F("done") + count, tries=1, lease_until=timezone.now() + LEASE_DURATION
    ):
        raise LeaseLost
    service(changes, *arguments)


def finish_job(job: Job, state: str, message: str = "") -> bool:
    """Store how the job ended; return False, as there are no more steps."""
    Job.objects.filter(pk=job.pk, lease_holder=job.lease_holder).update(
        state=state, message=message, finished=timezone.now(), lease_until=None
    )
    return False


def release_job(job: Job) -> None:
    """Let another worker continue the job at once."""
    Job.objects.filter(pk=job.pk, state=Job.State.RUNNING, lease_holder=job.lease_holder).update(
        lease_until=timezone.now(), tries=0
    )


def get_job_actor(job: Job) -> Actor:
    """Return who started the job, with their current rights."""
    if not job.owner_model:
        return Actor.console()
    model = apps.get_model(job.owner_model)
    principal = model._default_manager.filter(pk=job.owner_key, active=True).first()
    if principal is None:
        raise PermissionDenied
    name, _sep, address = job.owner.rpartition(" (")
    return Actor(principal, name, address.rstrip(")"))


def send_heartbeat() -> None:
    """Store that this machine's worker runs, so that its silence can be noticed."""
    machine, now = socket.gethostname()[:64], timezone.now()
    retry_on_deadlock(
        lambda: WorkerSign.objects.update_or_create(pk=machine, defaults={"seen": now})
    )


def remove_heartbeat() -> None:
    """Delete the sign of a worker that was stopped on purpose."""
    retry_on_deadlock(WorkerSign.objects.filter(pk=socket.gethostname()[:64]).delete)


def get_lease_holder_name() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"[:64]
