"""Imports in the browser: upload, review, apply, stop, revert; permissions."""

import datetime
import io
import json
import zipfile
from unittest import mock

from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import override_settings
from django.utils import timezone

from mailadmin.jobs.models import Job
from mailboxes.models import Mailbox, Plan, PlanRow, UploadPiece
from mailboxes.transfer import uploads
from tests.mailboxes.transfer.base import TransferWorld

ANN = "username,password,name\nann@example.org,correct-horse-43,Ann\n"


class PageTests(TransferWorld):
    def upload(self, text=ANN, name="rows.csv", **values):
        file = SimpleUploadedFile(name, text if isinstance(text, bytes) else text.encode())
        values = {"format": name.rpartition(".")[2], "file": file} | values
        return self.client.post("/import/", values)

    def uploaded(self, *arguments, **values):
        response = self.upload(*arguments, **values)
        self.assertEqual(response.status_code, 302, response.content[-2000:])
        self.work()
        return Plan.objects.latest("pk")

    def do(self, plan, action):
        data = {"action": action, "confirmed": "1"}
        response = self.client.post(f"/import/{plan.pk}/", data)
        self.work()
        if Plan.objects.filter(pk=plan.pk).exists():
            plan.refresh_from_db()
        return response

    def page(self, plan):
        return self.client.get(f"/import/{plan.pk}/").content.decode()

    def test_a_day_in_the_life_of_an_import(self):
        self.sign_in(self.alice)
        plan = self.uploaded()
        self.assertEqual(plan.state, Plan.State.READY)
        self.assertIn("ann@example.org", self.page(plan))
        self.assertFalse(Mailbox.objects.filter(pk="ann@example.org").exists())
        self.do(plan, "apply")
        self.assertEqual(plan.state, Plan.State.APPLIED)
        self.assertEqual(self.mailbox("ann@example.org").name, "Ann")
        self.assertIn("Undo import", self.page(plan))
        self.do(plan, "take-back")
        self.assertEqual(plan.state, Plan.State.RETURNED)
        self.assertFalse(Mailbox.objects.filter(pk="ann@example.org").exists())
        self.assertIn("1 row deleted", self.page(plan))
        for text in ("row restored", "rows restored", "ann@example.org", ">New<"):
            self.assertNotIn(text, self.page(plan))

    def details(self, plan):
        page = self.client.get(f"/import/{plan.pk}/")
        rows = [pair for sample in page.context["samples"] for pair in sample["rows"]]
        return {
            (row.kind, row.key): [(str(label), value) for label, value in details]
            for row, details in rows
        }

    def test_the_preview_shows_labels_and_formatted_values(self):
        self.sign_in(self.root)
        rows = "ann@example.org,1024,0,0\nbob@example.org,0,1,\n"
        shown = self.details(self.uploaded(f"username,quota,smtp_active,welcome_mail\n{rows}"))
        for label, value in (
            ("quota", "1,024 MB"),
            ("sending allowed", "no"),
            ("Send welcome email", "no"),
        ):
            self.assertIn((label, value), shown["mailbox", "ann@example.org"])
        self.assertEqual(shown["mailbox", "bob@example.org"], [("quota", "100 MB → unlimited")])
        text = "domain,mailboxes,quota,maxquota,backupmx\n"
        text += "new.example,0,2048,-1,1\nexample.org,1200,0,0,0\n"
        shown = self.details(self.uploaded(text, table="domains"))
        for label, value in (
            ("mailbox limit", "unlimited"),
            ("domain quota", "2,048 MB"),
            ("maximum quota per mailbox", "quotas disabled"),
            ("backup MX", "yes"),
        ):
            self.assertIn((label, value), shown["domain", "new.example"])
        change = ("mailbox limit", "unlimited → 1,200")
        self.assertEqual(shown["domain", "example.org"], [change])
        text = "address,goto\ninfo@example.org,x@y.example\n"
        shown = self.details(self.uploaded(text, table="aliases"))
        self.assertIn(
            ("forwards to", "bob@example.org → x@y.example"), shown["alias", "info@example.org"]
        )

    def test_the_first_line_of_a_csv_file_is_not_counted_as_a_row(self):
        self.sign_in(self.alice)
        self.uploaded()
        job = Job.objects.get(kind="plan")
        self.assertEqual((job.done, job.total), (1, 1))

    def test_an_upload_is_encrypted_until_read_and_deleted_afterwards(self):
        self.sign_in(self.alice)
        self.upload()
        sealed = b"".join(bytes(piece.sealed) for piece in UploadPiece.objects.all())
        self.assertTrue(sealed)
        self.assertNotIn(b"correct-horse", sealed)
        self.assertNotIn("correct-horse", json.dumps([job.arguments for job in Job.objects.all()]))
        self.work()
        self.assertFalse(UploadPiece.objects.exists())

    def test_large_files_are_stored_in_chunks_and_read_whole(self):
        self.sign_in(self.root)
        self.limit(mailboxes=0)
        rows = "".join(f"user{n}@example.org,{'x' * 200}\n" for n in range(300))
        with mock.patch.object(uploads, "CHUNK_SIZE", 10_000):
            plan = self.uploaded(f"username,password_hash\n{rows}")
        self.assertEqual(plan.rows.filter(verb="new").count(), 300)

    def test_a_file_that_is_too_large_is_refused(self):
        self.sign_in(self.alice)
        with override_settings(MAILADMIN_UPLOAD_MB=0):
            self.assert_refused(self.upload(), "The maximum is 0 MB")
        self.assertFalse(Plan.objects.exists())

    def test_empty_and_missing_files_are_refused(self):
        self.sign_in(self.alice)
        self.assert_refused(self.upload(""), "empty")
        self.assert_refused(self.client.post("/import/", {"format": "csv"}), "required")

    def test_an_unreadable_file_shows_the_reason_and_can_only_be_discarded(self):
        self.sign_in(self.alice)
        plan = self.uploaded("username,colour\n")
        page = self.page(plan)
        self.assertIn("have no column “colour”", page)
        self.assertNotIn('value="apply"', page)
        self.do(plan, "apply")
        self.assertEqual(plan.state, Plan.State.FAILED)
        self.do(plan, "discard")
        self.assertEqual(self.client.get(f"/import/{plan.pk}/").status_code, 404)

    def test_it_can_be_stopped_and_resumed(self):
        self.sign_in(self.root)
        plan = self.uploaded()
        self.client.post(f"/import/{plan.pk}/", {"action": "apply"})
        self.do(plan, "stop")
        self.assertEqual(plan.state, Plan.State.STOPPED)
        self.assertFalse(Mailbox.objects.filter(pk="ann@example.org").exists())
        self.do(plan, "apply")
        self.assertTrue(Mailbox.objects.filter(pk="ann@example.org").exists())

    def test_two_clicks_are_one_import(self):
        self.sign_in(self.root)
        plan = self.uploaded()
        for _click in range(2):
            self.client.post(f"/import/{plan.pk}/", {"action": "apply"})
        self.assertEqual(Job.objects.filter(kind="import").count(), 1)

    def test_reverting_requires_confirmation(self):
        self.sign_in(self.root)
        plan = self.uploaded()
        self.do(plan, "apply")
        answer = self.client.post(f"/import/{plan.pk}/", {"action": "take-back"})
        self.assertContains(answer, "1 row that the import created will be deleted.")
        self.assertNotContains(answer, "it changed")
        self.assertNotIn(">Details<", self.page(plan))
        self.work()
        self.assertTrue(Mailbox.objects.filter(pk="ann@example.org").exists())

    def test_a_partly_reverted_import_cannot_be_applied(self):
        self.sign_in(self.root)
        plan = self.uploaded()
        self.do(plan, "apply")
        self.client.post(f"/import/{plan.pk}/", {"action": "take-back", "confirmed": "1"})
        self.do(plan, "stop")
        self.assertNotIn('value="apply"', self.page(plan))
        self.do(plan, "apply")
        self.assertEqual(plan.state, Plan.State.STOPPED)
        self.do(plan, "take-back")
        self.assertEqual(plan.state, Plan.State.RETURNED)

    def test_a_plan_is_in_the_language_of_the_uploader(self):
        self.client.cookies["django_language"] = "de"
        self.sign_in(self.alice)
        plan = self.uploaded("username\neve@example.com\n")
        self.assertIn("Domain example.com", plan.rows.get().reason)
        self.assertNotIn("does not exist", plan.rows.get().reason)

    def test_a_missing_worker_is_reported(self):
        self.sign_in(self.alice)
        self.upload()
        plan = Plan.objects.get()
        self.assertNotIn("No worker has started", self.page(plan))
        long_ago = timezone.now() - datetime.timedelta(minutes=1)
        Job.objects.update(created=long_ago)
        self.assertIn("No worker has started", self.page(plan))

    def test_a_spreadsheet_is_named_in_the_error(self):
        self.sign_in(self.alice)
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as made:
            made.writestr("[Content_Types].xml", "<Types/>")
        plan = self.uploaded(file.getvalue(), name="people.xlsx", format="csv")
        self.assertEqual(plan.trouble.partition(":")[0], "people.xlsx")
        self.assertIn("spreadsheet", plan.trouble)

    def test_a_discarded_plan_is_deleted_with_its_hashes(self):
        self.sign_in(self.root)
        plan = self.uploaded()
        self.do(plan, "discard")
        self.work()
        self.assertFalse(Plan.objects.exists() or PlanRow.objects.exists())

    def test_refused_rows_can_be_downloaded(self):
        self.sign_in(self.alice)
        plan = self.uploaded("username,password,name\neve@example.com,correct-horse-43,Eve\n")
        response = self.client.get(f"/import/{plan.pk}/refused/")
        text = b"".join(response).decode()
        self.assertIn('filename="rows.refused.csv"', response["Content-Disposition"])
        self.assertIn("eve@example.com", text)
        self.assertNotIn("correct-horse", text)

    def test_a_file_name_injects_neither_headers_nor_markup(self):
        self.sign_in(self.alice)
        plan = self.uploaded(name='x";\r\nSet-Cookie: a=b <b>ж.csv')
        response = self.client.get(f"/import/{plan.pk}/refused/")
        self.assertNotIn("\n", response["Content-Disposition"])
        self.assertNotIn("<b>", self.page(plan))

    def test_a_worker_that_dies_while_reading_leaves_nothing_twice(self):
        self.sign_in(self.root)
        self.upload()
        plan = Plan.objects.get()
        PlanRow.objects.create(
            plan=plan, stage=2, kind="mailbox", key="left@over", verb="new", place=""
        )
        self.work()
        self.assertEqual(list(plan.rows.values_list("key", flat=True)), ["ann@example.org"])

    def test_another_secret_key_cannot_open_an_upload(self):
        self.sign_in(self.root)
        self.upload()
        with override_settings(SECRET_KEY="another key that is long enough to be one"):
            self.work()
        self.assertIn("a different secret key", Plan.objects.get().trouble)

    def test_rows_of_the_maximum_width_are_read(self):
        """Together they exceed the maximum of one statement."""
        self.sign_in(self.alice)
        row = f"eve@nowhere.example,{'x' * 900_000}\n"
        plan = self.uploaded("username,name\n" + row * 40)
        self.assertEqual(plan.rows.filter(verb="refused").count(), 40)

    def test_a_file_of_refused_rows_only_is_given_up(self):
        self.sign_in(self.alice)
        plan = self.uploaded("username\n" + "eve@nowhere.example\n" * 10_001)
        self.assertEqual(plan.state, Plan.State.FAILED)
        self.assertIn("10000 rows would be rejected", plan.trouble)

    def test_a_plan_that_cannot_be_finished_can_be_discarded(self):
        self.sign_in(self.alice)
        self.upload()
        with mock.patch.object(uploads, "decrypt_piece", side_effect=RuntimeError):
            self.work()
        plan = Plan.objects.get()
        self.assertIn('value="discard"', self.page(plan))
        self.do(plan, "discard")
        self.assertFalse(Plan.objects.exists() or UploadPiece.objects.exists())

    def test_each_table_has_an_empty_template_file(self):
        for person, tables in (
            (
                self.root,
                ["domains", "mailboxes", "aliases", "alias-domains", "transports", "admins"],
            ),
            (self.alice, ["mailboxes", "aliases"]),
        ):
            self.sign_in(person)
            for table in tables:
                with self.subTest(person=person, table=table):
                    response = self.client.get(f"/import/{table}.csv")
                    header = b"".join(response).decode().splitlines()[0]
                    self.assertNotIn("maildir", header)
                    plan = self.uploaded(header + "\n")
                    self.assertEqual(plan.state, Plan.State.READY, plan.trouble)
        self.assertEqual(self.client.get("/import/domains.csv").status_code, 404)
        self.assertEqual(self.client.get("/import/nonsense.csv").status_code, 404)

    def test_the_import_link_of_a_list_preselects_its_table(self):
        self.sign_in(self.alice)
        response = self.client.get("/aliases/import/", follow=True)
        self.assertContains(response, '<option value="aliases" selected>')


