"""The API: many rows at once."""

from unittest import mock

from django.db import connection
from django.test.utils import CaptureQueriesContext

from domains.models import Domain
from mailadmin.changes.models import Log
from mailboxes.models import Alias, Mailbox
from tests.base import World
from tests.mailadmin.api_rows import DAVE
from tests.mailadmin.test_api import overtaken_once

HASH = "$2y$10$" + "x" * 53


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

    def count_statements(self, table, rows, status):
        """Return how many statements a request takes."""
        with CaptureQueriesContext(connection) as queries:
            answer = self.api(self.root).post(table, rows)
        self.assertEqual(answer.status_code, status, answer.content)
        return len(queries)

    def test_more_rows_take_no_more_statements(self):
        Domain.objects.update(quota=10**6, maxquota=1000)
        mailboxes = [
            {"local_part": f"p{n}", "domain": "example.org", "password_hash": HASH}
            for n in range(60)
        ]
        aliases = self.rows(60)
        for table, rows in (("mailboxes", mailboxes), ("aliases", aliases)):
            self.count_statements(table, rows[-1:], 201)  # creates the state of the domain
            few = self.count_statements(table, rows[:2], 201)
            self.assertEqual(self.count_statements(table, rows[10:-1], 201), few, table)
            few = self.count_statements(table, rows[:2], 422)
            self.assertEqual(self.count_statements(table, rows[10:], 422), few, table)

    def test_the_rows_beyond_a_limit_are_found_in_few_statements(self):
        Domain.objects.update(aliases=60)
        statements = self.count_statements("aliases", self.rows(64), 422)
        self.assertLess(statements, 64 * 6)

    def test_a_loop_among_many_rows_names_its_rows(self):
        rows = self.rows(40)
        for n, target in ((7, 30), (30, 7), (20, 21), (21, 20)):
            rows[n]["goto"] = [f"m{target}@example.org"]
        answer = self.program.post("aliases", rows)
        errors = {item["index"]: item["errors"] for item in answer.json()["items"]}
        self.assertEqual(list(errors), [21, 30])
        loop = "m30@example.org → m7@example.org → m30@example.org"
        self.assertEqual(errors[30], {"goto": [f"Alias loop: {loop}"]})
