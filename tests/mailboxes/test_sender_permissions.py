"""The table of sender permissions: pages, API, scope, deletion of what they name."""

import datetime

from django.core.exceptions import PermissionDenied, ValidationError
from django.utils import timezone

from domains.models import Domain
from mailadmin.changes.models import Change
from mailboxes.models import Mailbox, SenderPermission
from mailboxes.postfix.maps import build_postfix_maps
from mailboxes.postfix.queries import run_query
from mailboxes.services.domains import create_domains, delete_domains
from mailboxes.services.leftovers import purge_orphaned_permissions
from mailboxes.services.mailboxes import create_mailboxes, delete_mailboxes
from mailboxes.services.sender_addresses import find_own_addresses, find_permissions
from mailboxes.services.sender_permissions import (
    create_sender_permissions,
    delete_sender_permissions,
    edit_sender_permission,
    set_sender_permissions,
)
from tests.base import World
from tests.table_tests import TableTests


def get_sender_sql():
    (query,) = (each for each in build_postfix_maps() if each.name == "sender_login")
    return query.sql()


class SenderPermissionWorld(World):
    """bob may send as billing@example.org, carol as billing@example.com."""

    @classmethod
    def setUpTestData(cls):
        super().setUpTestData()
        cls.own = cls.permit("billing@example.org", cls.bob)
        cls.foreign = cls.permit("billing@example.com", cls.carol)
        Change.objects.all().delete()

    @classmethod
    def permit(cls, address, mailbox, **values):
        return SenderPermission.objects.create(
            address=address,
            domain_id=address.rpartition("@")[2],
            mailbox=mailbox,
            mailbox_domain_id=mailbox.domain_id,
            **values,
        )

    def names(self):
        rows = SenderPermission.objects.order_by("pk")
        return [(row.address, row.mailbox_id) for row in rows]


