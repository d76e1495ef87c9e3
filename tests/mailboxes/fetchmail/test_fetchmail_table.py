"""The table of fetchmail: pages, API, and what happens to the password."""

from django.core.management import call_command
from django.test import override_settings

from mailadmin.changes.models import Change
from mailboxes.models import Fetchmail, Mailbox
from mailboxes.services.fetchmail import decode_password
from tests.base import World
from tests.table_tests import TableTests

BOB, CAROL = "bob@example.org", "carol@example.com"
NEW = {
    "mailbox": BOB,
    "protocol": "IMAP",
    "src_server": "IMAP.Example.net",
    "src_user": "bob",
    "src_password": "old-secret-7",
    "poll_time": "10",
    "src_auth": "any",
    "usessl": "on",
    "sslcertck": "on",
    "active": "on",
}


class FetchmailTests(TableTests, World):
    slug = "fetchmail"
    create_data = NEW
    api_data = NEW | {"poll_time": 10, "usessl": True, "sslcertck": True, "active": True}
    create_verb, delete_verb = "create_fetchmail", "delete_fetchmail"
    edit_data = {n: v for n, v in NEW.items() if n not in ("mailbox", "src_password")} | {
        "src_server": "imap.elsewhere.example",
        "src_user": "x",
        "poll_time": "30",
    }
    edited = {"poll_time": 30}

    def setUp(self):
        super().setUp()
        self.own_key = self.make(BOB).pk
        self.foreign_key = self.make(CAROL).pk

    def make(self, mailbox, user="x"):
        row = {"mailbox": Mailbox.objects.get(pk=mailbox), "src_server": "imap.elsewhere.example"}
        row |= {"domain_id": mailbox.partition("@")[2], "protocol": "IMAP", "src_auth": "any"}
        flags = {"usessl": True, "sslcertck": True, "active": True}
        return Fetchmail.objects.create(**row | flags, src_user=user, src_password="c2VjcmV0")

    @property
    def created_key(self):
        row = Fetchmail.objects.filter(src_server="imap.example.net").first()
        return row.pk if row else 0

    def more_rows(self, count):
        for number in range(count):
            self.make(BOB, f"x{number}")

    def change_key(self, _key):
        return BOB

    def test_a_list_shows_own_rows_only(self):
        self.sign_in(self.alice)
        exported = b"".join(self.client.get(self.url("export"))).decode()
        for text in (self.open("list").content.decode(), exported):
            self.assertIn(BOB, text)
            self.assertNotIn("carol", text)

    def test_the_api_lists_own_rows_only(self):
        rows = self.api(self.alice).get(self.slug).json()["items"]
        self.assertEqual([row["mailbox"] for row in rows], [BOB])

    def create(self, **values):
        self.sign_in(self.alice)
        return self.client.post(self.url("create"), NEW | values)

    def edit(self, **values):
        self.sign_in(self.alice)
        seen = self.client.get(self.url("edit", self.own_key)).context["form"].initial["seen"]
        url = self.url("edit", self.own_key)
        return self.client.post(url, self.edit_data | {"seen": seen} | values)

    def test_the_password_is_stored_for_fetchmail_and_shown_nowhere(self):
        self.assertEqual(self.create().status_code, 302)
        row = Fetchmail.objects.get(pk=self.created_key)
        self.assertEqual(decode_password(row.src_password), "old-secret-7")
        self.assertEqual(row.domain_id, "example.org")
        pages = [self.client.get(self.url(name, row.pk)) for name in ("list", "edit")]
        exported = b"".join(self.client.get(self.url("export"))).decode()
        api = self.api(self.alice).get("fetchmail").content.decode()
        for text in (*(page.content.decode() for page in pages), exported, api):
            self.assertNotIn("old-secret-7", text)
            self.assertNotIn(row.src_password, text)
        records = str(list(Change.objects.values()))
        self.assertNotIn(row.src_password, records)

    def test_a_password_is_not_sent_to_another_server_or_account(self):
        for change in (
            {"src_server": "imap.attacker.example"},
            {"src_user": "y"},
            {"src_port": "143"},
            {"usessl": ""},
            {"sslcertck": ""},
            {"protocol": "POP3"},
        ):
            with self.subTest(change):
                response = self.edit(**change)
                self.assertContains(response, "Enter the password again", status_code=422)
        row = Fetchmail.objects.get(pk=self.own_key)
        self.assertEqual((row.src_server, row.src_user), ("imap.elsewhere.example", "x"))
        self.assertEqual(self.edit(src_user="y", src_password="new").status_code, 302)
        row.refresh_from_db()
        self.assertEqual((row.src_user, decode_password(row.src_password)), ("y", "new"))

    def test_the_same_account_is_fetched_once_for_a_mailbox(self):
        self.assertEqual(self.create().status_code, 302)
        self.assertContains(self.create(), "already", status_code=422)
        self.assertEqual(self.create(src_folder="Old").status_code, 302)

    def test_bad_values_are_refused_beside_the_field(self):
        for values in (
            {"src_server": "not a host"},
            {"src_server": ""},
            {"src_password": ""},
            {"src_user": "a\nb"},
            {"poll_time": "0"},
            {"src_port": "65536"},
            {"protocol": "ETRN"},
            {"src_auth": "ssh"},
            {"mailbox": CAROL},
        ):
            with self.subTest(values):
                self.assertContains(self.create(**values), "invalid-feedback", status_code=422)
        self.assertFalse(self.created_key)

    def test_what_postfixadmin_stored_can_be_edited(self):
        Fetchmail.objects.filter(pk=self.own_key).update(protocol="ETRN", src_auth="ssh")
        self.assertEqual(self.edit(protocol="ETRN", src_auth="ssh").status_code, 302)
        self.assertEqual(Fetchmail.objects.get(pk=self.own_key).poll_time, 30)

    def test_it_can_be_disabled(self):
        with override_settings(MAILADMIN_FETCHMAIL=False):
            self.sign_in(self.alice)
            self.assertEqual(self.client.get(self.url("list")).status_code, 403)
            self.assertNotContains(self.client.get("/"), "/fetchmail/")
            self.assertEqual(self.api(self.alice).get("fetchmail").status_code, 403)

    def test_the_command_reads_the_password_from_standard_input(self):
        from io import StringIO
        from unittest import mock

        with mock.patch("sys.stdin", StringIO("from-stdin-1\n")):
            call_command(
                "fetchmail",
                *("add", "--mailbox", BOB, "--src-server", "pop.example.net", "--src-user", "b"),
                *("--protocol", "POP3", "--password-stdin"),
                stdout=StringIO(),
            )
        row = Fetchmail.objects.get(src_server="pop.example.net")
        self.assertEqual(decode_password(row.src_password), "from-stdin-1")
        self.assertTrue(row.usessl and row.sslcertck and row.active)
