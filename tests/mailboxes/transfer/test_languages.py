"""Texts of imports and their jobs are stored as data, and shown in the language of the reader."""

import datetime
import json

from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.db import connection
from django.utils import timezone
from django.utils.translation import override

from mailadmin.jobs.models import Job
from mailboxes.models import Plan, PlanRow
from mailboxes.transfer.plan import workflow
from mailboxes.transfer.plan.output import iter_plan_json, render_plan
from tests.mailboxes.transfer.base import TransferWorld

ROWS = (
    "username,password,name\n"
    "ann@example.org,correct-horse-43,Ann\n"
    "ann@example.org,correct-horse-43,Again\n"
    "dan@nowhere.example,correct-horse-43,Dan\n"
    f"{'x' * 300}@example.org,correct-horse-43,Long\n"
)


class LanguageTests(TransferWorld):
    def get(self, url, language):
        response = self.client.get(url, headers={"accept-language": language})
        return b"".join(response).decode()

    def upload(self, language, text=ROWS, name="rows.csv"):
        self.sign_in(self.alice)
        data = {"format": "csv", "file": SimpleUploadedFile(name, text.encode())}
        self.client.post("/import/", data, headers={"accept-language": language})
        call_command("worker", once=True)
        return Plan.objects.latest("pk")

    def test_a_job_of_a_german_is_english_for_the_english_and_the_reverse(self):
        for language in ("de", "en"):
            with self.subTest(started_in=language):
                self.upload(language)
                url = f"/jobs/{Job.objects.latest('pk').pk}/"
                self.assertIn("<h1>Read rows.csv</h1>", self.get(url, "en"))
                self.assertIn("<h1>rows.csv lesen</h1>", self.get(url, "de"))
                self.assertIn(">rows.csv lesen</a>", self.get("/jobs/", "de"))
                self.assertIn(">Read rows.csv</a>", self.get("/jobs/", "en"))

    def test_reasons_of_refused_rows_are_in_the_language_of_the_reader(self):
        for language in ("de", "en"):
            with self.subTest(imported_in=language):
                plan = self.upload(language)
                url = f"/import/{plan.pk}/"
                english, german = self.get(url, "en"), self.get(url, "de")
                self.assertIn("Duplicate; the first is in rows.csv, line 2.", english)
                self.assertIn("Doppelt; zuerst in rows.csv, Zeile 2.", german)
                self.assertIn("The domain nowhere.example does not exist.", english)
                self.assertNotIn("does not exist", german)
                self.assertIn("rows.csv, Zeile 3", german)
                self.assertIn("rows.csv, line 3", english)

    def test_a_refused_password_is_not_stored(self):
        plan = self.upload("en", f"username,password\nann@example.org,secret{'x' * 1024}\n")
        self.assertIn("1024 characters", PlanRow.objects.get(plan=plan).reason)
        with connection.cursor() as cursor:
            cursor.execute("SELECT * FROM mailadmin_plan_row")
            self.assertNotIn("secret", str(cursor.fetchall()))

    def test_messages_of_django_itself_are_translated_too(self):
        plan = self.upload("de")
        with override("en"):
            (english,) = PlanRow.objects.filter(plan=plan, key__startswith="xxx")
        with override("ru"):
            (russian,) = PlanRow.objects.filter(plan=plan, key__startswith="xxx")
        self.assertTrue(english.reason.startswith("username: "), english.reason)
        self.assertTrue(english.reason.isascii(), english.reason)
        self.assertRegex(russian.reason, "[а-я]{4}")

    def test_files_and_json_are_in_the_language_of_the_reader(self):
        plan = self.upload("de")
        rejects = self.get(f"/import/{plan.pk}/refused/", "en")
        self.assertIn("Duplicate; the first is in rows.csv, line 2.", rejects)
        plan.refresh_from_db()
        with override("en"):
            lines = "\n".join(render_plan(plan, None))
            data = json.loads("".join(iter_plan_json(plan)))
        self.assertIn("The domain nowhere.example does not exist.", lines)
        self.assertIn("The domain nowhere.example does not exist.", str(data["rows"]))

    def test_notes_on_a_source_are_in_the_language_of_the_reader(self):
        with override("de"):
            plan = self.plan("username,name\nann@example.org,Ann\n")
        for language, text in (
            ("en", "mailboxes: No password: sign-in is not possible until one is set."),
            ("de", "Postfächer: Kein Passwort: Anmeldung erst möglich, wenn eines gesetzt ist."),
        ):
            with override(language):
                self.assertEqual([note["text"] for note in plan.notes], [text])
                self.assertIn(text, "\n".join(render_plan(plan, None)))

    def test_an_unreadable_import_is_a_failed_job_in_every_language(self):
        plan = self.upload("de", text="\n")
        job = Job.objects.get(pk=plan.job)
        self.assertEqual((plan.state, job.state), (Plan.State.FAILED, Job.State.FAILED))
        for url in (f"/jobs/{job.pk}/", f"/import/{plan.pk}/"):
            self.assertEqual(self.get(url, "en").count("The file is empty."), 1, url)
            self.assertEqual(self.get(url, "de").count("Die Datei ist leer."), 1, url)
        self.assertNotIn("Try again", self.get(f"/jobs/{job.pk}/", "en"))
        self.assertIn('class="badge fail">failed<', self.get("/jobs/", "en"))
        self.assertIn('class="badge fail">reading failed<', self.get("/import/", "en"))
        self.assertIn("Read rows.csv", self.get("/", "en"))

    def test_an_unreadable_import_cannot_be_retried_and_goes_when_it_is_discarded(self):
        plan = self.upload("en", text="\n")
        url = f"/jobs/{plan.job}/"
        self.assertRedirects(self.client.post(url, {"action": "retry"}), url)
        self.assertEqual(Job.objects.get(pk=plan.job).state, Job.State.FAILED)
        self.client.post(f"/import/{plan.pk}/", {"action": "discard"})
        self.assertFalse(Job.objects.exists())

    def test_the_failed_job_of_an_expired_import_is_deleted_with_it(self):
        self.upload("en", text="\n")
        Plan.objects.update(created=timezone.now() - datetime.timedelta(days=4))
        workflow.purge_plans()
        self.assertFalse(Plan.objects.exists())
        self.assertFalse(Job.objects.exists())

    def test_texts_stored_by_earlier_versions_are_shown_as_they_are(self):
        plan = self.upload("en")
        with connection.cursor() as cursor:
            cursor.execute("UPDATE mailadmin_job SET title = 'rows.csv lesen'")
            cursor.execute("UPDATE mailadmin_plan_row SET reason = 'Unbekannte {Spalte} 100 %%'")
        self.assertIn("rows.csv lesen", self.get("/jobs/", "en"))
        self.assertIn("Unbekannte {Spalte} 100 %", self.get(f"/import/{plan.pk}/", "en"))

    def test_a_long_title_is_shortened_and_still_translated(self):
        self.upload("de", name="é" * 200 + ".csv")
        with override("en"):
            self.assertRegex(Job.objects.get().title, "^Read é{150,}")
