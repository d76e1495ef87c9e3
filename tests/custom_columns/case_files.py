"""Imports, exports, `apply` and backups with columns that the operator has added."""

import csv
import io
import json

from django.core.management import call_command
from django.db import connection

from mailboxes.models import Alias, Mailbox
from mailboxes.services.aliases import edit_alias
from mailboxes.services.mailboxes import delete_mailboxes, edit_mailbox
from mailboxes.transfer.entries import Losses
from mailboxes.transfer.export.rows import iter_export_rows
from mailboxes.transfer.row_types import ROW_TYPES
from tests.mailboxes.transfer.exporting import Exporting

BOB = "bob@example.org"
HEAD = "username,x_department,x_floor,x_level,x_rate,x_vip,x_since,x_seen,x_site,x_notes\n"
LARGE_VALUES = [("x_floor", "65536"), ("x_rate", "1000"), ("x_stamp", "2040-01-01 00:00:00")]
ROW = 'Sales,4,7,1.5,yes,2026-01-02,2026-02-03 04:05:06,south,"one\ntwo"\n'


def values_of(key):
    mailbox = Mailbox.objects.get(pk=key)
    names = HEAD.strip().split(",")[1:]
    return [getattr(mailbox, name) for name in names]


class ImportTests(Exporting):
    def test_a_file_of_an_admin_sets_them_and_the_import_can_be_undone(self):
        before = values_of(BOB)
        plan = self.imported(f"{HEAD}{BOB},{ROW}eve@example.org,{ROW}", self.alice)
        self.assertEqual(self.reasons(plan), {})
        self.assertEqual(values_of("eve@example.org"), values_of(BOB))
        self.assertEqual(values_of(BOB)[:3], ["Sales", 4, 7])
        again = self.plan(f"{HEAD}{BOB},{ROW}", self.alice)
        self.assertEqual(self.verbs(again), {BOB: "same"})
        self.revert_plan(plan, self.alice)
        self.assertEqual(values_of(BOB), before)
        self.assertFalse(Mailbox.objects.filter(pk="eve@example.org").exists())

    def test_an_empty_cell_clears_a_value(self):
        self.imported(f"{HEAD}{BOB},{ROW}")
        plan = self.imported(f"username,x_department,x_floor,x_since,x_rate\n{BOB},,,,\n")
        self.assertEqual(self.reasons(plan), {})
        bob = Mailbox.objects.get(pk=BOB)
        self.assertEqual(
            (bob.x_department, bob.x_floor, bob.x_since, bob.x_rate), ("", None, None, None)
        )
        plan = self.plan(f"username,x_level\n{BOB},\n")
        self.assertIn("cannot be empty", self.reasons(plan)[BOB])

    def test_wrong_values_are_refused_row_by_row(self):
        for name, value in (
            ("x_floor", "x"),
            ("x_rate", "1.2345"),
            ("x_vip", "perhaps"),
            ("x_since", "2026"),
            ("x_site", "roof"),
            ("x_department", '"a\nb"'),
            ("x_seen", "9999-12-31 23:59:59-14:00"),
            *(LARGE_VALUES if connection.vendor == "mysql" else ()),
        ):
            with self.subTest(name=name):
                plan = self.plan(f"username,{name}\n{BOB},{value}\n")
                self.assertIn(name, self.reasons(plan)[BOB])

    def test_an_admin_cannot_import_what_is_for_superadmins(self):
        for name in ("x_contract", "x_number"):
            for key in (BOB, "eve@example.org"):
                plan = self.imported(f"username,{name}\n{key},mine\n", self.alice)
                self.assertIn(name, self.reasons(plan)[key])
                self.assertFalse(Mailbox.objects.filter(**{name: "mine"}).exists())
        self.imported(f"username,x_contract\n{BOB},K-4711\n", self.root)
        self.assertEqual(Mailbox.objects.get(pk=BOB).x_contract, "K-4711")

    def test_the_template_has_them(self):
        self.sign_in(self.alice)
        head = self.client.get("/import/mailboxes.csv")
        self.assertNotIn("x_contract", b"".join(head).decode())


