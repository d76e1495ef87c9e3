"""Exports and their round trips: JSON completely, CSV within its columns."""

import io
import json
import os
import stat
import tracemalloc
import zipfile
from concurrent.futures import ThreadPoolExecutor
from unittest import mock

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import override_settings

from domains.models import Admin, DkimSigning, Domain, DomainAdmin
from mailadmin.db import pagination
from mailboxes.models import Alias, Mailbox, Plan, Vacation, vacation_target
from mailboxes.transfer.entries import Losses
from mailboxes.transfer.export import csvfiles, hashfiles, jsonfiles
from mailboxes.transfer.export.archive import iter_zip
from mailboxes.transfer.export.snapshot import snapshot
from mailboxes.transfer.row_types import ROW_TYPES_BY_TABLE
from tests.mailboxes.transfer.base import TransferWorld
from tests.mailboxes.transfer.exported import build_database, contents, delete_everything

SEEDS = range(6)


class Exporting(TransferWorld):
    def export(self, *arguments):
        return self.command("export", *map(str, arguments))

    def exported(self, *arguments):
        """Return the JSON that the command prints."""
        said, trouble = self.export("--to", "json", *arguments)
        self.assertEqual(trouble, "")
        return json.loads(said)

    def back(self, source, format_name="json"):
        """Import it and assert that nothing is refused."""
        rejects = ("--rejects", str(self.folder / "rejects"))
        arguments = ("--from", format_name, "--source", str(source), "--apply", *rejects)
        self.assertEqual(self.command("import", *arguments)[1], "")

    def planned(self, source, format_name="json"):
        """Return table → verb → number of rows."""
        arguments = ("import", "--from", format_name, "--source", str(source), "--json")
        return json.loads(self.command(*arguments)[0])


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


class ListExportTests(TransferWorld):
    """The export of a list can be imported by its user."""

    def list_file(self, person, table):
        self.sign_in(person)
        return b"".join(self.client.get(f"/{table}/export/")).decode()

    def test_an_admin_can_import_their_export(self):
        left = f"bob@example.org,{vacation_target('gone@example.org')}"  # by a deleted admin
        Alias.objects.filter(pk="info@example.org").update(goto=left)
        for table in ("mailboxes", "aliases"):
            text = self.list_file(self.alice, table)
            plan = self.plan(text, self.alice, table=table)
            self.assertEqual(set(self.verbs(plan).values()), {"same"}, self.reasons(plan))

    def test_a_superadmin_can_import_the_export_of_each_list(self):
        build_database(2)
        for table in ("domains", "mailboxes", "aliases", "alias-domains", "admins", "transports"):
            plan = self.plan(self.list_file(self.root, table), self.root, table=table)
            self.assertGreater(plan.rows.count(), 1, table)
            self.assertEqual(set(self.verbs(plan).values()), {"same"}, self.reasons(plan))

    def test_an_edited_cell_is_a_change(self):
        text = self.list_file(self.alice, "mailboxes").replace(",100,", ",200,")
        self.apply(self.plan(text, self.alice), self.alice)
        self.assertEqual(self.mailbox("bob@example.org").quota, 200 * 1024000)


class PageTests(Exporting):
    def get_export(self, **data):
        return self.client.post("/export/", data)

    def test_exports_are_for_superadmins_only(self):
        for person, status in ((self.root, 200), (self.alice, 403), (self.bob, 403)):
            self.sign_in(person)
            self.assertEqual(self.client.get("/export/").status_code, status)
            self.assertEqual(self.get_export(format="json").status_code, status)
        self.client.logout()
        self.assertEqual(self.client.get("/export/").status_code, 302)

    def test_the_import_page_links_to_the_export(self):
        self.sign_in(self.root)
        self.assertContains(self.client.get("/import/"), 'href="/export/"')
        self.sign_in(self.alice)
        self.assertNotContains(self.client.get("/import/"), 'href="/export/"')

    def test_json_equals_the_output_of_the_command(self):
        self.sign_in(self.root)
        answer = self.get_export(format="json", domain="example.org")
        self.assertIn("example.org.json", answer["Content-Disposition"])
        said, whole = json.loads(b"".join(answer)), self.exported("--domain", "example.org")
        self.assertEqual(said | {"exported": ""}, whole | {"exported": ""})

    def test_a_zip_of_tables_can_be_imported(self):
        self.sign_in(self.root)
        path = self.folder / "all.zip"
        path.write_bytes(b"".join(self.get_export(format="csv", passwords="on")))
        plan = self.planned(path, "csv")
        self.assertEqual({row["verb"] for row in plan["rows"]}, {"same"})
        without = b"".join(self.get_export(format="csv"))
        names = zipfile.ZipFile(io.BytesIO(without)).namelist()
        self.assertIn("mailboxes.csv", names)
        self.assertNotIn("app-passwords.csv", names)
        self.assertIn("notes.txt", names)

    def test_a_zip_of_map_files_can_be_imported(self):
        self.sign_in(self.root)
        path = self.folder / "maps.zip"
        path.write_bytes(b"".join(self.get_export(format="hashfiles")))
        plan = self.planned(path, "hashfiles")
        verbs = {(row["kind"], row["verb"]) for row in plan["rows"]}
        self.assertEqual({verb for kind, verb in verbs if kind != "transport"}, {"same"})

    def test_invalid_parameters_are_reported(self):
        self.sign_in(self.root)
        self.assert_refused(
            self.get_export(format="json", domain="nowhere.example"), "no such domain"
        )
        self.assert_refused(self.get_export(format="exe"), "exe")