class SenderPermissionTests(TableTests, SenderPermissionWorld):
    slug = "sender-permissions"
    create_data = {
        "address": "*@Example.org",
        "mailbox": "Bob@example.org",
        "description": "Office",
        "active": "on",
    }
    api_data = {"address": "@example.org", "mailbox": "bob@example.org"}
    create_verb, delete_verb = "create_sender_permission", "delete_sender_permission"
    edit_data = {"description": "Accounting", "active": "on"}
    edited = {"description": "Accounting"}

    def setUp(self):
        super().setUp()
        self.own_key, self.foreign_key = self.own.pk, self.foreign.pk

    @property
    def created_key(self):
        row = SenderPermission.objects.filter(address="@example.org").first()
        return row.pk if row else 0

    def more_rows(self, count):
        for number in range(count):
            self.permit(f"office{number}@example.org", self.bob)

    def test_a_list_shows_own_rows_only(self):
        self.sign_in(self.alice)
        exported = b"".join(self.client.get(self.url("export"))).decode()
        for text in (self.open("list").content.decode(), exported):
            self.assertIn("billing@example.org", text)
            self.assertNotIn("carol", text)

    def test_the_api_lists_own_rows_only(self):
        rows = self.api(self.alice).get(self.slug).json()["items"]
        self.assertEqual([row["address"] for row in rows], ["billing@example.org"])

    # Scope

    def test_an_admin_sees_a_permission_of_one_of_their_domains(self):
        for address, mailbox in (("sales@example.org", self.carol), ("info@example.com", self.bob)):
            row = self.permit(address, mailbox)
            self.sign_in(self.alice)
            self.assertContains(self.open("list"), address)
            self.assertEqual(self.open("edit", row.pk).status_code, 200)

    def test_pages_have_each_permission_of_a_domain_once(self):
        """Whether the address, the mailbox or both are in it."""
        self.permit("info@example.com", self.bob)
        self.permit("sales@example.org", self.carol)
        self.permit("info@example.com", self.carol)
        for admin in (self.alice, self.root):
            found, after = [], ""
            while after is not None:
                query = {"domain": "example.org", "limit": 1, "after": after}
                page = self.api(admin).get(self.slug, **query).json()
                found += [row["address"] for row in page["items"]]
                after = page["next"]
            self.assertEqual(
                found, ["billing@example.org", "info@example.com", "sales@example.org"]
            )

    def test_a_foreign_mailbox_of_an_own_address_is_no_link(self):
        self.permit("sales@example.org", self.carol)
        self.sign_in(self.alice)
        page = self.open("list")
        self.assertContains(page, "carol@example.com")
        self.assertNotContains(page, "/mailboxes/carol@example.com/")
        self.assertContains(page, "/mailboxes/bob@example.org/")

    def test_granting_takes_both_domains(self):
        for address, mailbox, field in (
            ("info@example.com", self.bob, "address"),
            ("@example.com", self.bob, "address"),
            ("info@example.org", self.carol, "mailbox"),
        ):
            row = {"address": address, "mailbox": mailbox}
            with self.subTest(address=address), self.assertRaises(ValidationError) as caught:
                self.perform(self.alice, create_sender_permissions, [row])
            self.assertEqual(list(caught.exception.message_dict), [field])
        self.assertEqual(len(self.names()), 2)

    def test_who_manages_one_domain_withdraws_and_grants_nothing(self):
        row = self.permit("info@example.com", self.bob)
        self.perform(self.alice, set_sender_permissions, [row.pk], "active", False)
        for service, *arguments in (
            (set_sender_permissions, [row.pk], "active", True),
            (edit_sender_permission, row.pk, {"active": True}),
            (edit_sender_permission, row.pk, {"description": "mine"}),
        ):
            with self.subTest(service=service), self.assertRaises(ValidationError):
                self.perform(self.alice, service, *arguments)
        row.refresh_from_db()
        self.assertEqual((row.active, row.description), (False, ""))
        self.perform(self.alice, delete_sender_permissions, [row.pk])
        self.assertFalse(SenderPermission.objects.filter(pk=row.pk).exists())

    def test_address_and_mailbox_stay_when_it_is_edited(self):
        values = {"address": "info@example.com", "mailbox": self.carol, "domain_id": "example.com"}
        self.perform(self.alice, edit_sender_permission, self.own.pk, values)
        self.assertIn(("billing@example.org", "bob@example.org"), self.names())
        self.sign_in(self.alice)
        page = self.open("edit", self.own.pk)
        self.assertNotIn("address", page.context["form"].fields)
        self.assertContains(page, "billing@example.org")

    def test_owners_change_nothing(self):
        for service, *arguments in (
            (delete_sender_permissions, [self.own.pk]),
            (set_sender_permissions, [self.own.pk], "active", False),
            (edit_sender_permission, self.own.pk, {"description": "mine"}),
            (create_sender_permissions, [{"address": "x@example.org", "mailbox": self.bob}]),
        ):
            with self.subTest(service=service), self.assertRaises(PermissionDenied):
                self.perform(self.bob, service, *arguments)

    # Rules

    def test_refused_addresses(self):
        for address, text in (
            ("bob@example.org", "always send as its own"),
            ("Billing@example.org", "may already send as"),
            ("news+letter@example.org", "address extension"),
            ("office@unknown.example", "does not exist"),
            ("office", "not a valid email address"),
            ("@", "not a domain name"),
        ):
            with self.subTest(address=address), self.assertRaises(ValidationError) as caught:
                row = {"address": address, "mailbox": self.bob}
                self.perform(self.root, create_sender_permissions, [row])
            self.assertIn(text, str(caught.exception.message_dict["address"]))

    def test_the_same_row_twice_is_refused(self):
        row = {"address": "office@example.org", "mailbox": self.bob}
        with self.assertRaises(ValidationError):
            self.perform(self.root, create_sender_permissions, [row, row])

    def test_a_link_presets_address_and_mailbox(self):
        self.sign_in(self.alice)
        url = self.url("create") + "?address=info@example.org&mailbox=bob@example.org"
        initial = self.client.get(url).context["form"].initial
        preset = {"address": "info@example.org", "mailbox": "bob@example.org"}
        self.assertEqual({name: initial[name] for name in preset}, preset)

    def test_mailboxes_are_suggested_in_scope(self):
        self.sign_in(self.alice)
        self.assertContains(self.client.get("/mailboxes/pick/?mailbox=b"), "bob@example.org")
        self.assertNotContains(self.client.get("/mailboxes/pick/?mailbox=c"), "carol")

    def test_both_domains_have_the_log_line(self):
        row = {"address": "info@example.com", "mailbox": self.bob}
        self.perform(self.root, create_sender_permissions, [row])
        data = "info@example.com bob@example.org"
        domains = ("example.com", "example.org")
        self.assertEqual(
            self.logged(), [("create_sender_permission", name, data) for name in domains]
        )

    # What is deleted with others

    def test_a_mailbox_takes_its_permissions_along(self):
        self.permit("bob@example.org", self.carol)
        self.sign_in(self.alice)
        page = self.client.get("/mailboxes/bob@example.org/delete/")
        self.assertContains(page, "Sender permissions")
        self.perform(self.alice, delete_mailboxes, ["bob@example.org"])
        self.assertEqual(
            self.names(),
            [
                ("billing@example.com", "carol@example.com"),
                ("bob@example.org", "carol@example.com"),
            ],
        )
        self.assertTrue(Change.objects.filter(verb="delete", table="senderpermission"))

    def test_a_domain_takes_permissions_of_its_addresses_and_mailboxes_along(self):
        self.permit("info@example.org", self.carol)
        self.permit("info@example.com", self.bob)
        self.sign_in(self.root)
        page = self.client.get("/domains/example.org/delete/")
        self.assertIn(("Sender permissions", 3), page.context["cascade_counts"])
        self.perform(self.root, delete_domains, ["example.org"])
        self.assertEqual(self.names(), [("billing@example.com", "carol@example.com")])

    def test_a_new_mailbox_inherits_nothing(self):
        self.permit("info@example.com", Mailbox(pk="dave@example.org", domain_id="example.org"))
        domain = Domain.objects.get(pk="example.org")
        row = {"local_part": "dave", "domain": domain, "password": "x", "quota": 1}
        self.perform(self.alice, create_mailboxes, [row])
        self.assertNotIn(("info@example.com", "dave@example.org"), self.names())

    def test_a_new_domain_inherits_nothing(self):
        self.permit("info@example.net", self.bob)
        row = {"domain": "example.net", "default_aliases": False}
        self.perform(self.root, create_domains, [row])
        self.assertNotIn(("info@example.net", "bob@example.org"), self.names())

    def test_the_worker_deletes_what_names_a_mailbox_or_domain_that_is_gone(self):
        self.permit("info@example.com", Mailbox(pk="dave@example.org", domain_id="example.org"))
        self.permit("info@example.net", self.bob)
        kept = self.names()[:2]
        purge_orphaned_permissions()
        self.assertEqual(self.names(), kept)

    # Mailboxes and domains that PostfixAdmin deletes and creates again

    def create_again(self, row):
        """Let another program delete a row and create it again, two seconds from now."""
        created = timezone.now() + datetime.timedelta(seconds=2)
        type(row).objects.filter(pk=row.pk).update(created=created)

    def may_send(self, address, login):
        answers = [answer for (answer,) in run_query(get_sender_sql(), address)]
        return login in answers

    def test_a_permission_of_a_former_mailbox_or_domain_does_not_count(self):
        of_domain = self.permit("@example.org", self.carol)
        for row in (self.bob, Domain.objects.get(pk="example.org")):
            with self.subTest(row):
                self.assertTrue(self.may_send("billing@example.org", "bob@example.org"))
                born = row.created
                self.create_again(row)
                self.assertFalse(self.may_send("billing@example.org", "bob@example.org"))
                is_mailbox = row == self.bob
                is_permitted = self.may_send("any@example.org", "carol@example.com")
                self.assertEqual(is_permitted, is_mailbox)
                self.bob.refresh_from_db()
                own = [each.address for each in find_own_addresses(self.bob)]
                self.assertNotIn("billing@example.org", own)
                if is_mailbox:
                    self.assertEqual(find_permissions(self.root, self.bob), [])
                type(row).objects.filter(pk=row.pk).update(created=born)
                self.bob.refresh_from_db()
        self.assertTrue(of_domain)

    def test_explain_says_so(self):
        self.create_again(self.bob)
        self.sign_in(self.root)
        query = "address=billing@example.org&sender=bob@example.org"
        self.assertContains(self.client.get(f"/explain/?{query}"), "which was created again")

    def test_the_worker_deletes_those_of_former_ones(self):
        for row, names in (
            (self.bob, ["billing@example.com"]),
            (Domain.objects.get(pk="example.com"), []),
        ):
            self.create_again(row)
            purge_orphaned_permissions()
            self.assertEqual([address for address, _mailbox in self.names()], names)

    def test_a_new_permission_counts_whatever_the_clock_of_the_mailbox(self):
        """Another program has created bob by a clock that is an hour ahead."""
        for row in (self.bob, Domain.objects.get(pk="example.org")):
            created = timezone.now() + datetime.timedelta(hours=1)
            type(row).objects.filter(pk=row.pk).update(created=created)
        row = {"address": "sales@example.org", "mailbox": self.bob}
        self.perform(self.alice, create_sender_permissions, [row])
        self.assertTrue(self.may_send("sales@example.org", "bob@example.org"))
        purge_orphaned_permissions()
        self.assertIn(("sales@example.org", "bob@example.org"), self.names())
