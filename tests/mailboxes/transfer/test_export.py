"""Exports and their round trips: JSON completely, CSV within its columns."""

import io
import json
import os
import stat
from unittest import mock

from django.core.management import CommandError, call_command
from django.test import override_settings

from domains.models import Admin, DkimSigning, DomainAdmin
from mailboxes.models import Alias, Mailbox, Plan, Vacation, vacation_target
from mailboxes.transfer.entries import Losses
from mailboxes.transfer.export import jsonfiles
from mailboxes.transfer.row_types import ROW_TYPES_BY_TABLE
from tests.mailboxes.transfer.exported import build_database, contents, delete_everything
from tests.mailboxes.transfer.exporting import SEEDS, Exporting


class RoundTripTests(Exporting):
    def round_trip(self):
        path = self.folder / "all.json"
        self.assertEqual(self.export("--to", "json", "--output", path), ("", ""))
        before = contents()
        delete_everything()
        self.back(path)
        self.assertEqual(self.plan_reasons(), {})
        self.maxDiff = None
        after = contents()
        for table, rows in before.items():
            self.assertEqual(after[table], rows, table)

    def plan_reasons(self):
        return self.reasons(Plan.objects.latest("pk"))

    def test_json_round_trip_of_any_database(self):
        for seed in SEEDS:
            with self.subTest(seed=seed):
                delete_everything()
                build_database(seed)
                self.round_trip()

    def test_importing_into_the_same_database_changes_nothing(self):
        for seed in SEEDS:
            with self.subTest(seed=seed):
                delete_everything()
                build_database(seed)
                path = self.folder / "all.json"
                self.export("--to", "json", "--output", path)
                plan = self.planned(path)
                verbs = {verb for row in plan["counts"].values() for verb in row if row[verb]}
                self.assertEqual(verbs, {"same"}, [r for r in plan["rows"] if r["verb"] != "same"])
                self.assertEqual(len(plan["counts"]), len(ROW_TYPES_BY_TABLE))

    @override_settings(MAILADMIN_QUOTA_MULTIPLIER=3)
    def test_quotas_round_trip_exactly_with_any_megabyte(self):
        build_database(1)
        self.round_trip()

    @override_settings(MAILADMIN_QUOTA_MULTIPLIER=2**20)
    def test_quotas_in_binary_megabytes_round_trip_exactly(self):
        build_database(1)
        self.round_trip()

    def test_a_reimported_export_can_be_reverted(self):
        build_database(3)
        path = self.folder / "all.json"
        self.export("--to", "json", "--output", path)
        delete_everything()
        Admin.objects.create(
            username="root@far.test", superadmin=True
        )  # one superadmin has to stay
        before = contents()
        self.back(path)
        plan = Plan.objects.latest("pk")
        self.revert_plan(plan)
        self.assertEqual(self.reasons(plan), {})
        self.assertEqual(contents(), before)

    def test_limits_below_the_current_count_round_trip(self):
        self.limit(mailboxes=-1, aliases=-1, maxquota=-1, quota=-1)
        self.round_trip()
        self.assertEqual(self.domain().mailboxes, -1)

    def test_answer_only_mailboxes_round_trip(self):
        Vacation.objects.create(
            mailbox=self.bob, domain_id="example.org", subject="Away", body="Until May."
        )
        answer = vacation_target(self.bob.pk)
        Alias.objects.filter(pk=self.bob.pk).update(goto=answer, description="Away")
        self.round_trip()
        self.assertEqual(Alias.objects.get(pk=self.bob.pk).goto, answer)

    def test_targets_in_another_order_or_case_are_equal(self):
        Alias.objects.filter(pk=self.bob.pk).update(goto=f"{self.bob.pk},Friend@FAR.test")
        path = self.folder / "all.json"
        self.export("--to", "json", "--output", path)
        self.assertEqual(self.planned(path)["counts"]["aliases"]["changed"], 0)


class JsonTests(Exporting):
    def test_each_row_is_on_its_own_line(self):
        said, _trouble = self.export("--to", "json")
        lines = [line for line in said.splitlines() if "bob@example.org" in line]
        self.assertTrue(all(json.loads(line.rstrip(",")) for line in lines))
        head = json.loads(said)
        self.assertEqual((head["format"], head["version"]), ("mailadmin", 1))

    def test_an_alias_pointing_only_to_its_mailbox_is_not_exported(self):
        addresses = [row["address"] for row in self.exported()["aliases"]]
        self.assertEqual(addresses, ["info@example.com", "info@example.org"])
        Alias.objects.filter(pk=self.bob.pk).update(goto=f"x@far.test,{self.bob.pk}")
        addresses = [row["address"] for row in self.exported()["aliases"]]
        self.assertIn(self.bob.pk, addresses)

    def test_an_alias_with_another_active_state_than_its_mailbox_is_reported(self):
        Alias.objects.filter(pk=self.bob.pk).update(active=False)
        out, err = io.StringIO(), io.StringIO()
        call_command("export", to="json", format="json", stdout=out, stderr=err)
        self.assertIn("bob@example.org", err.getvalue())

    def test_a_signing_without_its_key_is_skipped_and_reported(self):
        DkimSigning.objects.create(author="example.org", dkim_id=4711)
        losses = Losses()
        said = json.loads("".join(jsonfiles.iter_json(losses)))
        self.assertNotIn("dkim-signings", said)
        self.assertEqual([note.places for note in losses], [["example.org"]])

    def test_one_domain_alone(self):
        DomainAdmin.objects.create(
            admin=Admin.objects.create(username="both@example.org"), domain_id="example.org"
        )
        DomainAdmin.objects.create(admin_id="both@example.org", domain_id="example.com")
        said = self.exported("--domain", "EXAMPLE.org")
        self.assertEqual([row["domain"] for row in said["domains"]], ["example.org"])
        self.assertEqual([row["username"] for row in said["admins"]], ["alice@example.org"])
        self.assertNotIn("example.com", json.dumps(said))

    def test_a_single_generated_domain_round_trips(self):
        delete_everything()
        name = build_database(7, mirrors=False)[0]
        path = self.folder / "one.json"
        self.export("--to", "json", "--domain", name, "--output", path)
        plan = self.planned(path)
        self.assertEqual({r["verb"] for r in plan["rows"]}, {"same"})
        self.assertEqual(plan["counts"]["domains"]["same"], 1)
        self.assertEqual(
            plan["counts"]["mailboxes"]["same"], Mailbox.objects.filter(domain=name).count()
        )


