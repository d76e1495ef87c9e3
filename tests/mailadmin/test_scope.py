"""Scope: visible and editable rows."""

from django.core.exceptions import PermissionDenied, ValidationError

from domains.models import Admin, Domain, DomainAdmin
from domains.services.admins import edit_admin, set_admins
from domains.services.alias_domains import create_alias_domains
from mailadmin.changes.perform import perform
from mailboxes.models import Alias
from mailboxes.services.aliases import create_aliases
from mailboxes.services.domains import create_domains
from mailboxes.services.mailboxes import set_mailboxes
from tests.base import World


class CurrentScopeTests(World):
    def test_a_loop_shows_no_foreign_addresses(self):
        hidden = {"domain": Domain.objects.get(pk="example.com")}
        rows = [
            hidden | {"local_part": "hidden", "goto": ["topsecret@example.com"]},
            hidden | {"local_part": "topsecret", "goto": ["a@example.org"]},
        ]
        self.perform(self.root, create_aliases, rows)
        self.sign_in(self.alice)
        data = {"local_part": "a", "domain": "example.org", "goto": "hidden@example.com"}
        data["active"] = "on"
        answer = self.client.post("/aliases/create/", data)
        self.assert_refused(answer, "Alias loop")
        self.assertNotContains(answer, "topsecret", status_code=422)

    def test_rights_lost_while_a_page_was_open_are_gone(self):
        stale = Admin.objects.get(pk=self.alice.pk)
        stale.managed_domains()
        self.perform(self.root, edit_admin, self.alice.pk, {"domains": []})
        with self.assertRaises(ValidationError):
            perform(self.actor(stale), set_mailboxes, [self.bob.pk], "active", False)
        self.perform(self.root, set_admins, [self.alice.pk], "active", False)
        with self.assertRaises(PermissionDenied):
            perform(self.actor(stale), set_mailboxes, [self.bob.pk], "active", False)

    def test_a_link_fills_in_the_domain_and_nothing_else(self):
        self.sign_in(self.root)
        page = self.client.get("/admins/create/?superadmin=1&username=evil@x.example")
        self.assertEqual(set(page.context["form"].initial) & {"superadmin", "username"}, set())

    def test_an_assignment_to_a_missing_domain_does_not_block_a_toggle(self):
        DomainAdmin.objects.create(admin=self.alice, domain_id="vanished.test")
        self.perform(self.root, set_admins, [self.alice.pk], "active", False)
        self.assertFalse(Admin.objects.get(pk=self.alice.pk).active)
        self.perform(self.root, edit_admin, self.alice.pk, {"domains": ["vanished.test"]})
        self.assertEqual(self.alice.get_assigned_domains(), ["vanished.test"])

    def test_admins_of_a_domain_are_listed_once(self):
        for active in (True, False):
            DomainAdmin.objects.create(admin=self.alice, domain_id="example.org", active=active)
        self.sign_in(self.root)
        rows = self.client.get("/admins/?domain=example.org").context["rows"]
        self.assertEqual([row.pk for row in rows], [self.alice.pk])

    def test_search_shows_a_mailbox_once(self):
        self.sign_in(self.root)
        found = self.client.get("/search/?q=bob").context["found"]
        aliases = [row.pk for group in found for row in group["rows"] if type(row) is Alias]
        self.assertEqual(aliases, ["info@example.org"])  # for its target


class DomainScopeTests(World):
    def test_a_domain_admin_sees_inactive_and_backup_domains_too(self):
        Domain.objects.filter(pk="example.org").update(active=False, backupmx=True)
        self.sign_in(self.alice)
        for url in ("/domains/", "/domains/example.org/", "/mailboxes/"):
            self.assertContains(self.client.get(url), "example.org")

    def test_an_alias_domain_with_a_foreign_end_is_visible_to_superadmins_only(self):
        self.perform(self.root, create_domains, [{"domain": "mirror.test"}])
        DomainAdmin.objects.create(admin=self.alice, domain_id="mirror.test")
        row = {
            "alias_domain": Domain.objects.get(pk="mirror.test"),
            "target_domain": Domain.objects.get(pk="example.com"),
        }
        self.perform(self.root, create_alias_domains, [row])
        self.sign_in(self.alice)
        self.assertEqual(self.client.get("/alias-domains/mirror.test/edit/").status_code, 404)
        self.assertNotContains(self.client.get("/alias-domains/"), "mirror.test")

    def test_a_change_cannot_leave_the_admins_scope(self):
        """Even if a service does not check it."""

        def forgetful(changes):
            changes.create(
                [Alias(address="x@example.com", goto="a@b.example", domain_id="example.com")]
            )

        def moving(changes):
            changes.update(changes.find(Alias, ["info@example.org"]), domain_id="example.com")

        for service in (forgetful, moving):
            with self.assertRaises(PermissionDenied):
                perform(self.actor(self.alice), service)
        self.assertFalse(Alias.objects.filter(pk="x@example.com").exists())
        self.assertEqual(Alias.objects.get(pk="info@example.org").domain_id, "example.org")
