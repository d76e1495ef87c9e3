"""Exports: pages."""

import io
import json
import zipfile

from mailboxes.models import Alias, vacation_target
from tests.mailboxes.transfer.base import TransferWorld
from tests.mailboxes.transfer.exported import build_database
from tests.mailboxes.transfer.exporting import Exporting


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
