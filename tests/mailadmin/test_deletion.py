"""Deletion of rows and their dependents."""

from django.core.exceptions import ValidationError
from django.db import connection
from django.test.utils import CaptureQueriesContext

from domains.models import (
    Admin,
    AdminPreference,
    AliasDomain,
    DkimKey,
    DkimSigning,
    Domain,
    DomainAdmin,
    TotpException,
)
from domains.services.admins import set_admins
from mailadmin.changes.models import Change, ChangeSecret
from mailadmin.jobs import leases
from mailadmin.jobs.models import Job
from mailboxes.models import Fetchmail, Mailbox
from mailboxes.services.aliases import create_aliases
from mailboxes.services.domain_deletion import (
    LARGE_DOMAIN_MAILBOXES,
    is_large_deletion,
    start_domain_deletion,
)
from mailboxes.services.domains import create_domains, delete_domains
from mailboxes.services.mailboxes import create_mailboxes, delete_mailboxes
from mailboxes.services.references import find_aliases_pointing_to
from tests.base import World, run_job


class DeletionTests(World):
    def test_the_target_of_an_alias_domain_is_not_deleted(self):
        self.perform(self.root, create_domains, [{"domain": "mirror.test"}])
        AliasDomain.objects.create(alias_domain_id="mirror.test", target_domain_id="example.org")
        with self.assertRaises(ValidationError):
            self.perform(self.root, start_domain_deletion, ["example.org"])
        self.assertTrue(Domain.objects.get(pk="example.org").active)
        self.assertFalse(Job.objects.exists())

    def test_a_deletion_job_stops_when_its_owner_loses_access(self):
        TotpException.objects.create(ip="192.0.2.1", username=self.carol.pk)
        second = Admin.objects.create(username="s@example.net", superadmin=True)
        self.perform(second, start_domain_deletion, ["example.com"])
        self.perform(self.root, set_admins, [second.pk], "superadmin", False)
        job = leases.claim_job("worker")
        turns = iter(range(20))
        run_job(job, lambda: next(turns, 99) > 10)
        self.assertEqual(Job.objects.get().state, Job.State.FAILED)
        self.assertTrue(Mailbox.objects.filter(pk=self.carol.pk).exists())
        self.assertTrue(TotpException.objects.exists())

    def queries_of_deletion(self, count):
        domain = Domain.objects.get(pk="example.org")
        rows = [
            {"local_part": f"q{n:03}", "domain": domain, "password": "x", "quota": 1}
            for n in range(count)
        ]
        self.perform(self.root, create_mailboxes, rows)
        keys = [f"q{n:03}@example.org" for n in range(count)]
        with CaptureQueriesContext(connection) as captured:
            self.perform(self.root, delete_mailboxes, keys)
        return len(captured)

    def test_a_deletion_of_many_rows_runs_the_same_queries(self):
        self.assertEqual(self.queries_of_deletion(2), self.queries_of_deletion(90))

    def test_a_domain_deletion_records_every_row_completely(self):
        with CaptureQueriesContext(connection) as captured:
            self.perform(self.root, delete_domains, ["example.com"])
        self.assertLess(len(captured), 60)
        change = Change.objects.get(verb="delete", table="mailbox")
        self.assertEqual(change.values["name"], ["Carol", None])
        self.assertEqual(
            ChangeSecret.objects.get(table="mailbox").row["maildir"], "example.com/carol/"
        )

    def test_a_recreated_domain_has_no_admins_of_the_old_one(self):
        DomainAdmin.objects.create(admin=self.alice, domain_id="new.example")
        self.perform(self.root, create_domains, [{"domain": "new.example"}])
        self.assertEqual(self.alice.get_assigned_domains(), ["example.org"])

    def test_recreating_a_deleted_domain_causes_a_warning(self):
        self.perform(self.root, delete_domains, ["example.com"])
        self.sign_in(self.root)
        data = {"domain": "example.com", "aliases": 1, "mailboxes": 1, "maxquota": 1, "quota": 1}
        data |= {"transport": "virtual", "active": "on"}
        page = self.client.post("/domains/create/", data, follow=True)
        self.assertContains(page, "old mail may still be on disk")

    def test_aliases_pointing_to_deleted_addresses_are_found(self):
        alias = {"domain": Domain.objects.get(pk="example.org")}
        rows = [
            alias | {"local_part": "webinfo", "goto": ["info@example.org"]},
            alias | {"local_part": "zz", "goto": ["webinfo@example.org"]},
        ]
        self.perform(self.root, create_aliases, rows)
        found = find_aliases_pointing_to(self.root, ["info@example.org"])
        self.assertEqual([alias.pk for alias in found], ["webinfo@example.org"])
        many = [f"nobody{n}@example.org" for n in range(120)]
        found = find_aliases_pointing_to(self.root, [*many, "info@example.org"])
        self.assertEqual([alias.pk for alias in found], ["webinfo@example.org"])


class CascadeTests(World):
    def keys_of(self, domain):
        key = DkimKey.objects.create(domain_name_id=domain)
        DkimSigning.objects.create(author=domain, dkim=key)
        other = DkimKey.objects.create(domain_name_id="example.com")
        return DkimSigning.objects.create(author=f"bob@{domain}", dkim=other)

    def test_signings_of_a_mailbox_are_deleted_with_it(self):
        signing = self.keys_of("example.org")
        self.perform(self.alice, delete_mailboxes, [self.bob.pk])
        self.assertFalse(DkimSigning._base_manager.filter(pk=signing.pk).exists())

    def test_keys_and_signings_of_a_domain_are_deleted_with_it(self):
        self.keys_of("example.org")
        self.perform(self.root, delete_domains, ["example.org"])
        self.assertFalse(DkimKey._base_manager.filter(domain_name="example.org").exists())
        self.assertFalse(DkimSigning._base_manager.exists())

    def test_preferences_of_an_admin_are_deleted_with_the_admin(self):
        AdminPreference.objects.create(admin=self.alice, pref_key="alias_goto_default")
        self.sign_in(self.root)
        self.client.post("/admins/alice@example.org/delete/")
        self.assertFalse(AdminPreference.objects.exists())

    def test_a_fetchmail_password_is_never_shown(self):
        Fetchmail.objects.create(
            mailbox=self.bob, src_server="s", src_user="u", src_password="geheim-77", src_folder=""
        )
        self.perform(self.alice, delete_mailboxes, [self.bob.pk])
        self.assertNotIn("geheim-77", str(list(Change.objects.values())))

    def test_a_domain_is_large_from_five_hundred_mailboxes(self):
        self.assertEqual(LARGE_DOMAIN_MAILBOXES, 500)
        self.assertFalse(is_large_deletion(["example.org"]))

    def test_a_deletion_that_would_be_refused_is_not_offered(self):
        self.perform(self.root, create_domains, [{"domain": "mirror.test"}])
        AliasDomain.objects.create(alias_domain_id="mirror.test", target_domain_id="example.org")
        self.sign_in(self.root)
        page = self.client.get("/domains/example.org/delete/")
        self.assertContains(page, "is the target of the alias domain <a")
        self.assertNotContains(page, 'class="btn btn-danger"')
