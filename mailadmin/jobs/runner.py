"""Work that outlives a request: a chain of performs whose progress is written with each of them."""

import datetime
import logging
import os
import socket
import threading
from collections.abc import Collection
from contextlib import contextmanager
from typing import Any

from django.apps import apps
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import InterfaceError, OperationalError, connection
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import get_language, override
from django.utils.translation import gettext as _

from mailadmin import registry
from mailadmin.changes.perform import Actor, Changes, perform, retry_on_deadlock
from mailadmin.db.bulk import chunks, insert_rows
from mailadmin.jobs.models import Job, JobKeys, WorkerSign

logger = logging.getLogger("mailadmin.jobs")

LEASE_DURATION = datetime.timedelta(seconds=60)
MAX_STEP_ATTEMPTS = 5  # of a step; what stops a worker each time must not stop it for ever
ROWS_PER_STEP = 100
CONFIRMATION_KIND = "confirm"  # not work, but keys that wait for a yes
MAX_IN_MEMORY_JOBS = {
    "plan": 3
}  # kinds that a worker keeps half done, and how many of each it holds
MAX_UNFINISHED_JOBS = 50  # of one person; superadmins on the command line have no limit
MAX_PENDING_SELECTIONS = 3  # of one person that wait to be confirmed; an older one is dropped


class JobCanceled(ValidationError):
    """Nobody wants the rest of the job any more: it ends, and has not failed."""


class LeaseLost(Exception):
    """Another worker has taken the job over."""


def start_job(actor, kind: str, title: str, arguments, total, keys=()):
    """Write a job down; the worker finds it."""
    return perform(actor, add_job_within_limit, kind, title, arguments, total, keys)


def add_job_within_limit(changes: Changes, kind: str, title: str, arguments, total, keys=()):
    """Add a job that a person starts, within the number of jobs that one person may have."""
    check_job_limit(changes.actor)
    return add_job(changes, kind, title, arguments, total, keys=keys)


def add_job(
    changes: Changes, kind: str, title: str, arguments, total, state=Job.State.WAITING, keys=()
):
    """The same within a service, so that the job is there exactly if the rest of the change is."""
    principal = changes.actor.principal
    job = Job.objects.create(
        kind=kind,
        state=state,
        title=str(title)[:255],
        owner=str(changes.actor)[:255],
        owner_model=principal.model_label,
        owner_key=principal.pk or "",
        token_id=getattr(principal, "token_id", None),
        arguments=arguments | {"language": get_language()},  # what it says is stored
        total=total,
    )
    parts = enumerate(chunks(keys, ROWS_PER_STEP))
    insert_rows([JobKeys(job=job, position=number, keys=part) for number, part in parts])
    return job


def check_job_limit(actor: Actor) -> None:
    """Refuse a job to a person who has many that are not finished."""
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


def get_principal_jobs(principal: Any):
    return Job.objects.filter(owner_model=principal.model_label, owner_key=principal.pk)


# Selections: the keys that somebody is asked about, so that they confirm these and no others


def store_selection(actor: Actor, table: str, action: str, keys: list) -> int:
    """Keep a selection until the action is confirmed; the number by which it is asked for."""
    return perform(actor, add_selection, {"table": table, "action": action}, keys).pk


def add_selection(changes: Changes, arguments: dict, keys: list) -> Job:
    drafts = get_principal_jobs(changes.principal).filter(
        kind=CONFIRMATION_KIND, state=Job.State.DRAFT
    )
    oldest = drafts.order_by("-pk").values_list("pk", flat=True)[MAX_PENDING_SELECTIONS - 1 :]
    Job.objects.filter(pk__in=list(oldest)).delete()
    return add_job(changes, CONFIRMATION_KIND, "", arguments, len(keys), Job.State.DRAFT, keys)


def find_selection(principal: Any, table: str, action: str, number: str) -> Job | None:
    """The selection of that number, if this person was asked about this and has not confirmed."""
    if not number.isdecimal() or len(number) > 18:
        return None
    drafts = get_principal_jobs(principal).filter(
        kind=CONFIRMATION_KIND, state=Job.State.DRAFT, pk=number
    )
    asked = {"table": table, "action": action}.items()
    return next((draft for draft in drafts if asked <= draft.arguments.items()), None)


def load_selected_keys(job: Job) -> list:
    """All keys of a job's selection."""
    parts = job.selection.order_by("position").values_list("keys", flat=True)
    return [key for part in parts.iterator() for key in part]


def start_selection_job(changes: Changes, job, kind: str, title: str, arguments):
    """Turn a confirmed selection into the job that works on it; a second time there is none."""
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


def delete_selection(changes: Changes, job) -> None:
    """Forget a selection whose keys are being worked on otherwise."""
    if not Job.objects.filter(pk=job.pk, state=Job.State.DRAFT).delete()[0]:
        raise ValidationError(_("This selection was confirmed already."))


