"""Jobs on all rows that match a filter."""

import datetime
import json
from unittest import mock

from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from domains.models import Admin, Domain
from domains.services.domains import set_domains
from mailadmin.jobs import leases, runner, selections, services
from mailadmin.jobs.models import Job, JobKeys
from mailadmin.tables import table
from mailadmin.tables.views import bulk
from mailboxes.models import Mailbox
from mailboxes.services.domain_deletion import start_domain_deletion
from mailboxes.services.domains import create_domains
from mailboxes.services.mailboxes import create_mailboxes
from tests.base import World, run_job


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
