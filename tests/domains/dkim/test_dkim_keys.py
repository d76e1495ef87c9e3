"""The table of DKIM keys: pages, API, command, and what happens to private keys."""

import io
import json
from contextlib import redirect_stderr
from pathlib import Path
from tempfile import TemporaryDirectory

from django.core.management import CommandError, call_command
from django.test import override_settings

from domains.models import DkimKey, DkimSigning, Domain
from mailadmin.changes.models import Change
from tests.domains.dkim.dkim_world import FOREIGN, OWN, PRIVATE_KEY, PUBLIC_KEY, DkimWorld
from tests.table_tests import TableTests


class DkimKeyTests(TableTests, DkimWorld):
    slug = "dkim-keys"
    create_data = {"domain_name": OWN, "selector": "Mail2026", "description": "new"}
    create_verb, delete_verb = "create_dkim_entry", "delete_dkim_entry"
    edit_data = {"description": "until March"}
    edited = {"description": "until March"}

    def setUp(self):
        super().setUp()
        self.own_key, self.foreign_key = self.make_key(OWN).pk, self.make_key(FOREIGN).pk

    @property
    def created_key(self):
        row = DkimKey.objects.filter(selector="mail2026").first()
        return row.pk if row else 0

    def more_rows(self, count):
        for number in range(count):
            self.make_key(OWN, f"s{number}")

    def test_a_list_shows_own_rows_only(self):
        self.sign_in(self.alice)
        exported = b"".join(self.client.get(self.url("export"))).decode()
        for text in (self.open("list").content.decode(), exported):
            self.assertIn(OWN, text)
            self.assertNotIn(FOREIGN, text)

    def test_the_api_lists_own_rows_only(self):
        rows = self.api(self.alice).get(self.slug).json()["items"]
        self.assertEqual([row["domain_name"] for row in rows], [OWN])

    # New keys

    def create(self, **values):
        self.sign_in(self.alice)
        return self.client.post(self.url("create"), self.create_data | values, follow=True)

    def assert_not_created(self, response, field, text):
        self.assertIn(text, response.context["form"].errors[field][0])
        self.assertEqual(DkimKey.objects.count(), 2)

    def test_a_new_key_is_made_and_its_record_shown(self):
        response = self.create()
        key = DkimKey.objects.get(selector="mail2026")
        self.assertIn("BEGIN PRIVATE KEY", key.private_key)
        self.assertContains(response, "mail2026._domainkey.example.org")
        self.assertContains(response, "v=DKIM1; k=rsa; p=MII")
        self.assertContains(response, "This key does not sign any mail yet.")
        self.assertContains(response, "?author=example.org&amp;selector=mail2026")
        self.assertFalse(DkimSigning.objects.exists())

    def test_a_key_can_be_entered(self):
        self.create(private_key=PRIVATE_KEY.replace("\n", "\r\n"))
        self.assertEqual(DkimKey.objects.get(selector="mail2026").public_key, PUBLIC_KEY)

    def test_a_private_key_is_on_no_page_and_in_no_record(self):
        self.create(private_key=PRIVATE_KEY)
        key = DkimKey.objects.get(selector="mail2026")
        secret = PRIVATE_KEY.splitlines()[3]
        pages = [self.url("list"), self.url("edit", key.pk), self.url("delete", key.pk)]
        texts = [self.client.get(url).content.decode() for url in [*pages, "/log/"]]
        texts.append(b"".join(self.client.get(self.url("export"))).decode())
        texts.append(self.api(self.alice).get(f"{self.slug}/{key.pk}").content.decode())
        texts += [repr(row.values) for row in Change.objects.all()]
        for text in texts:
            self.assertNotIn(secret, text)

    def test_values_that_are_refused(self):
        taken = "The domain has a key with this selector already."
        self.assert_not_created(self.create(selector="MAIL2025"), "selector", taken)
        self.assert_not_created(self.create(selector="a b"), "selector", "Enter letters, digits")
        self.assert_not_created(self.create(private_key="x"), "private_key", "Enter a private key")
        self.assert_not_created(self.create(domain_name=FOREIGN), "domain_name", "")

    def test_the_selector_and_the_key_cannot_be_changed(self):
        self.api(self.alice).patch(
            f"{self.slug}/{self.own_key}", {"selector": "other", "private_key": "x"}
        )
        key = DkimKey.objects.get(pk=self.own_key)
        self.assertEqual((key.selector, key.private_key), ("mail2025", PRIVATE_KEY))

    def test_what_a_deleted_key_signs_is_deleted(self):
        self.make_signing(OWN, DkimKey.objects.get(pk=self.own_key))
        self.sign_in(self.alice)
        page = self.open("delete")
        self.assertContains(page, "DKIM signing")
        self.client.post(self.url("delete", self.own_key))
        self.assertFalse(DkimSigning.objects.exists())

    def test_a_deleted_domain_takes_its_keys_along(self):
        self.make_signing(FOREIGN, DkimKey.objects.get(pk=self.foreign_key))
        self.sign_in(self.root)
        self.client.post(f"/domains/{FOREIGN}/delete/", {"confirmation": FOREIGN})
        self.assertFalse(Domain.objects.filter(pk=FOREIGN).exists())
        self.assertEqual(list(DkimKey.objects.values_list("domain_name", flat=True)), [OWN])
        self.assertFalse(DkimSigning.objects.exists())

    # Who may

    @override_settings(MAILADMIN_DKIM="superadmins")
    def test_superadmins_only(self):
        self.sign_in(self.alice)
        for screen in ("list", "create", "edit", "delete"):
            self.assertEqual(self.open(screen).status_code, 403)
        self.assertEqual(self.api(self.alice).get(self.slug).status_code, 403)
        self.assertNotContains(self.client.get("/"), "/dkim-keys/")
        self.sign_in(self.root)
        self.assertContains(self.open("list"), FOREIGN)
        self.assertContains(self.client.get("/"), "/dkim-keys/")

    @override_settings(MAILADMIN_DKIM="no")
    def test_nobody(self):
        self.sign_in(self.root)
        self.assertEqual(self.open("list").status_code, 403)
        self.assertNotContains(self.client.get("/"), "/dkim-keys/")

    # Commands

    def call(self, *arguments):
        output = io.StringIO()
        call_command("dkim-key", *arguments, stdout=output)
        return output.getvalue()

    def test_the_command_reads_a_private_key_from_a_file(self):
        with TemporaryDirectory() as folder:
            path = Path(folder, "key.pem")
            path.write_text(PRIVATE_KEY)
            named = ("--domain-name", OWN, "--selector", "mail2026")
            output = self.call("add", *named, "--private-key", str(path), "--json")
            row = json.loads(output)
            self.assertEqual(row["record_name"], "mail2026._domainkey.example.org.")
            self.assertNotIn("private_key", row)
            self.assertEqual(DkimKey.objects.get(pk=row["id"]).public_key, PUBLIC_KEY)
            with self.assertRaises((CommandError, SystemExit)), redirect_stderr(io.StringIO()):
                self.call("add", *named, "--private-key", f"{folder}/nothing")
