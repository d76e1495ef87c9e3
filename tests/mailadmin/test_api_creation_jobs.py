"""The API: many new rows with plain passwords, which take too long to hash in a request."""

import datetime
from unittest import mock

from django.core.management import call_command
from django.utils import timezone

from domains.models import Domain, DomainAdmin
from mailadmin import passwords
from mailadmin.api import creation_jobs
from mailadmin.changes.models import Log
from mailadmin.housekeeping import FAILED_CREATION_TTL, purge_expired
from mailadmin.jobs import leases
from mailadmin.jobs.models import Job, JobKeys
from mailadmin.jobs.runner import advance_job
from mailboxes.models import Alias, Mailbox
from tests.base import PASSWORD, World

HASH = "$2y$10$" + "x" * 53


class CreationJobTests(World):
    def setUp(self):
        Domain.objects.update(mailboxes=0, quota=0, maxquota=0)
        self.program = self.api(self.alice)
        for name, value in (("MAX_HASHING_SECONDS", 0), ("HASHED_PER_STEP", 3)):
            patch = mock.patch.object(creation_jobs, name, value)
            patch.start()
            self.addCleanup(patch.stop)

    def rows(self, count=8, **secret):
        row = {"domain": "example.org"} | (secret or {"password": PASSWORD})
        return [{"local_part": f"m{n}"} | row for n in range(count)]

    def start(self, rows, **options):
        answer = self.program.post("mailboxes", rows, **options)
        self.assertEqual(answer.status_code, 202, answer.content)
        return Job.objects.get(pk=answer.json()["job"])

    def work(self, job):
        call_command("worker", once=True)
        job.refresh_from_db()
        return job

    def created(self):
        return Mailbox.objects.filter(username__startswith="m").count()

    def test_a_job_hashes_the_passwords_and_creates_the_rows(self):
        job = self.start(self.rows())
        self.assertEqual(self.created(), 0)
        job = self.work(job)
        self.assertEqual((job.state, job.done, job.total), (Job.State.DONE, 8, 8))
        mailbox = Mailbox.objects.get(pk="m7@example.org")
        self.assertTrue(passwords.verify(PASSWORD, mailbox.password, mailbox.pk))
        lines = Log.objects.filter(action="create_mailbox")
        self.assertEqual(lines.count(), 8)
        self.assertIn("alice@example.org (", lines[0].username)

    def test_the_program_can_follow_the_job(self):
        answer = self.program.post("mailboxes", self.rows())
        place = answer.headers["Location"]
        self.assertEqual(place, f"/api/v1/jobs/{answer.json()['job']}")
        read = self.program.get(place.removeprefix("/api/v1/"))
        self.assertEqual((read.json()["state"], read.json()["total"]), ("waiting", 8))
        self.assertEqual(read.json()["title"], "8 mailboxes")

    def test_passwords_are_stored_encrypted_until_the_rows_exist(self):
        job = self.start(self.rows())
        stored = str([*JobKeys.objects.values(), *Job.objects.values()])
        self.assertNotIn(PASSWORD, stored)
        self.assertEqual(len(creation_jobs.load_selected_keys(job)), 8)
        self.work(job)
        self.assertFalse(JobKeys.objects.exists())

    def test_wrong_rows_are_refused_at_once(self):
        rows = self.rows()
        rows[5]["password"] = "x"
        rows[6]["local_part"] = "a b"
        existing = [*self.rows(7), rows[0] | {"local_part": "bob"}]
        for sent, indexes in ((rows, [5, 6]), (existing, [7])):
            with mock.patch("mailadmin.passwords.make_hash", side_effect=AssertionError):
                answer = self.program.post("mailboxes", sent)
            self.assertEqual(answer.status_code, 422)
            self.assertEqual([item["index"] for item in answer.json()["items"]], indexes)
        self.assertFalse(Job.objects.exists())

    def test_rows_that_the_service_refuses_fail_the_job(self):
        Domain.objects.filter(pk="example.org").update(mailboxes=6)
        job = self.work(self.start(self.rows()))
        self.assertEqual(job.state, Job.State.FAILED)
        self.assertIn("nothing was changed", job.message)
        self.assertIn("5: local_part: example.org has reached its mailbox limit", job.message)
        self.assertNotIn("4: ", job.message)
        self.assertEqual((self.created(), JobKeys.objects.count()), (0, 0))
        self.assertFalse(job.can_retry)

    def test_rows_that_others_have_created_meanwhile_fail_the_job(self):
        job = self.start(self.rows())
        self.api(self.root).post("mailboxes", self.rows(1, password_hash=HASH))
        job = self.work(job)
        self.assertEqual(job.state, Job.State.FAILED)
        self.assertIn("m0@example.org already exists", job.message)
        self.assertEqual((self.created(), JobKeys.objects.count()), (1, 0))

    def test_an_admin_who_may_no_longer_do_this_creates_nothing(self):
        job = self.start(self.rows())
        DomainAdmin.objects.filter(admin="alice@example.org").delete()
        job = self.work(job)
        self.assertEqual((job.state, self.created()), (Job.State.FAILED, 0))

    def test_a_job_whose_worker_died_begins_again(self):
        self.start(self.rows())
        job = leases.claim_job("dead")
        for _step in range(3):
            self.assertTrue(advance_job(job))
        Job.objects.update(lease_until=timezone.now() - datetime.timedelta(seconds=1))
        job = self.work(job)
        self.assertEqual((job.state, job.done, self.created()), (Job.State.DONE, 8, 8))

    def test_a_worker_that_died_after_the_last_step_changes_nothing(self):
        for limit, state in ((0, Job.State.DONE), (6, Job.State.FAILED)):
            Mailbox.objects.filter(username__startswith="m").delete()
            Alias.objects.filter(address__startswith="m").delete()
            Domain.objects.filter(pk="example.org").update(mailboxes=limit)
            self.start(self.rows())
            job = leases.claim_job("dead")
            while JobKeys.objects.exists():
                advance_job(job)
            Job.objects.update(lease_until=timezone.now() - datetime.timedelta(seconds=1))
            job = self.work(job)
            self.assertEqual((job.state, bool(job.message)), (state, limit == 6))
            self.assertEqual(self.created(), 0 if limit else 8)

    def test_failed_jobs_are_deleted_with_their_passwords(self):
        job = self.start(self.rows())
        limit = timezone.now() - FAILED_CREATION_TTL
        for finished, count in ((limit + datetime.timedelta(hours=1), 1), (limit, 0)):
            Job.objects.filter(pk=job.pk).update(state=Job.State.FAILED, finished=finished)
            purge_expired()
            self.assertEqual((Job.objects.count(), JobKeys.objects.count()), (count, count))

    def test_the_same_request_starts_one_job(self):
        key = {"Idempotency-Key": "once"}
        job = self.start(self.rows(), headers=key)
        again = self.program.post("mailboxes", self.rows(), headers=key)
        self.assertEqual((again.status_code, again.json()), (202, {"job": job.pk}))
        self.assertEqual(again.headers["Location"], f"/api/v1/jobs/{job.pk}")
        self.assertEqual(Job.objects.count(), 1)

    def test_few_passwords_and_hashes_need_no_job(self):
        answer = self.program.post("mailboxes", self.rows(3))
        self.assertEqual(answer.status_code, 201, answer.content)
        rows = self.rows(8, password_hash=HASH)[3:]
        answer = self.api(self.root).post("mailboxes", rows)
        self.assertEqual(answer.status_code, 201, answer.content)

    def test_the_time_depends_on_the_measured_cost_and_the_cores(self):
        with (
            mock.patch.object(creation_jobs, "MAX_HASHING_SECONDS", 20),
            mock.patch.object(creation_jobs, "HASHING_THREADS", 2),
            mock.patch.object(passwords, "measure_hash_seconds", lambda: 0.1),
        ):
            self.assertFalse(creation_jobs.takes_too_long(self.rows(400)))
            self.assertTrue(creation_jobs.takes_too_long(self.rows(401)))
            self.assertFalse(creation_jobs.takes_too_long(self.rows(401, password_hash=HASH)))
