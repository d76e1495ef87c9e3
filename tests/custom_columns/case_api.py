"""The API and the commands with columns that the operator has added."""

import io
import json

from django.core.management import call_command
from django.db import connection

from mailboxes.models import Mailbox
from mailboxes.services.mailboxes import edit_mailbox
from tests.base import PASSWORD, World

BOB = "bob@example.org"
PLACE = f"mailboxes/{BOB}"
EVE = {"local_part": "eve", "domain": "example.org", "password": PASSWORD}
VALUES = {
    "x_department": "Sales",
    "x_floor": 4,
    "x_level": 7,
    "x_rate": 1.5,
    "x_vip": True,
    "x_since": "2026-01-02",
    "x_seen": "2026-02-03T04:05:06+01:00",
    "x_site": "south",
    "x_notes": "one\ntwo",
}


class ApiTests(World):
    def test_values_come_back_as_they_were_sent(self):
        api = self.api(self.alice)
        created = api.post("mailboxes", EVE | VALUES)
        self.assertEqual(created.status_code, 201, created.content)
        self.assertEqual(created.json(), created.json() | VALUES)
        changed = api.patch(PLACE, VALUES)
        self.assertEqual(changed.json(), changed.json() | VALUES)

    def test_values_are_cleared_by_null_and_by_an_empty_text(self):
        api = self.api(self.alice)
        api.patch(PLACE, VALUES)
        names = ("x_floor", "x_rate", "x_since", "x_seen")
        response = api.patch(PLACE, dict.fromkeys(names) | {"x_department": "", "x_site": ""})
        self.assertEqual(response.status_code, 200, response.content)
        self.assertEqual({response.json()[name] for name in names}, {None})
        refused = api.patch(PLACE, {"x_level": None})
        self.assertEqual(list(refused.json()["errors"]), ["x_level"])

    def test_a_new_row_has_the_defaults_of_the_database(self):
        self.assertEqual(self.api(self.alice).post("mailboxes", EVE).json()["x_level"], 3)

    def test_wrong_types_are_refused(self):
        api = self.api(self.alice)
        for name, value in (
            ("x_floor", "4"),
            ("x_floor", 4.5),
            ("x_floor", 10**30),
            ("x_rate", "1"),
            ("x_rate", 1e300),
            ("x_vip", 1),
            ("x_since", 2026),
            ("x_since", "soon"),
            ("x_site", "roof"),
            ("x_notes", ["a"]),
            ("x_department", None),
        ):
            with self.subTest(name=name, value=value):
                response = api.patch(PLACE, {name: value})
                self.assertEqual(response.status_code, 422)
                self.assertEqual(list(response.json()["errors"]), [name])

    def test_a_moment_that_the_column_cannot_hold_is_refused(self):
        api = self.api(self.alice)
        refused = [
            ("x_seen", "9999-12-31T23:59:59-14:00"),
            ("x_seen", "0001-01-01T00:00:00+14:00"),
        ]
        if connection.vendor == "mysql":
            refused += [("x_stamp", "1969-12-31T00:00:00"), ("x_stamp", "2040-01-01T00:00:00")]
        for name, value in refused:
            with self.subTest(name=name, value=value):
                response = api.patch(PLACE, {name: value})
                self.assertEqual(response.status_code, 422)
                self.assertIn("date", response.json()["errors"][name][0])

    def test_lists_are_filtered(self):
        api = self.api(self.root)
        api.patch(PLACE, VALUES)
        for name in ("x_department", "x_floor", "x_since", "x_site"):
            found = api.get("mailboxes", **{name: VALUES[name]}).json()["items"]
            self.assertEqual([row["username"] for row in found], [BOB], name)
        self.assertEqual(len(api.get("mailboxes", x_vip="0").json()["items"]), 1)
        for query in (
            {"x_floor": "x"},
            {"x_price": "1e999999"},
            {"x_rate": "1"},
            {"x_since": "today"},
            {"x_vip": "maybe"},
        ):
            with self.subTest(query=query):
                self.assertEqual(api.get("mailboxes", **query).status_code, 422)

    def test_a_whole_row_can_be_sent_back(self):
        for person in (self.root, self.alice):
            api = self.api(person)
            api.patch(PLACE, VALUES)
            row = api.get(PLACE)
            response = api.patch(PLACE, row.json(), {"If-Match": row["ETag"]})
            self.assertEqual(response.status_code, 200, response.content)

    # Roles

    def test_an_admin_neither_reads_nor_writes_what_is_for_superadmins(self):
        self.perform(self.root, edit_mailbox, BOB, {"x_contract": "K-4711", "x_number": "17"})
        api = self.api(self.alice)
        row = api.get(PLACE).json()
        self.assertNotIn("x_contract", row)
        self.assertEqual(row["x_number"], "17")
        for name in ("x_contract", "x_number"):
            for response in (
                api.patch(PLACE, {name: "mine"}),
                api.patch("mailboxes", [{"username": BOB, name: "mine"}]),
                api.post("mailboxes", EVE | {name: "mine"}),
                api.post("mailboxes", [EVE | {name: "mine"}]),
            ):
                self.assertEqual(response.status_code, 422)
                self.assertIn(b"This cannot be set here.", response.content)
        bob = Mailbox.objects.get(pk=BOB)
        self.assertEqual((bob.x_contract, bob.x_number), ("K-4711", "17"))
        self.assertEqual(api.get("mailboxes", x_contract="K-4711").status_code, 422)

    def test_a_superadmin_writes_it(self):
        api = self.api(self.root)
        response = api.patch(PLACE, {"x_contract": "K-4711", "x_number": "17"})
        self.assertEqual(response.json()["x_contract"], "K-4711")

    # The document

    def get_document(self, **headers):
        response = self.client.get("/api/v1/openapi.json", headers=headers)
        return b"".join(response).decode()

    def test_the_document_describes_them(self):
        document = json.loads(self.get_document(Authorization=f"Bearer {self.token(self.root)}"))
        row = document["components"]["schemas"]["Mailbox"]
        self.assertEqual(row["properties"]["x_floor"]["type"], ["integer", "null"])
        self.assertEqual(row["properties"]["x_since"]["format"], "date")
        self.assertNotIn("x_contract", row["required"])
        self.assertIn("x_number", row["required"])
        new = document["components"]["schemas"]["NewMailbox"]["properties"]
        self.assertEqual(new["x_department"]["description"], "Department")
        parameters = document["paths"]["/api/v1/mailboxes"]["get"]["parameters"]
        self.assertIn("x_site", [each["name"] for each in parameters])

    def test_the_document_says_to_each_what_they_may_see(self):
        self.assertNotIn("x_department", self.get_document())
        self.assertNotIn("x_department", self.get_document(Authorization="Bearer mailadmin_wrong"))
        of_alice = self.get_document(Authorization=f"Bearer {self.token(self.alice)}")
        self.assertIn("x_department", of_alice)
        self.assertNotIn("x_contract", of_alice)
        for person, shows_contract in ((self.alice, False), (self.root, True)):
            self.sign_in(person)
            for text in (self.get_document(), self.client.get("/account/api/").content.decode()):
                self.assertIn("x_department", text)
                self.assertEqual("x_contract" in text, shows_contract)
        self.sign_in(self.bob)
        self.assertNotIn("x_department", self.get_document())


class CommandTests(World):
    def run_command(self, *words):
        out = io.StringIO()
        call_command(*words, "--json", stdout=out)
        return json.loads(out.getvalue())

    def test_options_set_show_and_filter_them(self):
        options = ["--x-department", "Sales", "--x-floor", "4", "--x-since", "2026-01-02"]
        options += ["--x-vip", "--x-contract", "K-4711"]
        self.run_command("mailbox", "edit", BOB, *options)
        row = self.run_command("mailbox", "show", BOB)
        self.assertEqual((row["x_department"], row["x_floor"]), ("Sales", 4))
        self.assertEqual(
            (row["x_since"], row["x_vip"], row["x_contract"]), ("2026-01-02", True, "K-4711")
        )
        self.assertEqual(len(self.run_command("mailbox", "list", "--x-floor", "4")), 1)
        self.assertEqual(len(self.run_command("mailbox", "list", "--x-vip", "0")), 1)
        self.run_command("mailbox", "edit", BOB, "--x-floor", "", "--no-x-vip")
        row = self.run_command("mailbox", "show", BOB)
        self.assertEqual((row["x_floor"], row["x_vip"]), (None, False))
