import pytest

from domains.models import AliasDomain, Domain
from domains.services.admins import edit_admin
from domains.services.alias_domains import create_alias_domains
from mailadmin.changes.models import Change, Log
from mailboxes.models import Alias, Mailbox
from mailboxes.postfix.explain import explain
from mailboxes.services.domains import create_domains
from tests.base import World
from tests.table_tests import TableTests

pytestmark = pytest.mark.mysql


class AliasDomainTests(TableTests, World):
    slug = "alias-domains"
    own_key, foreign_key = "mirror.example.org", "mirror.example.com"
    create_data = {
        "alias_domain": "new.example.org",
        "target_domain": "example.org",
        "active": "on",
    }
    created_key = "new.example.org"
    create_verb, delete_verb = "create_alias_domain", "delete_alias_domain"
    edit_data = {"target_domain": "example.org", "description": "Old name", "active": "on"}
    edited = {"description": "Old name"}

    @classmethod
    def setUpTestData(cls):
        super().setUpTestData()
        names = [f"{name}.example.{end}" for end in ("org", "com") for name in ("mirror", "new")]
        test = cls("test_a_list_shows_own_rows_only")
        rows = [{"domain": name, "default_aliases": False} for name in names]
        test.perform(cls.root, create_domains, rows)

        own = ["example.org", "mirror.example.org", "new.example.org"]
        test.perform(cls.root, edit_admin, cls.alice.pk, {"domains": own})
        for end in ("org", "com"):
            mirror, target = f"mirror.example.{end}", f"example.{end}"
            test.perform(cls.root, create_alias_domains, [row(mirror, target)])

        Log.objects.all().delete()
        Change.objects.all().delete()

    def more_rows(self, count):
        names = [f"m{n:02}.example.org" for n in range(count)]
        self.perform(
            self.root, create_domains, [{"domain": n, "default_aliases": False} for n in names]
        )

        self.perform(
            self.root,
            edit_admin,
            self.alice.pk,
            {"domains": [*self.alice.get_assigned_domains(), *names]},
        )
        self.perform(self.root, create_alias_domains, [row(name, "example.org") for name in names])

    def test_alice_cannot_create_an_alias_domain_of_a_foreign_domain(self):
        self.sign_in(self.alice)
        for data in (
            {"alias_domain": "new.example.org", "target_domain": "example.com"},
            {"alias_domain": "new.example.com", "target_domain": "example.org"},
        ):
            self.assert_refused(
                self.client.post(self.url("create"), data | {"active": "on"}),
                "You do not manage a domain",
            )
        self.assertEqual(AliasDomain.objects.count(), 2)

    def test_a_superadmin_reads_that_a_domain_does_not_exist(self):
        self.sign_in(self.root)
        data = {"alias_domain": "nosuch.example", "target_domain": "example.org"}
        page = self.client.post(self.url("create"), data)
        self.assert_refused(page, "The domain nosuch.example does not exist.")

    def test_an_alias_domain_of_an_alias_domain_is_refused(self):
        self.sign_in(self.root)
        data = {"alias_domain": "new.example.org", "target_domain": "mirror.example.org"}
        self.assert_refused(self.client.post(self.url("create"), data), "itself an alias domain")

    def test_the_target_of_an_alias_domain_cannot_become_an_alias_domain(self):
        self.sign_in(self.root)
        data = {"alias_domain": "example.org", "target_domain": "new.example.org"}
        self.assert_refused(self.client.post(self.url("create"), data), "point to this domain")

    def test_a_domain_cannot_be_an_alias_domain_of_itself(self):
        self.sign_in(self.root)
        data = {"alias_domain": "new.example.org", "target_domain": "new.example.org"}
        self.assert_refused(self.client.post(self.url("create"), data), "alias of itself")

    def create(self):
        self.sign_in(self.alice)
        return self.client.post(self.url("create"), self.create_data, follow=True)

    def test_an_empty_alias_domain_causes_no_warning(self):
        self.assertNotContains(self.create(), "of its own")

    def test_addresses_of_the_alias_domain_itself_cause_a_warning(self):
        """Postfix looks them up first, so that their mail does not go to the target."""
        own = {"domain_id": "new.example.org", "goto": "bob@example.org"}
        for name in ("info", "sales"):
            Alias.objects.create(address=f"{name}@new.example.org", **own)
        Alias.objects.create(address="off@new.example.org", active=False, **own)
        Mailbox.objects.create(
            username="bob@new.example.org", local_part="bob", domain_id="new.example.org"
        )
        Alias.objects.create(address="bob@new.example.org", **own)
        page = self.create()
        self.assertContains(
            page,
            "The addresses of new.example.org itself (1 mailbox and 2 aliases) keep their mail;"
            " mail to other addresses is handled as mail to example.org.",
        )
        self.assertNotContains(page, "catch-all of its own")

    def test_a_catch_all_of_the_alias_domain_itself_causes_a_warning(self):
        own = {"domain_id": "new.example.org", "goto": "bob@example.org"}
        Alias.objects.create(address="@new.example.org", **own)
        page = self.create()
        self.assertContains(
            page,
            "new.example.org has a catch-all of its own: it takes mail to addresses that do not"
            " exist in example.org.",
        )
        self.assertNotContains(page, "aliases of its own")
        ends = explain(self.root, "who@new.example.org")["deliveries"]
        self.assertEqual([end["address"] for end in ends], ["bob@example.org"])

    def test_an_inactive_alias_domain_causes_no_warning(self):
        Alias.objects.create(
            address="info@new.example.org", domain_id="new.example.org", goto="bob@example.org"
        )
        self.create_data = {**self.create_data, "active": ""}
        self.assertNotContains(self.create(), "of its own")


def row(mirror, target):
    return {
        "alias_domain": Domain.objects.get(pk=mirror),
        "target_domain": Domain.objects.get(pk=target),
    }
