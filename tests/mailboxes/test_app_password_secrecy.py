"""The password of a new app password is in one response, and nowhere else."""

from django.apps import apps
from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext

from mailadmin.api.models import StoredResponse
from mailadmin.changes.models import Change
from mailadmin.jobs.models import Job
from mailadmin.mails.models import OutgoingMail
from mailadmin.mails.values import unseal_values
from mailboxes.models import AppPassword
from mailboxes.services.app_password_hashes import hash_app_password
from tests.mailboxes.app_password_world import PHONE, AppPasswordWorld
from tests.mailboxes.test_app_password_list import URL, run


def read_all_rows():
    """Return every value of every table of the panel as text."""
    return "\n".join(
        str(list(model._base_manager.values()))
        for model in apps.get_models()
        if model._meta.managed
    )


class SecrecyTests(AppPasswordWorld):
    key = {"Idempotency-Key": "8e03978e-40d5-43dd-bc93-6894a57f9324"}

    def test_a_repeated_request_is_not_answered_by_the_password(self):
        program = self.api(self.alice)
        first = program.post("app-passwords", PHONE, headers=self.key)
        again = program.post("app-passwords", PHONE, headers=self.key)
        self.assertEqual(again["Idempotent-Replayed"], "true")
        self.assertEqual(again.json(), first.json() | {"password": None})
        self.assertEqual((again["ETag"], again["Location"]), (first["ETag"], first["Location"]))
        self.assertNotIn(first.json()["password"], str(StoredResponse.objects.get().body))
        self.assertEqual(AppPassword.objects.filter(description="Phone").count(), 1)

    def test_nor_is_a_repeated_list(self):
        program = self.api(self.alice)
        first = program.post("app-passwords", [PHONE], headers=self.key).json()["items"]
        again = program.post("app-passwords", [PHONE], headers=self.key).json()["items"]
        self.assertEqual(again, [first[0] | {"password": None}])
        self.assertNotIn(first[0]["password"], str(StoredResponse.objects.get().body))

    def test_it_is_in_no_row_and_no_log(self):
        program = self.api(self.alice)
        settings = {"MAILADMIN_LOG_FORMAT": "json", "MAILADMIN_SLOW_QUERY_MS": 0.001}
        with override_settings(**settings), self.assertLogs("mailadmin", "DEBUG") as logged:
            text = program.post("app-passwords", PHONE, headers=self.key).json()["password"]
        lines = str([record.__dict__ for record in logged.records])
        self.assertIn("mailadmin.access", lines)
        self.assertNotIn(text, lines)
        rows = read_all_rows()
        self.assertIn(hash_app_password(text), rows)
        self.assertNotIn(text, rows)
        self.assertTrue(Change.objects.filter(table="apppassword", verb="create").exists())
        self.assertFalse(Job.objects.exists())
        for mail in OutgoingMail.objects.all():
            self.assertNotIn(text, str(unseal_values(mail.sealed_values)))

    def test_no_statement_names_it(self):
        program = self.api(self.alice)
        with CaptureQueriesContext(connection) as captured:
            text = program.post("app-passwords", PHONE).json()["password"]
        self.assertNotIn(text, str(captured.captured_queries))

    def test_a_password_of_ones_own_is_stored_for_no_job(self):
        row = PHONE | {"password": "of-my-own-42"}
        answer = self.api(self.alice).post("app-passwords", [row] * 300)
        self.assertEqual(answer.status_code, 422)
        self.assertFalse(Job.objects.exists())

    def test_no_list_has_a_hash(self):
        program = self.api(self.root)
        self.sign_in(self.root)
        export = b"".join(self.client.get(f"{URL}export/")).decode()
        for text in (
            program.get("app-passwords").content.decode(),
            self.client.get(URL).content.decode(),
            export,
            run("list"),
        ):
            self.assertIn("Laptop", text)
            for row in AppPassword.objects.all():
                self.assertNotIn(row.password_hash, text)
                self.assertNotIn(row.password_hash.rpartition("$")[2], text)
