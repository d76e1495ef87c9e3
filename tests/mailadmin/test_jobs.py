"""Background jobs."""

import datetime
import json
import time
from unittest import mock

from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.db import DataError, OperationalError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from domains.models import Admin, Domain
from domains.services.admins import set_admins
from domains.services.domains import set_domains
from mailadmin import registry
from mailadmin.changes.models import Log
from mailadmin.jobs import leases, runner, selections, services
from mailadmin.jobs.models import Job, JobKeys
from mailadmin.management.commands import worker
from mailadmin.tables import table
from mailadmin.tables.views import bulk
from mailboxes.models import Alias, Mailbox
from mailboxes.services.domain_deletion import start_domain_deletion
from mailboxes.services.domains import create_domains
from mailboxes.services.mailboxes import create_mailboxes
from tests.base import PASSWORD, World, run_job


class JobTests(World):
    def fill(self, count, domain="example.org"):
        domain = Domain.objects.get(pk=domain)
        rows = [
            {"local_part": f"m{n:04}", "domain": domain, "password": "x", "quota": 1}
            for n in range(count)
        ]
        self.perform(self.root, create_mailboxes, rows)
        return [f"m{n:04}@{domain.pk}" for n in range(count)]

    def select_all(self, action, person=None):
        self.sign_in(person or self.alice)
        data = {"action": action, "all": "1", "confirmed": "1"}
        return self.client.post("/mailboxes/bulk/?q=m0", data)

    def work(self):
        call_command("worker", once=True)

    def active(self):
        return Mailbox.objects.filter(active=True, username__startswith="m0").count()

    def test_more_than_two_hundred_rows_are_a_job(self):
        self.fill(201)
        answer = self.select_all("deactivate")
        job = Job.objects.get()
        self.assertRedirects(answer, f"/jobs/{job.pk}/")
        self.assertEqual(self.active(), 201)
        self.work()
        self.assertEqual(self.active(), 0)
        self.assertContains(self.client.get(f"/jobs/{job.pk}/"), "201 / 201")
        self.assertEqual(Log.objects.filter(action="edit_mailbox").count(), 201)
        self.assertIn("alice@example.org (", Log.objects.filter(action="edit_mailbox")[0].username)

    def test_two_hundred_rows_are_changed_immediately(self):
        self.fill(200)
        self.select_all("delete")
        self.assertFalse(Job.objects.exists())
        self.assertFalse(Mailbox.objects.filter(username__startswith="m0").exists())

    def test_a_job_whose_worker_died_resumes_where_it_stopped(self):
        self.fill(250)
        self.select_all("deactivate")
        job = leases.claim_job("dead")
        steps = iter([False, True])
        run_job(job, lambda: next(steps))
        self.assertEqual(self.active(), 150)
        Job.objects.update(lease_until=timezone.now() - datetime.timedelta(seconds=1))
        self.work()
        self.assertEqual(self.active(), 0)
        job = Job.objects.get()
        self.assertEqual((job.state, job.done), (Job.State.DONE, 250))

    def test_a_step_that_fails_leaves_neither_rows_nor_progress(self):
        self.fill(250)
        self.select_all("deactivate")
        job = leases.claim_job("worker")
        with (
            mock.patch.object(runner, "run_step", side_effect=KeyboardInterrupt),
            self.assertRaises(KeyboardInterrupt),
        ):
            run_job(job)
        self.assertEqual((self.active(), Job.objects.get().done), (250, 0))

    def test_a_job_is_held_by_one_worker(self):
        self.fill(201)
        self.select_all("deactivate")
        first = leases.claim_job("first")
        self.assertIsNone(leases.claim_job("second"))
        Job.objects.update(lease_until=timezone.now() - datetime.timedelta(seconds=1))
        second = leases.claim_job("second")
        with self.assertLogs("mailadmin.jobs", "WARNING"):
            run_job(first)
        self.assertEqual(self.active(), 201)
        run_job(second)
        self.assertEqual(self.active(), 0)

    def test_rights_lost_meanwhile_stop_the_job(self):
        self.fill(201)
        self.select_all("deactivate")
        self.perform(self.root, set_admins, [self.alice.pk], "active", False)
        self.work()
        self.assertEqual(Job.objects.get().state, Job.State.FAILED)
        self.assertEqual(self.active(), 201)

    def test_a_large_domain_is_closed_immediately_and_deleted_in_steps(self):
        with mock.patch("mailboxes.services.domain_deletion.LARGE_DOMAIN_MAILBOXES", 20):
            self.fill(30)
            self.sign_in(self.root)
            answer = self.client.post("/domains/example.org/delete/", {"confirm": "example.org"})
        job = Job.objects.get()
        self.assertRedirects(answer, f"/jobs/{job.pk}/")
        self.assertFalse(Domain.objects.get(pk="example.org").active)
        self.assertEqual(Mailbox.objects.filter(domain="example.org").count(), 31)
        self.work()
        self.assertFalse(Domain.objects.filter(pk="example.org").exists())
        self.assertFalse(Alias.objects.filter(domain="example.org").exists())
        self.assertEqual(Job.objects.get().state, Job.State.DONE)
        self.assertEqual(self.logged()[-1], ("delete_domain", "example.org", "example.org"))

    def test_deleting_a_domain_locks_one_step_at_a_time(self):
        self.fill(250)
        self.perform(self.root, start_domain_deletion, ["example.org"])
        job = leases.claim_job("worker")
        steps = iter([False, True])
        run_job(job, lambda: next(steps))
        self.assertEqual(Mailbox.objects.filter(domain="example.org").count(), 151)
        self.perform(self.root, create_domains, [{"domain": "other.example"}])

    def test_a_job_with_a_fault_stops_and_the_next_one_runs(self):
        self.fill(201)
        self.select_all("deactivate")
        self.select_all("deactivate")
        Job.objects.filter(pk=Job.objects.first().pk).update(kind="nobody knows it")
        with self.assertLogs("mailadmin.jobs", "ERROR"):
            self.work()
        self.assertEqual(
            list(Job.objects.order_by("pk").values_list("state", flat=True)),
            [Job.State.FAILED, Job.State.DONE],
        )

    def test_jobs_are_visible_to_their_owner_and_superadmins(self):
        self.fill(201)
        self.select_all("deactivate", person=self.root)
        url = f"/jobs/{Job.objects.get().pk}/"
        self.assertContains(self.client.get("/jobs/"), url)
        self.sign_in(self.alice)
        self.assertEqual(self.client.get(url).status_code, 404)
        self.assertNotContains(self.client.get("/jobs/"), url)
        self.sign_in(self.bob)
        self.assertEqual(self.client.get(url).status_code, 403)

    def test_select_all_selects_visible_rows_only(self):
        self.fill(3)
        self.fill(3, "example.com")
        with mock.patch.object(table, "MAX_IMMEDIATE_ROWS", 1):
            self.select_all("deactivate")
        self.work()
        inactive = Mailbox.objects.filter(active=False).values_list("domain_id", flat=True)
        self.assertEqual(set(inactive), {"example.org"})
        self.assertEqual(len(inactive), 3)

    # Mail

    def create_with_welcome(self):
        self.sign_in(self.alice)
        data = {
            "local_part": "dave",
            "domain": "example.org",
            "password": PASSWORD,
            "password2": PASSWORD,
            "quota": "5",
            "active": "on",
            "welcome_mail": "on",
        }
        self.client.post("/mailboxes/create/", data)

    def test_a_welcome_mail_is_sent_by_the_worker(self):
        from django.core import mail

        self.create_with_welcome()
        self.assertEqual(mail.outbox, [])
        self.work()
        self.assertEqual([m.to for m in mail.outbox], [["dave@example.org"]])
        self.assertEqual(mail.outbox[0].from_email, "alice@example.org")
        self.assertEqual(mail.outbox[0].subject, "Welcome")
        self.assertIn("dave@example.org is ready", mail.outbox[0].body)

    def test_a_mail_that_cannot_be_sent_is_reported(self):
        self.create_with_welcome()
        with mock.patch("django.core.mail.EmailMessage.send", side_effect=OSError("refused")):
            self.work()
        self.assertEqual(Job.objects.get().state, Job.State.FAILED)
        self.assertContains(self.client.get("/"), "Failed jobs")


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
            mock.patch.object(leases, "LEASE_DURATION", datetime.timedelta(seconds=0.3)),
            mock.patch.object(leases, "renew_leases") as renewed,
            leases.hold_leases(self.job(lease_holder="me")),
        ):
            time.sleep(0.35)
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


