"""`mailadmin import`: plans, applying them, and refused rows."""

import json
import os
import stat
from unittest import mock

from django.core.management import call_command
from django.core.management.base import CommandError

from mailboxes.models import Mailbox, Plan
from mailboxes.transfer.command import add_database_password
from tests.mailboxes.transfer.base import TransferWorld

TWO = """\
username,password,name
ann@example.org,correct-horse-43,Ann
eve@nowhere.example,correct-horse-43,Eve
"""


class CommandTests(TransferWorld):
    def run_import(self, *arguments):
        return self.command("import", *map(str, arguments))

    def source(self, text=TWO, name="rows.csv"):
        return ("--from", name.rpartition(".")[2], "--source", self.file(text, name))

    def test_import_makes_a_plan_by_default(self):
        for arguments in ((), ("--plan",)):
            output, trouble = self.run_import(*self.source(), *arguments)
            self.assertEqual(trouble, "")
            self.assertIn("ann@example.org", output)
            self.assertIn("nowhere.example does not exist", output)
        self.assertFalse(Mailbox.objects.filter(pk="ann@example.org").exists())

    def test_rows_are_imported_with_the_option_and_refused_ones_written_privately(self):
        rejects = self.folder / "rejects.csv"
        output, trouble = self.run_import(*self.source(), "--apply", "--rejects", rejects)
        self.assertIn("1 row was rejected", trouble)
        self.assertIn(str(rejects), trouble)
        self.assertTrue(Mailbox.objects.filter(pk="ann@example.org").exists())
        self.assertEqual(stat.S_IMODE(os.stat(rejects).st_mode), 0o600)
        self.assertNotIn("correct-horse", rejects.read_text())

    def test_refused_rows_can_be_fixed_and_imported_again(self):
        rejects = self.folder / "rejects.csv"
        self.run_import(*self.source(), "--apply", "--rejects", rejects)
        fixed = rejects.read_text().replace("nowhere.example,", "example.org,")
        self.run_import(*self.source(fixed, "fixed.csv"), "--apply")
        self.assertEqual(self.mailbox("eve@example.org").name, "Eve")

    def test_rows_refused_while_applying_can_be_imported_again(self):
        source = json.dumps(
            {
                "mailboxes": [
                    {"username": "ann@example.org", "password_hash": "{PLAIN}x", "quota": 1.25}
                ],
                "aliases": [
                    {"address": "a@example.org", "goto": ["b@example.org"]},
                    {"address": "b@example.org", "goto": ["a@example.org"], "description": "Round"},
                ],
            }
        )
        rejects = self.folder / "rejects.json"
        self.run_import(*self.source(source, "rows.json"), "--apply", "--rejects", rejects)
        (row,) = json.loads(rejects.read_text())["aliases"]
        self.assertEqual(
            (row["address"], row["goto"], row["description"]),
            ("b@example.org", ["a@example.org"], "Round"),
        )
        self.assertIn("loop", row["error"])
        fixed = rejects.read_text().replace('["a@example.org"]', '["ann@example.org"]')
        self.assertEqual(self.run_import(*self.source(fixed, "fixed.json"), "--apply")[1], "")

    def test_a_plan_can_be_applied_later(self):
        self.run_import(*self.source())
        plan = Plan.objects.get()
        self.file("username\nbad@example.org\n")
        self.run_import("--apply", plan.pk, "--rejects", self.folder / "x.csv")
        self.assertTrue(Mailbox.objects.filter(pk="ann@example.org").exists())
        self.assertFalse(Mailbox.objects.filter(pk="bad@example.org").exists())

    def test_an_import_is_reverted(self):
        self.run_import(*self.source(), "--apply", "--rejects", self.folder / "x.csv")
        output, trouble = self.run_import("--take-back", Plan.objects.get().pk)
        self.assertEqual(trouble, "")
        self.assertFalse(Mailbox.objects.filter(pk="ann@example.org").exists())

    def test_json_output_is_machine_readable(self):
        output, _trouble = self.run_import(*self.source(), "--json")
        plan_data = json.loads(output)
        self.assertEqual(plan_data["counts"]["mailboxes"]["new"], 1)
        self.assertEqual([row["verb"] for row in plan_data["rows"]], ["new", "refused"])
        self.assertNotIn("correct-horse", output)
        self.assertNotIn("$2", output)

    def test_an_unreadable_source_changes_nothing_and_shows_the_reason(self):
        output, trouble = self.run_import(*self.source("username,colour\n"), "--apply")
        self.assertIn("rows.csv, line 1", trouble)
        self.assertEqual(Plan.objects.get().state, Plan.State.FAILED)
        self.assertEqual(Plan.objects.get().rows.count(), 0)

    def test_a_truncated_source_makes_no_plan(self):
        good = "".join(f"u{n}@example.org,x\n" for n in range(3000))
        _output, trouble = self.run_import(
            *self.source(f"username,password_hash\n{good}".encode() + b"\xff\n"), "--apply"
        )
        self.assertIn("line 3002", trouble)
        self.assertEqual(Mailbox.objects.count(), 2)
        self.assertEqual(Plan.objects.get().rows.count(), 0)

    def test_wrong_usage_has_its_own_exit_status(self):
        for arguments in (
            ("--from", "csv"),
            ("--source", "x"),
            (),
            ("--apply",),
            ("--from", "csv", "--source", "x", "--scheme", "X"),
        ):
            with self.subTest(arguments=arguments), self.assertRaises(CommandError) as caught:
                call_command("import", *arguments)
            self.assertEqual(caught.exception.returncode, 2)

    def test_a_password_may_be_given_outside_the_url(self):
        with mock.patch.dict(os.environ, {"MYSQL_PWD": "p@ss/w:rd"}):
            url = add_database_password("mysql://reader@db.example.net:3307/mail?ssl_ca=x")
        self.assertEqual(url, "mysql://reader:p%40ss%2Fw%3Ard@db.example.net:3307/mail?ssl_ca=x")
        for text in (
            "mysql://reader:x@db/mail",
            "mysql://db/mail",
            "/var/tmp/mail.sql",
            "mail.sql",
        ):
            self.assertEqual(add_database_password(text), text)

    def test_a_source_password_is_never_shown(self):
        url = "mysql://reader:very-secret@127.0.0.1:1/mail"
        output, trouble = self.run_import("--from", "ispmail", "--source", url)
        self.assertIn("127.0.0.1", trouble)
        self.assertNotIn("very-secret", output + trouble + str(Plan.objects.values_list()))

    def test_an_unknown_plan_is_reported(self):
        for option in ("--apply", "--take-back"):
            self.assertIn("no import 4711", self.run_import(option, 4711)[1])

    def test_control_characters_of_a_file_do_not_reach_the_terminal(self):
        output, _trouble = self.run_import(
            *self.source("username,name\n\x1b[31mann@example.org,x\n")
        )
        self.assertNotIn("\x1b", output)