class CommandTests(Exporting):
    def test_an_unknown_domain_is_reported(self):
        for arguments in (("json",), ("csv", "--table", "mailboxes")):
            said, trouble = self.export("--to", *arguments, "--domain", "nowhere.example")
            self.assertIn("nowhere.example", trouble)
            self.assertEqual(said, "")

    def test_wrong_usage_has_its_own_exit_status(self):
        for arguments in (
            ("csv",),
            ("hashfiles",),
            ("json", "--table", "mailboxes"),
            ("json", "--passwords"),
            ("csv", "--table", "app-passwords"),
            ("hashfiles", "--output", "x", "--mail-directory", "not a path"),
        ):
            with self.subTest(arguments=arguments), self.assertRaises(CommandError) as caught:
                call_command("export", "--to", *arguments)
            self.assertEqual(caught.exception.returncode, 2)

    def test_an_export_file_is_private(self):
        path = self.folder / "all.json"
        self.export("--to", "json", "--output", path)
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
        self.assertEqual(os.listdir(self.folder), ["all.json"])

    def test_a_failed_export_keeps_the_old_file(self):
        path = self.folder / "all.json"
        path.write_text("of yesterday")
        with (
            mock.patch.object(jsonfiles, "iter_table_json", side_effect=ZeroDivisionError),
            self.assertRaises(ZeroDivisionError),
        ):
            self.export("--to", "json", "--output", path)
        self.assertEqual(path.read_text(), "of yesterday")
        self.assertEqual(os.listdir(self.folder), ["all.json"])

    def test_a_device_or_a_link_is_not_replaced(self):
        target = self.file("mine", "target")
        link = self.folder / "link"
        link.symlink_to(target)
        for path in (link, self.folder, "/dev/null"):
            self.assertIn("is not a file", self.export("--to", "json", "--output", path)[1])
        self.assertTrue(link.is_symlink())
        self.assertEqual(target.read_text(), "mine")

    def test_a_missing_folder_is_reported(self):
        trouble = self.export("--to", "json", "--output", "/nowhere/all.json")[1]
        self.assertIn("No such file or directory", trouble)


class CsvTests(Exporting):
    def folder_of_tables(self, *arguments):
        folder = self.folder / "tables"
        self.assertEqual(self.export("--to", "csv", "--output", folder, *arguments)[1], "")
        return folder

    def test_files_with_passwords_round_trip(self):
        for seed, size in zip(SEEDS[:3], (1024000, 2**20, 3), strict=True):
            with self.subTest(seed=seed), override_settings(MAILADMIN_QUOTA_MULTIPLIER=size):
                delete_everything()
                build_database(seed)
                before = contents()
                folder = self.folder_of_tables("--passwords")
                self.assertEqual(
                    {path.stem for path in folder.glob("*.csv")}, set(ROW_TYPES_BY_TABLE)
                )
                delete_everything()
                self.back(folder, "csv")
                self.maxDiff = None
                self.assertEqual(contents(), before)

    def test_files_without_passwords_contain_no_secret(self):
        build_database(1)
        folder = self.folder_of_tables()
        text = "".join(path.read_text() for path in folder.glob("*.csv"))
        for secret in (
            self.bob.password,
            "correct-horse",
            "JBSWY3DPEHPK3PXP",
            "BEGIN PRIVATE",
            "ge heim",
        ):
            self.assertNotIn(secret, text)
        self.assertIn("bob@example.org", text)

    def test_files_without_passwords_change_nothing_in_the_same_database(self):
        build_database(1)
        plan = self.planned(self.folder_of_tables(), "csv")
        self.assertEqual({row["verb"] for row in plan["rows"]}, {"same"})

    def test_one_table_is_printed(self):
        said, _trouble = self.export("--to", "csv", "--table", "mailboxes")
        head, *lines = said.splitlines()
        self.assertIn("quota", head)
        self.assertNotIn("password_hash", head)
        self.assertEqual(len(lines), 2)
        self.assertIn(",100,", said)

    def test_cells_are_escaped_and_round_trip(self):
        Mailbox.objects.filter(pk=self.bob.pk).update(name="=cmd()")
        said, _trouble = self.export("--to", "csv", "--table", "mailboxes")
        self.assertIn(",'=cmd(),", said)
        self.assertEqual(set(self.verbs(self.plan(said)).values()), {"same"})