# Reading


def create_many(first, last):
    """Create this many mailboxes with their aliases, every other one with a forwarding."""
    domain, _made = Domain.objects.get_or_create(domain="crowd.example")
    names = [f"u{number:07}" for number in range(first, last)]
    Mailbox.objects.bulk_create(
        (
            Mailbox(
                username=f"{name}@crowd.example",
                local_part=name,
                domain=domain,
                maildir=f"crowd.example/{name}/",
                password="{PLAIN}x",
            )
            for name in names
        ),
        batch_size=1000,
    )
    Alias.objects.bulk_create(
        (
            Alias(
                address=f"{name}@crowd.example",
                goto=f"{name}@far.test,{name}@crowd.example",
                domain=domain,
            )
            for name in names[::2]
        ),
        batch_size=1000,
    )


WRITERS = {
    "json": lambda: jsonfiles.iter_json(Losses()),
    "csv": lambda: csvfiles.iter_csv_lines(ROW_TYPES_BY_TABLE["mailboxes"], Losses()),
    "hashfiles": lambda: (
        piece for _n, pieces in hashfiles.iter_map_files(Losses()) for piece in pieces
    ),
    "zip": lambda: iter_zip(csvfiles.iter_csv_files(Losses(), "", True)),
}


def peak(pieces):
    """Return the peak memory of an export and its number of chunks."""
    tracemalloc.start()
    number = sum(1 for _piece in pieces)
    held = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return held, number


@pytest.mark.django_db
def test_memory_does_not_grow_with_the_number_of_rows():
    create_many(0, 1500)
    few = {name: peak(write()) for name, write in WRITERS.items()}
    create_many(1500, 6000)
    for name, write in WRITERS.items():
        held, number = peak(write())
        assert number > 3 * few[name][1] or name == "zip"
        assert held < few[name][0] * 1.3 + 2_000_000, (
            name
        )  # a page or two; all rows would need more


@pytest.mark.django_db
def test_rows_are_fetched_in_batches(django_assert_max_num_queries):
    create_many(0, 5000)
    with django_assert_max_num_queries(120):
        for _piece in jsonfiles.iter_json(Losses()):
            pass


@pytest.mark.django_db(transaction=True)
def test_an_export_is_one_snapshot_and_blocks_no_writers():
    create_many(0, 10)
    with snapshot():
        pieces = jsonfiles.iter_json(Losses())
        said = [next(pieces), next(pieces)]
        with ThreadPoolExecutor(1) as pool:
            pool.submit(written_meanwhile).result(timeout=20)
        said += pieces
    whole = json.loads("".join(said))
    assert [row["domain"] for row in whole["domains"]] == ["crowd.example"]
    assert len(whole["mailboxes"]) == 10
    assert Mailbox.objects.count() == 11
    Domain.objects.create(domain="after.example")  # the connection writes again


def written_meanwhile():
    create_many(10, 11)
    connection.close()


@pytest.mark.django_db
def test_a_non_ascii_key_does_not_stop_the_export():
    domain = Domain.objects.create(domain="example.org")
    with mock.patch.object(pagination.iter_pages, "__defaults__", (1,)):
        for name in ("a", "é", "ü"):
            Alias.objects.create(address=f"{name}@example.org", goto="x@far.test", domain=domain)
        whole = json.loads("".join(jsonfiles.iter_json(Losses())))
    assert {row["address"][0] for row in whole["aliases"]} == {"a", "é", "ü"}
