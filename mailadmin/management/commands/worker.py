"""`worker`: run background jobs and housekeeping."""

import contextlib
import functools
import logging
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import InterfaceError, OperationalError, connection

from mailadmin import registry
from mailadmin.db.mysql import timeouts
from mailadmin.jobs import leases, runner
from mailadmin.jobs.models import Job
from mailadmin.mails.sending import MailSender
from mailadmin.observability import log_records
from mailadmin.observability.slow_queries import install_query_observer

logger = logging.getLogger("mailadmin.worker")

IDLE_SECONDS = 1.0
HOUSEKEEPING_SECONDS = 300
HEARTBEAT_SECONDS = 15
MAX_HELD_JOBS = 20  # jobs that take turns in this worker


class Command(BaseCommand):
    help = "Run background jobs and housekeeping, send mails. On SIGTERM, finish the step first."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true", help="do what waits, then exit")

    def handle(self, *args: Any, once: bool = False, **options: Any) -> None:
        timeouts.activate(timeouts.COMMAND_SECONDS)  # not those of a page or an upgrade
        install_query_observer()
        self.once, self.stopping = once, threading.Event()
        if threading.current_thread() is threading.main_thread():
            for name in (signal.SIGTERM, signal.SIGINT):
                signal.signal(name, lambda *_: self.stopping.set())
        self.housekeeping_ran_at = self.heartbeat_sent_at = 0.0
        self.task_ran_at: dict[Callable[[], None], float] = {}
        self.held_jobs: list[Job] = []
        self.mail_sender = MailSender()
        self.run_loop()
        for job in self.held_jobs:
            self.run_unless_database_down(functools.partial(leases.release_job, job))
        if not once:
            self.run_unless_database_down(leases.remove_heartbeat)

    def run_loop(self) -> None:
        while not self.stopping.is_set():
            log_records.start_log_context("worker")
            busy = self.run_unless_database_down(self.run_cycle)
            if self.once and not busy:
                break
            if not busy:
                self.stopping.wait(IDLE_SECONDS)

    def run_unless_database_down(self, task: Callable[[], Any]) -> Any:
        """Return the task's result; if the database does not answer, wait and return False."""
        try:
            return task()
        except get_database_errors() as error:
            logger.error("the database does not answer, trying again: %s", error)
            close_connection()
            self.stopping.wait(IDLE_SECONDS * 5)
            return False

    def run_cycle(self) -> bool:
        """Run a step of each job, send mails, run housekeeping; return whether there was work."""
        self.send_heartbeat()
        self.claim_jobs()
        held = list(self.held_jobs)
        with leases.hold_leases(*held):
            for job in held:
                if not self.run_unless_database_down(functools.partial(self.run_job_step, job)):
                    self.held_jobs.remove(job)  # finished, or left until its lease ends
            has_tasks = self.run_tasks()
            has_mails = self.run_unless_database_down(self.send_mails)
            if not (self.once and held):
                self.run_housekeeping()
        return bool(held) or has_tasks or has_mails

    def run_tasks(self) -> bool:
        """Run what apps have registered to be done at once; return whether there was work."""
        log_records.start_log_context("worker")
        found = [self.run_unless_database_down(task) for task in registry.worker_tasks]
        return any(found)

    def send_mails(self) -> bool:
        """Send mails that are due; return whether there may be more."""
        log_records.start_log_context("mails")
        return self.mail_sender.send_due_mails(self.stopping.is_set)

    def send_heartbeat(self) -> None:
        if not self.once and (
            time.monotonic() - self.heartbeat_sent_at > HEARTBEAT_SECONDS
            or not self.heartbeat_sent_at
        ):
            leases.send_heartbeat()
            self.heartbeat_sent_at = time.monotonic()

    def claim_jobs(self) -> None:
        """Claim waiting jobs; where more wait than can be held, they take turns."""
        while len(self.held_jobs) < MAX_HELD_JOBS and (job := self.claim_next_job()):
            self.hold_job(job)
        resumable = next(
            (job for job in self.held_jobs if job.kind not in registry.held_job_limits), None
        )
        if len(self.held_jobs) == MAX_HELD_JOBS and resumable and (job := self.claim_next_job()):
            leases.release_job(resumable)
            self.held_jobs.remove(resumable)
            self.hold_job(job)

    def claim_next_job(self) -> Job | None:
        """Claim another job, of a kind of which this worker may hold one more."""
        held = Counter(job.kind for job in self.held_jobs)
        full = [kind for kind, limit in registry.held_job_limits.items() if held[kind] >= limit]
        return leases.claim_job(leases.get_lease_holder_name(), except_kinds=full)

    def hold_job(self, job: Job) -> None:
        """Run steps of this job; one whose lease was lost meanwhile starts again."""
        self.held_jobs = [held for held in self.held_jobs if held.pk != job.pk] + [job]

    def run_job_step(self, job: Job) -> bool:
        """Run one step of a job; return whether there may be another."""
        if self.stopping.is_set():
            return True
        self.send_heartbeat()  # before each step, so that a busy worker is not taken for dead
        log_records.start_log_context(job.kind, f"job-{job.pk}")
        return runner.advance_job(job)

    def run_housekeeping(self) -> None:
        due = time.monotonic() - self.housekeeping_ran_at > HOUSEKEEPING_SECONDS
        if self.once or due or not self.housekeeping_ran_at:
            for task in filter(self.is_task_due, registry.housekeeping_tasks):
                if self.run_unless_database_down(functools.partial(run_housekeeping_task, task)):
                    self.task_ran_at[task] = time.monotonic()
            self.housekeeping_ran_at = time.monotonic()

    def is_task_due(self, task: Callable[[], None]) -> bool:
        ran_at = self.task_ran_at.get(task)
        interval = registry.housekeeping_intervals.get(task, 0)
        return ran_at is None or time.monotonic() - ran_at >= interval


def run_housekeeping_task(task: Callable[[], None]) -> bool:
    """Run one housekeeping task and return whether it succeeded; an error stops no other task."""
    log_records.start_log_context(f"housekeeping: {task.__name__}")
    try:
        task()
    except get_database_errors():
        raise
    except Exception:  # the other tasks are as urgent
        logger.exception("housekeeping: %s", task.__name__)
        return False
    return True


def get_database_errors() -> tuple[type[Exception], ...]:
    """Return the errors that mean an outage, including those of the driver itself."""
    driver = get_driver()
    return OperationalError, InterfaceError, driver.OperationalError, driver.InterfaceError


def get_driver() -> Any:
    return connection.Database  # type: ignore[attr-defined]  # left out of the stubs


def close_connection() -> None:
    with contextlib.suppress(get_driver().Error):
        connection.close()
