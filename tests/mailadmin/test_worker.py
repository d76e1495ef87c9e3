"""The worker, which does background jobs."""

import datetime
import time
from unittest import mock

from django.core.management import call_command
from django.db import DataError, OperationalError, connection
from django.utils import timezone

from mailadmin import registry
from mailadmin.jobs import leases, runner
from mailadmin.jobs.models import Job, JobKeys
from mailadmin.management.commands import worker
from tests.base import World


class WorkerTests(World):
    def job(self, **values):
        start = {"kind": "bulk", "state": Job.State.WAITING, "owner": "CLI (console)"}
        arguments = {"table": "mailboxes", "action": "deactivate"}
        job = Job.objects.create(**start | {"arguments": arguments} | values)
        JobKeys.objects.create(job=job, position=0, keys=[self.bob.pk])
        return job

    def test_a_job_that_stops_its_worker_repeatedly_is_given_up(self):
        job, past = self.job(), timezone.now() - datetime.timedelta(days=1)
        for number in range(runner.MAX_STEP_ATTEMPTS):
            claimed = leases.claim_job(f"worker {number}")
            self.assertEqual(claimed.pk, job.pk)
            runner.count_attempt(claimed)
            Job.objects.update(lease_until=past)  # and it never reported again
        call_command("worker", once=True)
        job.refresh_from_db()
        self.assertEqual(job.state, Job.State.FAILED)
        self.assertIn("5 times", job.message)

    def test_an_orderly_stop_of_the_worker_is_not_a_failure(self):
        job = self.job()
        for number in range(runner.MAX_STEP_ATTEMPTS * 2):
            claimed = leases.claim_job(f"worker {number}")
            leases.release_job(claimed)
        call_command("worker", once=True)
        job.refresh_from_db()
        self.assertEqual(job.state, Job.State.DONE)

    def test_a_job_that_kills_its_worker_fails_no_other_job(self):
        """A worker holds several: those not yet started are not at fault."""

        class Killed(BaseException):
            pass

        def poison(job):
            raise Killed

        bad, good = self.job(kind="poison"), self.job()
        past = timezone.now() - datetime.timedelta(days=1)
        with mock.patch.dict("mailadmin.registry.job_steps", {"poison": poison}):
            for _time in range(runner.MAX_STEP_ATTEMPTS):
                with self.assertRaises(Killed):
                    call_command("worker", once=True)
                Job.objects.filter(state=Job.State.RUNNING).update(lease_until=past)
            call_command("worker", once=True)
        bad.refresh_from_db()
        good.refresh_from_db()
        self.assertEqual((bad.state, good.state), (Job.State.FAILED, Job.State.DONE))

    def test_few_jobs_with_state_in_memory_are_held_at_once(self):
        """Readers of large uploads fill neither the memory nor all slots of the worker."""
        held = []

        def reading(job):
            held.append(sum(1 for one in Job.objects.filter(kind="plan", state="running")))
            job.steps = True
            job.left = getattr(job, "left", 5) - 1
            return (lambda changes: None, (), 0) if job.left else None

        for _number in range(6):
            self.job(kind="plan")
        short = self.job()
        with mock.patch.dict("mailadmin.registry.job_steps", {"plan": reading}):
            call_command("worker", once=True)
        self.assertEqual(max(held), registry.held_job_limits["plan"])
        short.refresh_from_db()
        self.assertEqual(short.state, Job.State.DONE)

    def test_a_lease_is_kept_while_a_step_is_prepared(self):
        with (
            mock.patch.object(leases, "LEASE_DURATION", datetime.timedelta(seconds=1.5)),
            mock.patch.object(leases, "renew_leases") as renewed,
            leases.hold_leases(self.job(lease_holder="me")),
        ):
            time.sleep(1.75)
        self.assertGreaterEqual(renewed.call_count, 2)

    def test_jobs_take_turns(self):
        """A long job delays neither a short one nor housekeeping for longer than a step."""
        order = []

        def endless(job):
            order.append("long")
            return (lambda changes: None, (), 1) if len(order) < 50 else None

        def short(job):
            order.append("short")

        first, second = self.job(kind="long"), self.job(kind="short")
        steps = {"long": endless, "short": short}
        tasks = (lambda: order.append("housekeeping"),)
        tasks[0].__name__ = "task"
        with (
            mock.patch("mailadmin.registry.job_steps", steps),
            mock.patch("mailadmin.registry.housekeeping_tasks", tasks),
            mock.patch.object(worker, "HOUSEKEEPING_SECONDS", -1),
        ):
            run_worker_until(lambda: Job.objects.filter(state=Job.State.DONE).count() == 2)
        self.assertEqual(order[:4], ["long", "short", "housekeeping", "long"])
        self.assertLess(first.pk, second.pk)

    def test_more_jobs_than_a_worker_holds_take_turns_too(self):
        order = []

        def long(job):
            order.append(job.pk)
            return (lambda changes: None, (), 1) if order.count(job.pk) < 5 else None

        made = [self.job(kind="long").pk for _number in range(4)]
        with (
            mock.patch("mailadmin.registry.job_steps", {"long": long}),
            mock.patch.object(worker, "MAX_HELD_JOBS", 2),
        ):
            call_command("worker", once=True)
        self.assertEqual(set(order[:8]), set(made))
        self.assertEqual(Job.objects.filter(state=Job.State.DONE).count(), 4)

    def test_a_failing_housekeeping_task_does_not_stop_others(self):
        done = []

        def broken():
            raise DataError(1264, "Out of range value")

        def good():
            done.append("good")

        with (
            mock.patch("mailadmin.registry.housekeeping_tasks", (broken, good)),
            self.assertLogs("mailadmin.worker", "ERROR") as logs,
        ):
            call_command("worker", once=True)
        self.assertEqual(done, ["good"])
        self.assertIn("broken", logs.output[0])

    def test_tasks_with_an_interval_run_less_often_unless_they_failed(self):
        done, failures = [], [DataError(1264, "Out of range value")]

        def frequent():
            done.append("frequent")

        def rare():
            if failures:
                raise failures.pop()
            done.append("rare")

        with (
            mock.patch("mailadmin.registry.housekeeping_tasks", (frequent, rare)),
            mock.patch("mailadmin.registry.housekeeping_intervals", {rare: 3600}),
            mock.patch.object(worker, "HOUSEKEEPING_SECONDS", -1),
            mock.patch.object(worker, "IDLE_SECONDS", 0.01),
            self.assertLogs("mailadmin.worker", "ERROR"),
        ):
            run_worker_until(lambda: done.count("frequent") > 3)
        self.assertEqual(done.count("rare"), 1)

    def test_a_step_that_loses_the_database_is_restarted(self):
        """State in memory may be incomplete: the next worker starts from the database."""
        found = []

        def lost(job):
            found.append(hasattr(job, "steps"))
            job.steps = iter(())
            if len(found) == 1:
                raise OperationalError(2006, "Server has gone away")

        job = self.job(kind="lost")
        with (
            mock.patch("mailadmin.registry.job_steps", {"lost": lost}),
            mock.patch.object(worker, "IDLE_SECONDS", 0.01),
            mock.patch.object(worker, "close_connection"),
            self.assertLogs("mailadmin.worker", "ERROR"),
        ):
            call_command("worker", once=True)
            job.refresh_from_db()
            self.assertEqual(job.state, Job.State.RUNNING)
            Job.objects.update(lease_until=timezone.now() - datetime.timedelta(seconds=1))
            call_command("worker", once=True)
        self.assertEqual(found, [False, False])

    def test_driver_errors_do_not_end_the_worker(self):
        def gone():
            raise connection.Database.OperationalError(2006, "Server has gone away")

        with (
            mock.patch("mailadmin.registry.housekeeping_tasks", (gone,)),
            mock.patch.object(worker, "IDLE_SECONDS", 0.01),
            mock.patch.object(worker, "close_connection"),
            self.assertLogs("mailadmin.worker", "ERROR") as logs,
        ):
            call_command("worker", once=True)
        self.assertIn("does not answer", logs.output[0])


def run_worker_until(is_done):
    """Run the worker's loop, as `deploy/run` does, until this holds after a turn."""
    command = worker.Command()
    turn = command.run_cycle

    def counted():
        busy = turn()
        if is_done():
            command.stopping.set()
        return busy

    command.run_cycle = counted
    call_command(command)