def retry_job(changes: Changes, number) -> None:
    """Begin again where a failed job stopped."""
    Job.objects.filter(pk=number, state=Job.State.FAILED).update(
        state=Job.State.WAITING, message="", finished=None, tries=0
    )


def dismiss_job(changes: Changes, number) -> None:
    """Forget a job that is over."""
    Job.objects.filter(pk=number, state__in=[Job.State.FAILED, Job.State.DONE]).delete()


def dismiss_failed_jobs(changes: Changes, numbers) -> None:
    """Forget the failed ones of these jobs."""
    for part in chunks(numbers):
        Job.objects.filter(pk__in=part, state=Job.State.FAILED).delete()


def claim_job(holder: str, except_kinds: Collection[str] = ()) -> Job | None:
    """The job that has waited longest for a step, or whose worker does not answer; or None."""
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


def run_job(job, stop=lambda: False) -> None:
    """Take steps until there are none left, or somebody asks to stop; what is done stays done."""
    goes_on = True
    while goes_on and not stop():
        with hold_leases(job):
            goes_on = advance_job(job)


def count_attempt(job: Job) -> None:
    """Count that this worker begins with the job: one that ends its worker is given up at last."""
    if not hasattr(job, "is_attempt_counted"):
        job.is_attempt_counted, job.tries = True, job.tries + 1
        held = Job.objects.filter(pk=job.pk, lease_holder=job.lease_holder)
        held.update(tries=F("tries") + 1)


def advance_job(job: Job) -> bool:
    """Take one step of the job; whether there may be another."""
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
    except Exception:  # a job that cannot be done must not stop all others for ever
        logger.exception("job %s: %s", job.pk, job.kind)
        text = _("It stopped with an error; the program's log says more.")
        return finish_job(job, Job.State.FAILED, text)


def run_next_step(job: Job) -> bool:
    with override(job.arguments.get("language") or get_language()):
        step = registry.job_steps[job.kind](job)
        if step is None:
            return finish_job(job, Job.State.DONE)
        perform(get_job_actor(job), run_step, job, step)
    job.refresh_from_db(fields=["done"])
    job.tries = 1
    return True


@contextmanager
def hold_leases(*jobs):
    """Keep the leases of these jobs meanwhile, however long that takes."""
    over = threading.Event()
    leases = {job.pk: job.lease_holder for job in jobs}
    thread = threading.Thread(target=renew_leases_until, args=(leases, over), daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def renew_leases_until(leases, over) -> None:
    while not over.wait(LEASE_DURATION.total_seconds() / 3):
        renew_leases(leases)


def renew_leases(leases) -> None:
    """Keep these leases: in a thread and with a connection of its own."""
    try:
        for number, holder in leases.items():
            held = Job.objects.filter(pk=number, lease_holder=holder, state=Job.State.RUNNING)
            held.update(lease_until=timezone.now() + LEASE_DURATION)
    except (OperationalError, InterfaceError) as error:
        logger.warning("the leases of jobs %s could not be kept: %s", list(leases), error)
    finally:
        connection.close()


def run_step(changes: Changes, job, step) -> None:
    """One step and its progress, in one transaction."""
    service, arguments, count = step
    held = Job.objects.filter(pk=job.pk, lease_holder=job.lease_holder)
    if not held.update(
        done=F("done") + count, tries=1, lease_until=timezone.now() + LEASE_DURATION
    ):
        raise LeaseLost
    service(changes, *arguments)


def finish_job(job, state, message="") -> bool:
    """Write down how the job ended; False, as there is no other step."""
    Job.objects.filter(pk=job.pk, lease_holder=job.lease_holder).update(
        state=state, message=message, finished=timezone.now(), lease_until=None
    )
    return False


def release_job(job) -> None:
    """Leave the job to the next worker at once."""
    Job.objects.filter(pk=job.pk, state=Job.State.RUNNING, lease_holder=job.lease_holder).update(
        lease_until=timezone.now(), tries=0
    )


def get_job_actor(job):
    """Who asked for the work, with the rights he has now."""
    if not job.owner_model:
        return Actor.console()
    model = apps.get_model(job.owner_model)
    person = model._default_manager.filter(pk=job.owner_key, active=True).first()
    if person is None:
        raise PermissionDenied
    name, _sep, address = job.owner.rpartition(" (")
    return Actor(person, name, address.rstrip(")"))


def send_heartbeat() -> None:
    """Say that this machine's worker lives, so that its silence can be noticed."""
    sign = {"pk": socket.gethostname()[:64], "defaults": {"seen": timezone.now()}}
    retry_on_deadlock(lambda: WorkerSign.objects.update_or_create(**sign))


def remove_heartbeat() -> None:
    """A worker that was told to end is not missed."""
    retry_on_deadlock(WorkerSign.objects.filter(pk=socket.gethostname()[:64]).delete)


def get_lease_holder_name():
    return f"{socket.gethostname()}:{os.getpid()}"[:64]