class ExportTests(Exporting):
    def test_an_export_restores_them(self):
        self.imported(f"{HEAD}{BOB},{ROW}")
        self.perform(self.root, edit_mailbox, "carol@example.com", {"x_level": 9})
        self.perform(self.root, edit_alias, "info@example.org", {"x_reason": "Desk", "x_owner": ""})
        self.perform(self.root, edit_alias, BOB, {"x_owner": "Bob"})
        wanted = values_of(BOB), values_of("carol@example.com")
        document = self.file(json.dumps(self.exported()), "rows.json")
        self.perform(self.root, delete_mailboxes, [BOB, "carol@example.com"])
        Alias.objects.filter(pk="info@example.org").delete()
        self.back(document)
        self.assertEqual((values_of(BOB), values_of("carol@example.com")), wanted)
        info = Alias.objects.get(pk="info@example.org")
        self.assertEqual((info.x_reason, info.x_owner), ("Desk", ""))
        self.assertEqual(Alias.objects.get(pk=BOB).x_owner, "Bob")
        self.assertEqual(Alias.objects.get(pk="carol@example.com").x_owner, "nobody's")

    def test_the_alias_of_a_mailbox_is_exported_only_for_its_own_values(self):
        def exported():
            return [row["address"] for row in iter_export_rows(ROW_TYPES["alias"], Losses())]

        self.assertNotIn(BOB, exported())
        self.perform(self.root, edit_alias, BOB, {"x_reason": "Desk"})
        self.assertIn(BOB, exported())

    def test_a_list_as_csv_can_be_imported(self):
        self.imported(f"{HEAD}{BOB},{ROW}")
        wanted = values_of(BOB)
        self.sign_in(self.alice)
        text = b"".join(self.client.get("/mailboxes/export/")).decode()
        (row,) = csv.DictReader(io.StringIO(text))
        self.assertEqual((row["x_rate"], row["x_since"]), ("1.500", "2026-01-02"))
        self.assertNotIn("x_contract", row)
        self.perform(self.root, edit_mailbox, BOB, {"x_floor": 1, "x_rate": None, "x_notes": ""})
        plan = self.imported(text, self.root)
        self.assertEqual(self.reasons(plan), {})
        self.assertEqual(values_of(BOB), wanted)


class ApplyTests(Exporting):
    def apply_text(self, text, *words):
        out = io.StringIO()
        call_command("apply", str(self.file(text, "rows.yaml")), *words, "--json", stdout=out)
        return json.loads(out.getvalue())

    def test_a_manifest_sets_them_once(self):
        text = f"""
domains:
- {{domain: example.org, x_customer: ACME}}
mailboxes:
- {{username: {BOB}, x_floor: 4, x_rate: 1.5, x_since: 2026-01-02, x_vip: yes}}
- {{username: eve@example.org, x_site: south, x_seen: "2026-02-03 04:05:06"}}
aliases:
- {{address: info@example.org, goto: [{BOB}], x_reason: Desk}}
"""
        self.assertEqual(len(self.apply_text(text)), 4)
        self.assertEqual(self.apply_text(text), [])
        bob = Mailbox.objects.get(pk=BOB)
        self.assertEqual((bob.x_floor, str(bob.x_rate), bob.x_vip), (4, "1.500", True))
        self.assertEqual(Mailbox.objects.get(pk="eve@example.org").x_site, "south")
        self.assertEqual(self.domain().x_customer, "ACME")


POSTFIXADMIN = """
CREATE TABLE domain (domain text, description text, active int, x_customer text, x_other text);
CREATE TABLE mailbox (username text, password text, maildir text, name text, quota int,
  active int, x_department text, x_floor int, x_since text, x_vip int, x_notes text);
CREATE TABLE alias (address text, goto text, domain text, active int, x_reason text);
INSERT INTO domain VALUES ('moved.example', '', 1, 'ACME', 'lost');
INSERT INTO mailbox VALUES ('eve@moved.example', '$1$x', 'x/', 'Eve', 0, 1, 'Sales\tWest', 4,
  '0000-00-00', 1, 'a\nb');
INSERT INTO alias VALUES ('eve@moved.example', 'eve@moved.example', 'moved.example', 1, 'Own');
INSERT INTO alias VALUES ('all@moved.example', 'eve@moved.example', 'moved.example', 1, 'Team');
"""


class PostfixAdminTests(Exporting):
    def test_they_are_imported_from_a_database_of_postfixadmin(self):
        path = self.file(POSTFIXADMIN, "postfixadmin.sql")
        arguments = ("--from", "postfixadmin", "--source", str(path), "--apply")
        output, error = self.command("import", *arguments)
        self.assertEqual(error, "", output)
        eve = Mailbox.objects.get(pk="eve@moved.example")
        self.assertEqual((eve.x_department, eve.x_floor, eve.x_since), ("Sales West", 4, None))
        self.assertEqual((eve.x_vip, eve.x_notes, eve.x_level), (True, "a\nb", 3))
        self.assertEqual(self.domain("moved.example").x_customer, "ACME")
        self.assertEqual(Alias.objects.get(pk="all@moved.example").x_reason, "Team")
        self.assertEqual(Alias.objects.get(pk="eve@moved.example").x_reason, "Own")
        self.assertIn("domain.x_other", output)
