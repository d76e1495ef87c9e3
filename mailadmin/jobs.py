"""Work that outlives a request: a chain of performs whose progress is written with each of them."""

import datetime
import logging
import os
import socket
import threading
from contextlib import contextmanager

from django.apps import apps
from django.conf import settings
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import InterfaceError, OperationalError, connection
from django.db.models import F, Q
from django.utils import timezone
from django.utils.module_loading import import_string
from django.utils.translation import get_language, override
from django.utils.translation import gettext as _

from mailadmin.models import Job, WorkerSign
from mailadmin.writes import Actor, again_on_deadlock, perform

logger = logging.getLogger("mailadmin.jobs")

LEASE = datetime.timedelta(seconds=60)
MOST_TRIES = 5  # of a step; what stops a worker each time must not stop it for ever
ROWS_A_STEP = 100
CONFIRM = "confirm"  # not work, but keys that wait for a yes


class LeaseLost(Exception):
    """Another worker has taken the job over."""


def start_job(actor, kind, title, arguments, total):
    """Write a job down; the worker finds it."""
    return perform(actor, add_job, kind, title, arguments, total)


def add_job(changes, kind, title, arguments, total, state=Job.State.WAITING):
    """The same within a service, so that the job is there exactly if the rest of the change is."""
    return Job.objects.create(
        kind=kind,
        state=state,
        title=str(title)[:255],
        owner=str(changes.actor)[:255],
        owner_model=changes.actor.principal.model_label,
        owner_key=changes.actor.principal.pk or "",
        arguments=arguments | {"language": get_language()},  # what it says is stored
        total=total,
    )


def keep_keys(actor, table, keys):
    """Keep the keys that somebody is asked about, so that he confirms these and no others."""
    arguments = {"table": table, "keys": keys}
    return perform(actor, add_job, CONFIRM, "", arguments, len(keys), Job.State.DRAFT).pk


def taken_keys(actor, table, number):
    """The keys kept for this person; they are confirmed once."""
    return perform(actor, take_keys, table, number)


def take_keys(changes, table, number):
    drafts = Job.objects.filter(
        kind=CONFIRM, owner_model=changes.principal.model_label, owner_key=changes.principal.pk
    )
    draft = drafts.filter(pk=number).first() if number.isdigit() else None
    if draft is None or draft.arguments["table"] != table:
        return []
    draft.delete()
    return draft.arguments["keys"]


def retry(changes, number):
    """Begin again where a failed job stopped."""
    Job.objects.filter(pk=number, state=Job.State.FAILED).update(
        state=Job.State.WAITING, message="", finished=None, tries=0
    )


def dismiss(changes, number):
    """Forget a job that is over."""
    Job.objects.filter(pk=number, state__in=[Job.State.FAILED, Job.State.DONE]).delete()


def claim(holder):
    """The oldest job that waits, or whose worker has gone silent; None if there is none."""
    now = timezone.now()
    free = Q(state=Job.State.WAITING) | Q(state=Job.State.RUNNING, lease_until__lt=now)
    for job in Job.objects.filter(free).order_by("pk")[:10]:
        lease = {"state": Job.State.RUNNING, "lease_until": now + LEASE, "lease_holder": holder}
        lease["tries"] = F("tries") + 1
        if Job.objects.filter(free, pk=job.pk).update(**lease):
            job.refresh_from_db()
            return job
    return None


def run(job, stop=lambda: False):
    """Take steps until there are none left, or somebody asks to stop; what is done stays done."""
    jobs = import_string(f"{settings.ROOT_URLCONF}.JOBS")
    if job.tries > MOST_TRIES:
        text = _(
            "It was begun %(count)s times, and each time its worker ended or lost the database."
        )
        return finish(job, Job.State.FAILED, text % {"count": MOST_TRIES})
    try:
        while not stop():
            with override(job.arguments.get("language") or get_language()):
                with leased(job):
                    step = jobs[job.kind](job)
                if step is None:
                    return finish(job, Job.State.DONE)
                perform(job_actor(job), take_step, job, step)
            job.refresh_from_db(fields=["done"])
    except ValidationError as error:
        finish(job, Job.State.FAILED, " ".join(error.messages))
    except PermissionDenied:
        finish(
            job, Job.State.FAILED, _("%(owner)s may not do this any more.") % {"owner": job.owner}
        )
    except LeaseLost:
        logger.warning("job %s goes on in another worker", job.pk)
    except (OperationalError, InterfaceError):
        raise
    except Exception:  # a job that cannot be done must not stop all others for ever
        logger.exception("job %s: %s", job.pk, job.kind)
        finish(job, Job.State.FAILED, _("It stopped with an error; the program's log says more."))
    return None


@contextmanager
def leased(job):
    """Keep the lease while a step is prepared, however long that takes."""
    over = threading.Event()
    thread = threading.Thread(target=keep_lease, args=(job.pk, job.lease_holder, over), daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def keep_lease(number, holder, over):
    while not over.wait(LEASE.total_seconds() / 3):
        renew(number, holder)


def renew(number, holder):
    """In a thread of its own, with a connection of its own."""
    try:
        held = Job.objects.filter(pk=number, lease_holder=holder)
        held.update(lease_until=timezone.now() + LEASE)
    except (OperationalError, InterfaceError) as error:
        logger.warning("job %s: the lease could not be kept: %s", number, error)
    finally:
        connection.close()


def take_step(changes, job, step):
    """One step and its progress, in one transaction."""
    service, arguments, count = step
    held = Job.objects.filter(pk=job.pk, lease_holder=job.lease_holder)
    if not held.update(done=F("done") + count, tries=1, lease_until=timezone.now() + LEASE):
        raise LeaseLost
    service(changes, *arguments)


def finish(job, state, message=""):
    Job.objects.filter(pk=job.pk, lease_holder=job.lease_holder).update(
        state=state, message=message, finished=timezone.now(), lease_until=None
    )


def release(job):
    """Leave the job to the next worker at once."""
    Job.objects.filter(pk=job.pk, state=Job.State.RUNNING, lease_holder=job.lease_holder).update(
        lease_until=timezone.now(), tries=0
    )


def job_actor(job):
    """Who asked for the work, with the rights he has now."""
    if not job.owner_model:
        return Actor.console()
    model = apps.get_model(job.owner_model)
    person = model._default_manager.filter(pk=job.owner_key, active=True).first()
    if person is None:
        raise PermissionDenied
    name, _sep, address = job.owner.rpartition(" (")
    return Actor(person, name, address.rstrip(")"))


def sign():
    """Say that this machine's worker lives, so that its silence can be noticed."""
    sign = {"pk": socket.gethostname()[:64], "defaults": {"seen": timezone.now()}}
    again_on_deadlock(lambda: WorkerSign.objects.update_or_create(**sign))


def sign_off():
    """A worker that was told to end is not missed."""
    again_on_deadlock(WorkerSign.objects.filter(pk=socket.gethostname()[:64]).delete)


def holder_name():
    return f"{socket.gethostname()}:{os.getpid()}"[:64]
