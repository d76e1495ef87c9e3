"""`worker`: does the jobs, and keeps house."""

import logging
import signal
import threading
import time

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import InterfaceError, OperationalError, connection
from django.utils.module_loading import import_string

from mailadmin import jobs
from mailadmin.mysql import patience
from mailadmin.watching import logs
from mailadmin.watching.queries import watch_queries

logger = logging.getLogger("mailadmin.worker")

NAP = 1.0
HOUSEKEEPING_SECONDS = 300
SIGN_SECONDS = 15


class Command(BaseCommand):
    help = "Do the panel's long work and keep house. Ends at SIGTERM, after the step at hand."

    def add_arguments(self, parser):
        parser.add_argument("--once", action="store_true", help="do what is waiting, then end")

    def handle(self, *args, once=False, **options):
        patience.allow(patience.COMMAND)  # where a page or an upgrade was this process before
        watch_queries()
        self.once, self.stopping = once, threading.Event()
        if threading.current_thread() is threading.main_thread():
            for name in (signal.SIGTERM, signal.SIGINT):
                signal.signal(name, lambda *_: self.stopping.set())
        self.housekept = self.signed = 0
        self.work()
        if not once:
            self.try_to(jobs.sign_off)

    def work(self):
        while not self.stopping.is_set():
            logs.begin("worker")
            busy = self.try_to(self.turn)
            if self.once and not busy:
                break
            if not busy:
                self.stopping.wait(NAP)

    def try_to(self, task):
        """What it gives; a database that does not answer is asked again later."""
        try:
            return task()
        except (OperationalError, InterfaceError) as error:
            logger.error("the database does not answer, trying again: %s", error)
            connection.close()
            self.stopping.wait(NAP * 5)
            return not self.once

    def turn(self):
        """One job, or some housekeeping; whether there was a job."""
        self.sign()
        return self.one_job() or self.keep_house()

    def sign(self):
        if not self.once and (time.monotonic() - self.signed > SIGN_SECONDS or not self.signed):
            jobs.sign()
            self.signed = time.monotonic()

    def one_job(self):
        job = jobs.claim(jobs.holder_name())
        if job is None:
            return False
        logs.begin(job.kind, f"job-{job.pk}")
        jobs.run(job, self.is_stopping)
        jobs.release(job)
        return True

    def is_stopping(self):
        """Asked before each step, so that a worker with much to do is not taken for dead."""
        if not self.stopping.is_set():
            self.sign()
        return self.stopping.is_set()

    def keep_house(self):
        due = time.monotonic() - self.housekept > HOUSEKEEPING_SECONDS
        if self.once or due or not self.housekept:
            for task in import_string(f"{settings.ROOT_URLCONF}.HOUSEKEEPING"):
                task()
            self.housekept = time.monotonic()
        return False
