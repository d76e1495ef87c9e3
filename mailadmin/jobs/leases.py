"""Which worker holds which job, and which machines have a worker."""

import datetime
import logging
import os
import socket
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager

from django.db import InterfaceError, OperationalError, connection
from django.db.models import Q
from django.utils import timezone

from mailadmin.db.retry import retry_on_deadlock
from mailadmin.jobs.models import Job, WorkerHeartbeat

logger = logging.getLogger("mailadmin.jobs")

LEASE_DURATION = datetime.timedelta(seconds=60)


class LeaseLost(Exception):
    """Another worker has taken over the job."""


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


def release_job(job: Job) -> None:
    """Let another worker continue the job at once."""
    Job.objects.filter(pk=job.pk, state=Job.State.RUNNING, lease_holder=job.lease_holder).update(
        lease_until=timezone.now(), attempts=0
    )


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
        logger.warning("cannot renew the leases of jobs %s: %s", list(leases), error)
    finally:
        connection.close()


def get_lease_holder_name() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"[:64]


def send_heartbeat() -> None:
    """Store that this machine's worker runs, so that its silence can be noticed."""
    machine, now = socket.gethostname()[:64], timezone.now()
    retry_on_deadlock(
        lambda: WorkerHeartbeat.objects.update_or_create(pk=machine, defaults={"seen": now})
    )


def remove_heartbeat() -> None:
    """Delete the heartbeat of a worker that was stopped on purpose."""
    retry_on_deadlock(WorkerHeartbeat.objects.filter(pk=socket.gethostname()[:64]).delete)
