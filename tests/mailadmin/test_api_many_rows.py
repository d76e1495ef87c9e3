"""The API: many rows at once."""

from unittest import mock

from django.db import connection
from django.test.utils import CaptureQueriesContext

from domains.models import Domain, DomainState
from mailadmin.changes.models import Log
from mailboxes.models import Alias, AliasTarget, Mailbox
from mailboxes.services.tallies import recount_tallies
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

    def count_statements(self, table, rows, status, method="post"):
        """Return how many statements a request takes."""
        with CaptureQueriesContext(connection) as queries:
            answer = getattr(self.api(self.root), method)(table, rows)
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

    def test_a_loop_among_many_rows_is_found_in_few_statements(self):
        rows = self.rows(200)
        rows[198]["goto"], rows[199]["goto"] = ["m199@example.org"], ["m198@example.org"]
        self.assertLess(self.count_statements("aliases", rows, 422), 120)


class MultipleEditTests(World):
    def setUp(self):
        Domain.objects.update(mailboxes=0, aliases=0, quota=10**6, maxquota=1000)
        self.program = self.api(self.root)
        names = [f"p{n}" for n in range(60)]
        mailboxes = [{"local_part": name, "password_hash": HASH, "quota": 5} for name in names]
        aliases = [{"local_part": f"a{name}", "goto": [f"{name}@y.test"]} for name in names]
        for table, rows in (("mailboxes", mailboxes), ("aliases", aliases)):
            rows = [row | {"domain": "example.org"} for row in rows]
            self.assertEqual(self.program.post(table, rows).status_code, 201)

    def patch(self, table, rows, status=200):
        """Change rows, given as key → values; return the number of statements, and the answer."""
        key = {"mailboxes": "username", "aliases": "address"}[table]
        items = [{key: f"{name}@example.org"} | values for name, values in rows.items()]
        with CaptureQueriesContext(connection) as queries:
            answer = self.program.patch(table, items)
        self.assertEqual(answer.status_code, status, answer.content)
        return len(queries), answer.json()

    def refused(self, table, rows):
        _count, answer = self.patch(table, rows, 422)
        return {item["index"]: item["errors"] for item in answer["items"]}

    def test_equal_changes_of_more_rows_take_no_more_statements(self):
        for table, prefix, values in (
            ("mailboxes", "p", {"quota": 6}),
            ("mailboxes", "p", {"active": False}),
            ("aliases", "ap", {"description": "new"}),
            ("aliases", "ap", {"active": False}),
        ):
            few, _answer = self.patch(table, {f"{prefix}{n}": values for n in range(2)})
            more, _answer = self.patch(table, {f"{prefix}{n}": values for n in range(2, 50)})
            self.assertEqual(more, few, (table, values))

    def test_different_changes_take_one_statement_for_each_row(self):
        for table, prefix, build in (
            ("mailboxes", "p", lambda n: {"name": f"Number {n}"}),
            ("mailboxes", "p", lambda n: {"quota": n + 10}),
            ("aliases", "ap", lambda n: {"goto": [f"x{n}@z.test"]}),
        ):
            few, _answer = self.patch(table, {f"{prefix}{n}": build(n) for n in range(2)})
            more, _answer = self.patch(table, {f"{prefix}{n}": build(n) for n in range(2, 60)})
            self.assertEqual(more - few, 58 - 2, table)

    def test_columns_that_stay_the_same_are_not_written(self):
        for n in range(4):
            self.patch("mailboxes", {f"p{n}": {"name": f"Number {n}"}})
        few, _answer = self.patch("mailboxes", {"p0": {"active": False}})
        rows = {f"p{n}": {"name": f"Number {n}", "active": False} for n in range(1, 4)}
        self.assertEqual(
            self.patch("mailboxes", rows)[0], few + 1
        )  # rows besides the first are charged

    def test_quotas_are_checked_together(self):
        Domain.objects.filter(pk="example.org").update(quota=100 + 60 * 5)
        errors = self.refused("mailboxes", {"p0": {"quota": 6}, "p1": {"quota": 4.99}})
        self.assertEqual(list(errors), [0])
        self.patch("mailboxes", {"p0": {"quota": 9}, "p1": {"quota": 1}})
        errors = self.refused("mailboxes", {"p2": {"quota": 4}, "p3": {"quota": 7}})
        self.assertEqual((list(errors), list(errors[1])), ([1], ["quota"]))

    def test_tallies_follow_all_changes(self):
        self.patch("mailboxes", {"p0": {"quota": 9}, "p1": {"quota": 1}, "p2": {"quota": 8}})
        adjusted = DomainState.objects.get(pk="example.org").quota_assigned
        recount_tallies()
        self.assertEqual(adjusted, DomainState.objects.get(pk="example.org").quota_assigned)

    def test_inactive_mailboxes_are_followed_by_their_aliases(self):
        rows = {"p0": {"active": False}, "p1": {"active": True}, "p2": {"active": False}}
        self.patch("mailboxes", rows)
        own = Alias.objects.filter(pk__in=["p0@example.org", "p1@example.org", "p2@example.org"])
        self.assertEqual(
            list(own.order_by("pk").values_list("active", flat=True)), [False, True, False]
        )
        lines = Log.objects.filter(action="edit_mailbox").values_list("data", flat=True)
        self.assertEqual(sorted(lines), ["p0@example.org", "p2@example.org"])

    def test_loops_are_looked_for_among_all_changes(self):
        self.patch("aliases", {"ap0": {"goto": ["ap1@example.org"]}})
        turned = {"ap1": {"goto": ["ap0@example.org"]}, "ap0": {"goto": ["x@y.test"]}}
        self.patch("aliases", turned)
        rows = {f"ap{n}": {"goto": [f"ap{n + 1}@example.org"]} for n in range(20, 39)}
        errors = self.refused("aliases", rows | {"ap39": {"goto": ["ap20@example.org"]}})
        self.assertEqual(list(errors), [19])
        self.assertIn("Alias loop", errors[19]["goto"][0])

    def test_targets_of_changed_aliases_are_found(self):
        self.patch("aliases", {"ap0": {"goto": ["new@z.test"]}, "ap1": {"goto": ["other@z.test"]}})
        found = AliasTarget.objects.filter(name="@z.test").values_list("alias_id", flat=True)
        self.assertEqual(sorted(found), ["ap0@example.org", "ap1@example.org"])

    def test_an_owners_forwarding_may_be_among_other_aliases(self):
        self.patch("aliases", {"p0": {"goto": ["x@y.test"]}, "ap0": {"goto": ["x@y.test"]}})
        gotos = dict(Alias.objects.values_list("pk", "goto"))
        self.assertEqual(gotos["p0@example.org"], "x@y.test,p0@example.org")
        self.assertEqual(gotos["ap0@example.org"], "x@y.test")
