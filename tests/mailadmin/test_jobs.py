"""Background jobs."""

import datetime
from unittest import mock

from django.core.management import call_command
from django.utils import timezone

from domains.models import Domain
from domains.services.admins import set_admins
from mailadmin.changes.models import Log
from mailadmin.jobs import leases, runner
from mailadmin.jobs.models import Job
from mailadmin.tables import table
from mailboxes.models import Alias, Mailbox
from mailboxes.services.domain_deletion import start_domain_deletion
from mailboxes.services.domains import create_domains
from mailboxes.services.mailboxes import create_mailboxes
from tests.base import World, run_job


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