class SelectionTests(World):
    """Selections of many rows: stored as rows of a hundred keys, never as one value."""

    def select_all(self, **data):
        self.sign_in(self.alice)
        with (
            mock.patch.object(bulk, "MAX_IMMEDIATE_ROWS", 2),
            mock.patch.object(table, "MAX_IMMEDIATE_ROWS", 2),
        ):
            return self.client.post("/mailboxes/bulk/", {"action": "deactivate"} | data)

    def fill(self, count):
        domain = Domain.objects.get(pk="example.org")
        rows = [
            {"local_part": f"m{n:04}", "domain": domain, "password": "x", "quota": 1}
            for n in range(count)
        ]
        self.perform(self.root, create_mailboxes, rows)

    def test_a_large_selection_is_stored_in_small_parts(self):
        self.fill(250)
        answer = self.select_all(all="1")
        draft = Job.objects.get()
        sizes = [len(part.keys) for part in draft.selection.order_by("position")]
        self.assertEqual(sizes, [100, 100, 51])
        self.assertNotIn("m0001", json.dumps(draft.arguments))
        number = answer.context["kept"]
        self.assertRedirects(self.select_all(kept=number, confirmed="1"), f"/jobs/{number}/")
        call_command("worker", once=True)
        self.assertEqual(Mailbox.objects.filter(domain="example.org", active=True).count(), 0)
        self.assertEqual(Job.objects.get().done, 251)

    def test_no_statement_contains_a_large_selection(self):
        self.fill(250)
        with (
            CaptureQueriesContext(connection) as queries,
            mock.patch.object(services, "ROWS_PER_STEP", 5),
        ):
            answer = self.select_all(all="1")
            self.select_all(kept=answer.context["kept"], confirmed="1")
        longest = max(len(query["sql"]) for query in queries if "m0001" in query["sql"])
        whole = sum(len(key) for key in Mailbox.objects.values_list("pk", flat=True))
        self.assertLess(longest, whole * 3)

    def test_a_selection_is_confirmed_once_and_by_its_owner(self):
        self.fill(3)
        number = self.select_all(all="1").context["kept"]
        self.sign_in(self.root)
        data = {"action": "deactivate", "kept": number, "confirmed": "1"}
        self.client.post("/mailboxes/bulk/", data)
        self.assertEqual(Job.objects.get().state, Job.State.DRAFT)
        self.select_all(kept=number, confirmed="1")
        self.select_all(kept=number, confirmed="1")
        self.assertEqual(Job.objects.get().state, Job.State.WAITING)
        for garbage in ("", "x", "9" * 30, "-1", "²"):
            self.assertEqual(self.select_all(kept=garbage, confirmed="1").status_code, 302)

    def test_a_selection_is_confirmed_for_the_rows_shown(self):
        self.fill(3)
        number = self.select_all(all="1").context["kept"]
        self.select_all(kept=number, confirmed="1", action="delete")
        self.assertEqual(Job.objects.get().state, Job.State.DRAFT)
        self.assertEqual(Mailbox.objects.filter(domain="example.org").count(), 4)

    def test_imports_count_as_jobs(self):
        self.sign_in(self.alice)
        with mock.patch.object(services, "MAX_UNFINISHED_JOBS", 2):
            for _time in range(3):
                file = SimpleUploadedFile("rows.csv", b"username,name\nbob@example.org,Robert\n")
                answer = self.client.post("/import/", {"format": "csv", "file": file})
        self.assert_refused(answer, "2 unfinished background jobs")

    def test_jobs_of_an_earlier_admin_of_the_same_name(self):
        """Their successor neither sees them, nor do they run with the successor's rights."""
        second = Admin.objects.create(username="s@example.net", superadmin=True)
        self.perform(second, start_domain_deletion, ["example.com"])
        Admin.objects.filter(pk=second.pk).delete()
        later = timezone.now() + datetime.timedelta(minutes=1)
        successor = Admin.objects.create(username=second.pk, superadmin=True, created=later)
        run_job(leases.claim_job("worker"))
        self.assertEqual(Job.objects.get().state, Job.State.FAILED)
        self.assertTrue(Domain.objects.filter(pk="example.com").exists())
        successor.superadmin = False
        self.assertFalse(Job.objects.visible_to(successor).exists())

    def test_a_domain_recreated_meanwhile_is_not_deleted(self):
        names = ["a.example", "b.example"]
        self.perform(self.root, create_domains, [{"domain": name} for name in names])
        self.perform(self.root, start_domain_deletion, names)
        job = leases.claim_job("worker")
        while Domain.objects.filter(pk="a.example").exists():
            runner.advance_job(job)
        self.perform(self.root, create_domains, [{"domain": "a.example"}])
        run_job(job)
        self.assertTrue(Domain.objects.filter(pk="a.example").exists())
        self.assertFalse(Domain.objects.filter(pk="b.example").exists())

    def test_a_domain_that_is_active_again_is_not_deleted(self):
        self.perform(self.root, create_domains, [{"domain": "a.example"}])
        self.perform(self.root, start_domain_deletion, ["a.example"])
        Job.objects.update(state=Job.State.FAILED)
        self.perform(self.root, set_domains, ["a.example"], "active", True)
        Job.objects.update(state=Job.State.WAITING)
        call_command("worker", once=True)
        self.assertTrue(Domain.objects.filter(pk="a.example").exists())

    def test_selections_of_a_user_are_limited(self):
        self.fill(3)
        for _time in range(selections.MAX_PENDING_SELECTIONS + 2):
            self.select_all(all="1")
        self.assertEqual(
            Job.objects.filter(state=Job.State.DRAFT).count(), selections.MAX_PENDING_SELECTIONS
        )
        self.assertEqual(JobKeys.objects.count(), selections.MAX_PENDING_SELECTIONS)

    def test_unfinished_jobs_of_a_user_are_limited(self):
        self.fill(3)
        with mock.patch.object(services, "MAX_UNFINISHED_JOBS", 2):
            for _time in range(2):
                self.select_all(all="1", confirmed="1")
            answer = self.select_all(all="1", confirmed="1")
            self.assert_refused(answer, "2 unfinished background jobs")
            number = self.select_all(all="1").context["kept"]
            self.assert_refused(self.select_all(kept=number, confirmed="1"), "unfinished")
        self.assertEqual(Job.objects.filter(state=Job.State.WAITING).count(), 2)

    def test_many_selected_domains_are_closed_and_deleted(self):
        names = [f"d{number}.example" for number in range(5)]
        self.perform(self.root, create_domains, [{"domain": name} for name in names])
        self.sign_in(self.root)
        with (
            mock.patch.object(bulk, "MAX_IMMEDIATE_ROWS", 2),
            mock.patch.object(table, "MAX_IMMEDIATE_ROWS", 2),
        ):
            shown = self.client.post("/domains/bulk/?q=d*", {"action": "delete", "all": "1"})
            data = {"action": "delete", "confirmed": "1", "kept": shown.context["kept"]}
            self.client.post("/domains/bulk/", data | {"confirm": "5"})
        self.assertFalse(Domain.objects.filter(pk__in=names, active=True).exists())
        call_command("worker", once=True)
        self.assertFalse(Domain.objects.filter(pk__in=names).exists())
        self.assertTrue(Domain.objects.filter(pk="example.org").exists())


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
