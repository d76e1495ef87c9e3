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

logger = logging.getLogger("mailadmin.worker")

NAP = 1.0
HOUSEKEEPING_SECONDS = 300


class Command(BaseCommand):
    help = "Do the panel's long work and keep house. Ends at SIGTERM, after the step at hand."

    def add_arguments(self, parser):
        parser.add_argument("--once", action="store_true", help="do what is waiting, then end")

    def handle(self, *args, once=False, **options):
        patience.allow(patience.COMMAND)  # where a page or an upgrade was this process before
        self.stopping = threading.Event()
        if threading.current_thread() is threading.main_thread():
            for name in (signal.SIGTERM, signal.SIGINT):
                signal.signal(name, lambda *_: self.stopping.set())
        self.housekept = 0
        while not self.stopping.is_set():
            busy = self.turn(once)
            if once and not busy:
                break
            if not busy:
                self.stopping.wait(NAP)

    def turn(self, once):
        """One job, or some housekeeping; whether there was a job."""
        try:
            return self.one_job() or self.keep_house(once)
        except (OperationalError, InterfaceError) as error:
            logger.error("the database does not answer, trying again: %s", error)
            connection.close()
            self.stopping.wait(NAP * 5)
            return not once

    def one_job(self):
        job = jobs.claim(jobs.holder_name())
        if job is None:
            return False
        jobs.run(job, self.stopping.is_set)
        jobs.release(job)
        return True

    def keep_house(self, once):
        if once or time.monotonic() - self.housekept > HOUSEKEEPING_SECONDS or not self.housekept:
            for task in import_string(f"{settings.ROOT_URLCONF}.HOUSEKEEPING"):
                task()
            self.housekept = time.monotonic()
        return False
