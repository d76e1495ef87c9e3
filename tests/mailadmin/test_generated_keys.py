"""A table with generated keys, written as in docs/architecture.md, in every interface."""

import io
import json
from unittest import mock

from django.core.management import CommandError, call_command
from django.test import override_settings

import mailadmin.urls
from mailadmin import registry
from mailadmin.accounts.models import Role
from mailadmin.api.urls import resource_urls
from mailadmin.changes.models import Change
from mailadmin.tables.actions import Services
from mailadmin.tables.cli import TableCommand
from mailadmin.tables.form_fields import AddressFormField, RowChoiceMixin
from mailadmin.tables.forms import TableForm
from mailadmin.tables.table import READ_ROLES, WRITE_SCREENS, Table
from mailadmin.tables.urls import table_urls
from mailboxes.models import Fetchmail, Mailbox
from tests.base import World

# The parts of an app: services, form, table, command.


def create_entries(changes, rows):
    entries = [
        Fetchmail(**row, domain_id=row["mailbox"].domain_id, src_password="x") for row in rows
    ]
    changes.create(entries)
    for entry in entries:
        changes.log("create_fetchmail", entry.domain_id, entry.mailbox_id)
    return entries


def edit_entry(changes, key, values):
    entry = changes.find_one(Fetchmail, key)
    changes.update([entry], **values)
    return entry


def set_entries(changes, keys, field, value):
    changes.update(changes.find(Fetchmail, keys), **{field: value})


def delete_entries(changes, keys):
    changes.delete(changes.find(Fetchmail, keys))


class MailboxChoiceField(RowChoiceMixin, AddressFormField):
    pass


class EntryForm(TableForm):
    mailbox = MailboxChoiceField(label="Mailbox", model=Mailbox)
    create_only_fields = ("mailbox",)

    class Meta:
        model = Fetchmail
        fields = ("mailbox", "src_server", "src_user", "active")


class EntryTable(Table):
    model = Fetchmail
    form_class = EntryForm
    slug = "fetchmail"
    columns = ["id", "mailbox", "domain", "src_server", "active"]
    search_fields = ["src_server"]
    domain_lookup = "domain"
    roles = READ_ROLES | dict.fromkeys(WRITE_SCREENS, Role.ADMINS)
    services = Services(create_entries, edit_entry, set=set_entries, delete=delete_entries)


class EntryCommand(TableCommand):
    slug = "fetchmail"


TABLE = EntryTable()
urlpatterns = [*resource_urls(TABLE), *table_urls(TABLE), *mailadmin.urls.urlpatterns]


@override_settings(ROOT_URLCONF=__name__)
class GeneratedKeyTests(World):
    @classmethod
    def setUpTestData(cls):
        super().setUpTestData()
        own, foreign = (
            Fetchmail.objects.create(
                mailbox=owner, domain=owner.domain, src_server="a.example", src_user="u"
            )
            for owner in (cls.bob, cls.carol)
        )
        cls.own, cls.foreign = own.pk, foreign.pk

    def setUp(self):
        patched = mock.patch.dict(registry.tables, fetchmail=TABLE)
        patched.start()
        self.addCleanup(patched.stop)

    def command(self, *arguments):
        out = io.StringIO()
        call_command(EntryCommand(stdout=out), *arguments)
        return out.getvalue()

    def newest(self):
        return Fetchmail.objects.latest("pk")

    def test_pages(self):
        self.sign_in(self.alice)
        page = self.client.get("/fetchmail/")
        self.assertContains(page, f"/fetchmail/{self.own}/edit/")
        self.assertContains(page, 'href="/domains/example.org/"')
        self.assertContains(page, "bob@example.org")
        self.assertNotContains(page, "carol")
        row = {"mailbox": "Bob@example.org", "src_server": "b.example", "src_user": "u"}
        self.assertContains(self.client.get("/fetchmail/create/"), "bob@example.org")
        self.assertEqual(self.client.post("/fetchmail/create/", row).status_code, 302)
        new = self.newest()
        self.assertEqual((new.mailbox_id, new.src_server), ("bob@example.org", "b.example"))
        url = f"/fetchmail/{new.pk}/edit/"
        seen = self.client.get(url).context["form"].initial["seen"]
        changed = {"src_server": "c.example", "src_user": "u", "seen": seen}
        self.assertEqual(self.client.post(url, changed).status_code, 302)
        self.assertEqual(self.newest().src_server, "c.example")
        self.client.post(f"/fetchmail/{new.pk}/toggle/", {"field": "active", "value": "1"})
        self.assertTrue(self.newest().active)
        selection = {"action": "delete", "keys": [new.pk], "confirmed": "1"}
        self.client.post(TABLE.url("bulk"), selection)
        self.assertFalse(Fetchmail.objects.filter(pk=new.pk).exists())
        self.assertTrue(Change.objects.filter(verb="delete", table="fetchmail"))

    def test_a_foreign_mailbox_is_refused_with_a_message(self):
        self.sign_in(self.alice)
        row = {"mailbox": "carol@example.com", "src_server": "b.example", "src_user": "u"}
        self.assert_refused(self.client.post("/fetchmail/create/", row), "carol@example.com")

    def test_foreign_and_invalid_keys_are_not_found(self):
        self.sign_in(self.alice)
        for key in (self.foreign, 10**30, "nonsense", "1@example.org"):
            self.assertEqual(self.client.get(f"/fetchmail/{key}/edit/").status_code, 404)
            self.assertEqual(self.api(self.alice).get(f"fetchmail/{key}").status_code, 404)

    def test_api(self):
        program = self.api(self.alice)
        row = {"mailbox": "bob@example.org", "src_server": "b.example", "src_user": "u"}
        answer = program.post("fetchmail", row)
        self.assertEqual(answer.status_code, 201, answer.content)
        key = answer.json()["id"]
        self.assertEqual(answer["Location"], f"/api/v1/fetchmail/{key}")
        self.assertEqual(program.get(f"fetchmail/{key}").json(), answer.json())
        self.assertEqual(program.post("fetchmail", [row, row]).status_code, 201)
        answer = program.patch(f"fetchmail/{key}", {"src_server": "c.example"})
        self.assertEqual(answer.json()["src_server"], "c.example")
        changes = [{"id": key, "active": True}, {"id": self.own, "active": True}]
        answer = program.patch("fetchmail", changes)
        self.assertEqual([item["active"] for item in answer.json()["items"]], [True, True])
        for refused in (
            [{"id": self.foreign}],
            [{"id": 10**30}],
            [{"id": True}],
            [{"id": "1"}],
            [changes[0]] * 2,
        ):
            self.assertEqual(program.patch("fetchmail", refused).status_code, 422, refused)
        self.assertEqual(program.delete(f"fetchmail/{key}").status_code, 204)

    def test_command(self):
        created = json.loads(
            self.command(
                *("add", "--mailbox=bob@example.org", "--src-server=b.example", "--src-user=u"),
                "--json",
            )
        )
        shown = json.loads(self.command("show", str(created["id"]), "--json"))
        self.assertEqual(shown["src_server"], "b.example")
        self.command("edit", str(created["id"]), "--src-server=c.example")
        self.assertIn("c.example", self.command("list"))
        self.command("delete", str(created["id"]), "--yes")
        with self.assertRaises(CommandError):
            self.command("show", str(created["id"]))
