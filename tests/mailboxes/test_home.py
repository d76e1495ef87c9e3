"""The home page: failed jobs, and domains that need attention."""

from unittest import mock

from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command

from domains.models import Domain, DomainAdmin, DomainState
from mailadmin.jobs import leases, runner
from mailadmin.jobs.models import Job
from mailboxes.services import cached_stats
from mailboxes.services.domains import create_domains
from mailboxes.services.mailboxes import delete_mailboxes
from tests.base import World, run_job


class FailedJobTests(World):
    def failed(self, count, **values):
        start = {"kind": "welcome", "state": Job.State.FAILED, "owner_model": "domains.Admin"}
        start |= {"owner_key": self.alice.pk, "owner": "alice", "arguments": {"to": self.bob.pk}}
        return [Job.objects.create(title=f"mail {n}", **start | values) for n in range(count)]

    def test_home_counts_more_failed_jobs_and_dismisses_all_at_once(self):
        self.failed(16)
        foreign = self.failed(1, owner_key=self.root.pk)[0]
        self.sign_in(self.alice)
        self.assertContains(self.client.get("/"), "and 13 more failed jobs")
        self.assertContains(self.client.get("/jobs/"), "Dismiss 16 failed jobs")
        self.assertRedirects(self.client.post("/jobs/"), "/jobs/")
        self.assertEqual(list(Job.objects.all()), [foreign])

    def test_a_failed_welcome_mail_is_deleted_with_its_mailbox(self):
        self.failed(1)
        kept = self.failed(1, arguments={"to": self.carol.pk})[0]
        self.perform(self.alice, delete_mailboxes, [self.bob.pk])
        call_command("worker", once=True)
        self.assertEqual(list(Job.objects.all()), [kept])

    def test_no_mail_is_sent_to_a_mailbox_that_was_deleted(self):
        from django.core import mail

        self.failed(1, state=Job.State.WAITING)
        self.perform(self.alice, delete_mailboxes, [self.bob.pk])
        call_command("worker", once=True)
        self.assertEqual((mail.outbox, Job.objects.get().state), ([], Job.State.DONE))

    def test_a_discarded_import_is_not_a_failed_job(self):
        self.sign_in(self.alice)
        file = SimpleUploadedFile("rows.csv", b"username,name\nbob@example.org,Robert\n")
        self.client.post("/import/", {"format": "csv", "file": file})
        job = leases.claim_job("worker")
        runner.advance_job(job)  # the first step: how much there is
        number = job.arguments["plan"]
        self.client.post(f"/import/{number}/", {"action": "discard"})
        run_job(job)
        job.refresh_from_db()
        self.assertEqual(job.state, Job.State.DONE)
        self.assertNotContains(self.client.get("/"), "This work failed")


class DomainAttentionTests(World):
    def fill(self):
        """Create 30 inactive domains, 60 at 90 % of a limit and a full one, the last by name."""
        inactive = [f"a{number:02}.example" for number in range(30)]
        nearly = [f"b{number:02}.example" for number in range(60)]
        rows = [{"domain": name, "default_aliases": False} for name in [*inactive, *nearly]]
        rows.append({"domain": "zz.example", "default_aliases": False, "quota": 5})
        self.perform(self.root, create_domains, rows)
        Domain.objects.filter(pk__in=inactive).update(active=False)
        Domain.objects.filter(pk__in=nearly).update(aliases=10)
        DomainState.objects.filter(pk__in=nearly).update(aliases=9)
        DomainState.objects.filter(pk="zz.example").update(quota_assigned=5 * 1024000)
        rows = [DomainAdmin(admin=self.alice, domain_id=row["domain"]) for row in rows]
        DomainAdmin.objects.bulk_create(rows)

    def test_the_fullest_domains_are_shown_besides_the_inactive_ones(self):
        self.fill()
        for counted in (5000, 0):
            with mock.patch.object(cached_stats, "LIVE_COUNT_LIMIT", counted):
                cached_stats.refresh_stats()
            for person in (self.root, self.alice):
                with self.subTest(counted=counted, person=person):
                    self.sign_in(person)
                    page = self.client.get("/")
                    self.assertContains(page, "≥ 80 items need attention")
                    self.assertContains(page, "/domains/zz.example/")
                    found = page.context["attention"]
                    self.assertEqual(found["full_domains"].shown[0].pk, "zz.example")
                    self.assertEqual(found["inactive_domains"].shown[9].pk, "a09.example")
                    self.assertEqual(found["inactive_domains"].hidden, 20)
