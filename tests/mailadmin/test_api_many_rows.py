"""The API: many rows at once."""

from unittest import mock

from domains.models import Domain
from mailadmin.changes.models import Log
from mailboxes.models import Alias, Mailbox
from tests.base import World
from tests.mailadmin.api_rows import DAVE
from tests.mailadmin.test_api import overtaken_once


class MultipleRowTests(World):
    def setUp(self):
        Domain.objects.update(mailboxes=0, aliases=0, quota=0, maxquota=0)
        self.program = self.api(self.alice)

    def rows(self, count):
        return [
            {"local_part": f"m{n}", "domain": "example.org", "goto": [f"x{n}@y.test"]}
            for n in range(count)
        ]

    def test_a_thousand_rows_are_created_by_one_request(self):
        answer = self.program.post("aliases", self.rows(1000))
        self.assertEqual(answer.status_code, 201)
        self.assertEqual([item["local_part"] for item in answer.json()["items"]][:2], ["m0", "m1"])
        self.assertEqual(Log.objects.filter(action="create_alias").count(), 1000)
        self.assertEqual(self.program.post("aliases", self.rows(1001)).status_code, 422)

    def test_errors_name_their_row_and_nothing_is_created(self):
        rows = self.rows(5)
        rows[1]["goto"] = []
        rows[3]["goto"] = ["not an IP address"]
        answer = self.program.post("aliases", rows)
        self.assertEqual(answer.status_code, 422)
        errors = {item["index"]: item["errors"] for item in answer.json()["items"]}
        self.assertEqual(list(errors), [3])
        self.assertEqual(list(errors[3]), ["goto"])
        rows[3]["goto"] = ["x@y.test"]
        answer = self.program.post("aliases", rows)
        self.assertEqual([item["index"] for item in answer.json()["items"]], [1])
        self.assertFalse(Alias.objects.filter(pk="m0@example.org").exists())
        self.assertFalse(Log.objects.filter(action="create_alias").exists())

    def test_a_limit_applies_to_all_rows_together(self):
        Domain.objects.filter(pk="example.org").update(aliases=3)
        answer = self.program.post("aliases", self.rows(5))
        self.assertEqual([item["index"] for item in answer.json()["items"]], [2, 3, 4])
        self.assertFalse(Alias.objects.filter(pk="m0@example.org").exists())

    def test_no_password_is_hashed_for_existing_rows(self):
        rows = [DAVE | {"local_part": "bob"}, DAVE]
        with mock.patch("mailadmin.passwords.make_hash", side_effect=AssertionError):
            answer = self.program.post("mailboxes", rows)
        self.assertEqual([item["index"] for item in answer.json()["items"]], [0])

    def test_wrong_types_are_reported_by_index(self):
        rows = self.rows(3)
        rows[2] = {"local_part": 7}
        answer = self.program.post("aliases", rows)
        self.assertEqual([item["index"] for item in answer.json()["items"]], [2])

    def test_one_foreign_row_refuses_the_whole_request(self):
        for rows in (
            [
                {"username": "bob@example.org", "name": "B"},
                {"username": "carol@example.com", "name": "C"},
            ],
            [{"username": "bob@example.org", "name": "B"}, {"name": "C"}],
            [{"username": "bob@example.org", "name": "B"}, {"username": 7}],
            [{"username": "bob@example.org", "name": "B"}, {"username": "BOB@example.org"}],
        ):
            answer = self.program.patch("mailboxes", rows)
            self.assertEqual(answer.status_code, 422, answer.content)
            self.assertEqual([item["index"] for item in answer.json()["items"]], [1])
        self.assertEqual(Mailbox.objects.get(pk="bob@example.org").name, "Bob")

    def test_several_rows_are_changed_or_none(self):
        self.program.post("aliases", self.rows(3))
        changes = [{"address": f"m{n}@example.org", "description": f"d{n}"} for n in (2, 0)]
        answer = self.program.patch("aliases", changes)
        self.assertEqual(answer.status_code, 200, answer.content)
        self.assertEqual([item["description"] for item in answer.json()["items"]], ["d2", "d0"])
        changes[0]["description"] = "again"
        changes[1]["goto"] = ["m0@example.org"]
        answer = self.program.patch("aliases", changes)
        self.assertEqual([item["index"] for item in answer.json()["items"]], [1])
        self.assertEqual(Alias.objects.get(pk="m2@example.org").description, "d2")

    def test_if_match_is_refused_for_many_rows(self):
        rows = self.program.get("mailboxes").json()["items"]
        answer = self.program.patch("mailboxes", rows, headers={"If-Match": '"x"'})
        self.assertEqual(answer.status_code, 400)

    def test_a_concurrent_change_is_not_lost(self):
        with overtaken_once():
            answer = self.program.patch("mailboxes", [{"username": "bob@example.org", "quota": 5}])
        self.assertEqual(answer.status_code, 200, answer.content)
        self.assertEqual(answer.json()["items"][0]["name"], "Changed meanwhile")

    def test_rows_may_be_sent_back_unchanged(self):
        items = self.program.get("mailboxes").json()["items"]
        items[0]["name"] = "Robert"
        answer = self.program.patch("mailboxes", items)
        self.assertEqual(answer.status_code, 200, answer.content)
        self.assertEqual(Log.objects.filter(action="edit_mailbox").count(), 1)

    def test_domains_named_twice_are_refused(self):
        row = {"domain": "new.example"}
        answer = self.api(self.root).post("domains", [row, row])
        self.assertEqual([item["index"] for item in answer.json()["items"]], [1])
