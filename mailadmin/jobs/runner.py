"""Run background jobs: chains of transactions that store their progress."""

import logging

from django.apps import apps
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import InterfaceError, OperationalError
from django.db.models import F
from django.utils import timezone
from django.utils.translation import get_language, override

from mailadmin import registry
from mailadmin.accounts.models import is_later_namesake
from mailadmin.changes.perform import Actor, Changes, perform
from mailadmin.jobs import leases
from mailadmin.jobs.leases import LeaseLost
from mailadmin.jobs.models import Job
from mailadmin.translation import gettext as _
from mailadmin.translation import join_messages

logger = logging.getLogger("mailadmin.jobs")

MAX_STEP_ATTEMPTS = 5  # a step that kills the worker each time must not do so forever


class JobCanceled(ValidationError):
    """The rest of the job is not wanted any more: it ends, and has not failed."""


class JobNotRepeatable(ValidationError):
    """The job has failed, and would fail again."""


def advance_job(job: Job) -> bool:
    """Run one step of the job; return whether there may be another."""
    count_attempt(job)
    if job.attempts > MAX_STEP_ATTEMPTS:
        text = _(
            "The job was started %(count)s times, and each time its worker ended or lost"
            " the database."
        )
        return finish_job(job, Job.State.FAILED, text % {"count": MAX_STEP_ATTEMPTS})
    try:
        return run_next_step(job)
    except JobCanceled as reason:
        return finish_job(job, Job.State.DONE, join_messages(reason))
    except JobNotRepeatable as error:
        forbid_retry(job)
        return finish_job(job, Job.State.FAILED, join_messages(error))
    except ValidationError as error:
        return finish_job(job, Job.State.FAILED, join_messages(error))
    except PermissionDenied:
        text = _("%(owner)s no longer has permission to do this.") % {"owner": job.owner}
        return finish_job(job, Job.State.FAILED, text)
    except LeaseLost:
        logger.warning("job %s continues in another worker", job.pk)
        return False
    except (OperationalError, InterfaceError):
        raise
    except Exception:  # a job that cannot be done must not stop all others forever
        logger.exception("job %s: %s", job.pk, job.kind)
        text = _("The job stopped with an error. See the server log for details.")
        return finish_job(job, Job.State.FAILED, text)


def count_attempt(job: Job) -> None:
    """Count that this worker begins the job: one that kills its worker is given up at last."""
    if not job.is_attempt_counted:
        job.is_attempt_counted, job.attempts = True, job.attempts + 1
        held = Job.objects.filter(pk=job.pk, lease_holder=job.lease_holder)
        held.update(attempts=F("attempts") + 1)


def run_next_step(job: Job) -> bool:
    """Run the next step in the language of the job's owner; return whether there was one."""
    with override(job.arguments.get("language") or get_language()):
        step = registry.job_steps[job.kind](job)
        if step is None:
            return finish_job(job, Job.State.DONE)
        perform(get_job_actor(job), run_step, job, step)
    job.refresh_from_db(fields=["done"])
    job.attempts = 1
    return True


def run_step(changes: Changes, job: Job, step: registry.JobStep) -> None:
    """Run one step and store its progress in the same transaction."""
    service, arguments, count = step
    held = Job.objects.filter(pk=job.pk, lease_holder=job.lease_holder)
    if not held.update(
        done=F("done") + count, attempts=1, lease_until=timezone.now() + leases.LEASE_DURATION
    ):
        raise LeaseLost
    service(changes, *arguments)


def finish_job(job: Job, state: str, message: str = "") -> bool:
    """Store how the job ended; return False, as there are no more steps."""
    Job.objects.filter(pk=job.pk, lease_holder=job.lease_holder).update(
        state=state, message=message, finished=timezone.now(), lease_until=None
    )
    return False


def forbid_retry(job: Job) -> None:
    arguments = job.arguments | {"can_retry": False}
    Job.objects.filter(pk=job.pk, lease_holder=job.lease_holder).update(arguments=arguments)


def get_job_actor(job: Job) -> Actor:
    """Return who started the job, with their current rights."""
    if not job.owner_model:
        return Actor.console()
    model = apps.get_model(job.owner_model)
    principal = model._default_manager.filter(pk=job.owner_key, active=True).first()
    if principal is None or is_later_namesake(principal, job.created):
        raise PermissionDenied
    name, _sep, address = job.owner.rpartition(" (")
    return Actor(principal, name, address.rstrip(")"))
