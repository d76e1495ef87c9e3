"""The API: requests that are sent again with the same Idempotency-Key."""

import datetime

from django.utils import timezone

from mailadmin.api.models import StoredResponse
from mailadmin.changes.models import Log
from mailadmin.housekeeping import RESPONSE_TTL, purge_expired
from tests.base import World
from tests.mailadmin.api_rows import DAVE


class IdempotencyTests(World):
    def setUp(self):
        self.program = self.api(self.alice)
        self.key = {"Idempotency-Key": "8e03978e-40d5-43dd-bc93-6894a57f9324"}

    def test_a_repeated_request_is_performed_once(self):
        first = self.program.post("mailboxes", DAVE, headers=self.key)
        again = self.program.post("mailboxes", DAVE, headers=self.key)
        self.assertEqual((first.status_code, again.status_code), (201, 201))
        self.assertEqual(again.json(), first.json())
        self.assertEqual((again["ETag"], again["Location"]), (first["ETag"], first["Location"]))
        self.assertEqual(again["Idempotent-Replayed"], "true")
        self.assertEqual(Log.objects.filter(action="create_mailbox").count(), 1)

    def test_a_list_response_is_replayed_too(self):
        rows = [DAVE, DAVE | {"local_part": "erin"}]
        first = self.program.post("mailboxes", rows, headers=self.key)
        again = self.program.post("mailboxes", rows, headers=self.key)
        self.assertEqual((again.status_code, again.json()), (201, first.json()))

    def test_a_replayed_warning_is_in_the_language_of_the_request(self):
        row = {"local_part": "list", "domain": "example.org", "goto": ["nobody@example.org"]}
        row |= {"description": '{"msgid": "Mailbox"}'}  # of a user: no text of the panel
        for language, words in (("en", "does not exist"), ("de", "existiert nicht")):
            headers = self.key | {"Accept-Language": language}
            answer = self.program.post("aliases", row, headers=headers).json()
            self.assertIn(words, answer["warnings"][0])
            self.assertEqual(answer["description"], row["description"])

    def test_another_request_with_the_same_key_is_refused(self):
        self.program.post("mailboxes", DAVE, headers=self.key)
        other = self.program.post("mailboxes", DAVE | {"name": "D"}, headers=self.key)
        self.assertEqual(other.status_code, 422)
        elsewhere = self.program.post("aliases", DAVE, headers=self.key)
        self.assertEqual(elsewhere.status_code, 422)

    def test_a_refused_request_may_be_retried(self):
        bad = self.program.post("mailboxes", DAVE | {"password": "x"}, headers=self.key)
        self.assertEqual(bad.status_code, 422)
        self.assertFalse(StoredResponse.objects.exists())
        self.assertEqual(self.program.post("mailboxes", DAVE, headers=self.key).status_code, 201)

    def test_idempotency_keys_are_per_token(self):
        self.program.post("mailboxes", DAVE, headers=self.key)
        other = self.api(self.alice).post("mailboxes", DAVE, headers=self.key)
        self.assertEqual(other.status_code, 409)
        capitals = {"Idempotency-Key": self.key["Idempotency-Key"].upper()}
        self.assertEqual(self.program.post("mailboxes", DAVE, headers=capitals).status_code, 409)

    def test_an_idempotency_key_has_a_maximum_length(self):
        for key in ("", "x" * 256, "\x01", "ж"):
            answer = self.program.post("mailboxes", DAVE, headers={"Idempotency-Key": key})
            self.assertEqual(answer.status_code, 400, key)

    def test_stored_responses_are_purged_after_a_day(self):
        self.program.post("mailboxes", DAVE, headers=self.key)
        purge_expired()
        self.assertTrue(StoredResponse.objects.exists())
        StoredResponse.objects.update(
            at=timezone.now() - RESPONSE_TTL - datetime.timedelta(seconds=1)
        )
        purge_expired()
        self.assertFalse(StoredResponse.objects.exists())