class ForeignPlanTests(PageTests):
    """Plans of other users are not found; users who may not import have no access."""

    def test_another_admins_plan_is_not_found(self):
        self.sign_in(self.root)
        plan = self.uploaded()
        self.sign_in(self.alice)
        for url in ("", "refused/", "plan.json"):
            self.assertEqual(self.client.get(f"/import/{plan.pk}/{url}").status_code, 404)
        for action in ("apply", "discard", "stop", "take-back"):
            self.assertEqual(self.do(plan, action).status_code, 404)
        self.assertNotContains(self.client.get("/import/"), f"/import/{plan.pk}/")
        plan.refresh_from_db()
        self.assertEqual(plan.state, Plan.State.READY)

    def test_a_superadmin_sees_every_plan(self):
        self.sign_in(self.alice)
        plan = self.uploaded()
        self.sign_in(self.root)
        self.assertIn("ann@example.org", self.page(plan))

    def test_mailbox_owners_cannot_import(self):
        self.sign_in(self.bob)
        self.assertEqual(self.client.get("/import/").status_code, 403)
        self.assertEqual(self.upload().status_code, 403)
        self.assertEqual(self.client.get("/import/mailboxes.csv").status_code, 403)

    def test_a_domain_admin_cannot_import_other_systems(self):
        self.sign_in(self.alice)
        for name in ("postfixadmin", "ispmail", "forwardings", "hashfiles"):
            self.assert_refused(self.upload(format=name))
        self.assert_refused(self.upload(table="domains"))

    def test_a_url_or_path_is_not_accepted_as_an_upload(self):
        self.sign_in(self.root)
        for text in ("mysql://root@127.0.0.1/mysql", "/etc/passwd"):
            plan = self.uploaded(text, name="x.csv")
            self.assertEqual(plan.state, Plan.State.FAILED)
            self.assertNotIn("root:", plan.trouble)

    def test_an_admin_without_domains_cannot_apply(self):
        self.sign_in(self.alice)
        plan = self.uploaded()
        self.client.post(f"/import/{plan.pk}/", {"action": "apply"})
        type(self.alice).objects.filter(pk=self.alice.pk).update(active=False)
        self.work()
        self.assertFalse(Mailbox.objects.filter(pk="ann@example.org").exists())
        self.assertEqual(Job.objects.get(kind="import").state, Job.State.FAILED)

    def test_unknown_actions_are_not_found(self):
        self.sign_in(self.root)
        plan = self.uploaded()
        self.assertEqual(self.do(plan, "explode").status_code, 404)
