import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.test.utils import CaptureQueriesContext

from domains.models import ALL_DOMAINS, Admin, DomainAdmin
from domains.services.admins import create_admins, delete_admins, set_admins
from mailadmin.changes.perform import Actor, perform
from tests.base import PASSWORD, World
from tests.table_tests import TableTests

pytestmark = pytest.mark.mysql


class AdminTests(TableTests, World):
    def test_an_export_asks_for_the_domains_of_all_admins_at_once(self):
        def queries():
            self.sign_in(Admin.objects.get(pk=self.root.pk))
            with CaptureQueriesContext(connection) as captured:
                b"".join(self.client.get("/admins/export/"))
            return len(captured)

        few = queries()
        self.more_rows(20)
        self.assertEqual(queries(), few)

    slug = "admins"
    own_key, foreign_key = "alice@example.org", "root@example.net"
    create_data = {
        "username": "Dora@Example.org",
        "password": PASSWORD,
        "password2": PASSWORD,
        "domains": "example.org",
        "active": "on",
    }
    created_key = "dora@example.org"
    create_verb, delete_verb = "create_admin", "delete_admin"
    edit_data = {"domains": "example.org\nexample.com"}
    edited = {"active": False}
    api_data = {"domains": ["example.org"]}

    def more_rows(self, count):
        rows = [
            {"username": f"a{n:02}@example.org", "domains": ["example.org"]} for n in range(count)
        ]
        self.perform(self.root, create_admins, rows)

    def assigned_domains(self, key):
        return sorted(
            DomainAdmin._base_manager.filter(admin=key, active=True).values_list(
                "domain_id", flat=True
            )
        )

    def test_a_new_admin_from_the_page_of_a_domain_manages_it(self):
        self.sign_in(self.root)
        form = self.client.get(self.url("create") + "?domain=example.org").context["form"]
        self.assertEqual(form.initial["domains"], ["example.org"])

    def test_the_page_that_would_delete_oneself_says_that_it_cannot(self):
        self.sign_in(self.root)
        page = self.client.get("/admins/root@example.net/delete/")
        self.assertContains(page, "You cannot delete, deactivate or demote yourself.")
        self.assertNotContains(page, "btn-danger")
        page = self.client.get("/admins/alice@example.org/delete/")
        self.assertContains(page, "btn-danger")

    def test_a_superadmin_has_postfixadmins_all_row(self):
        self.assertEqual(self.assigned_domains("root@example.net"), [ALL_DOMAINS])

    def test_a_demoted_superadmin_loses_the_all_row(self):
        self.perform(
            self.root, create_admins, [{"username": "second@example.net", "superadmin": True}]
        )
        self.perform(self.root, set_admins, ["second@example.net"], "superadmin", False)
        self.assertEqual(self.assigned_domains("second@example.net"), [])

    def test_an_unknown_domain_is_a_field_error(self):
        self.sign_in(self.root)
        data = self.create_data | {"domains": "nowhere.example"}
        self.assert_refused(self.client.post(self.url("create"), data), "nowhere.example")
        self.assertFalse(Admin.objects.filter(pk=self.created_key).exists())

    def test_duplicate_domain_assignments_are_accepted(self):
        for _twice in range(3):
            DomainAdmin.objects.create(admin=self.alice, domain_id="example.org")
        self.sign_in(self.alice)
        response = self.client.get("/mailboxes/")
        self.assertContains(response, "bob@example.org")
        self.assertNotContains(response, "carol@example.com")

    def test_an_inactive_assignment_gives_no_access(self):
        DomainAdmin.objects.filter(admin=self.alice).update(active=False)
        self.sign_in(self.alice)
        self.assertNotContains(self.client.get("/mailboxes/"), "bob@example.org")

    def test_the_list_counts_each_assigned_domain_once(self):
        self.more_rows(1)
        for domain, active in ("example.org", True), ("example.com", True), ("example.net", False):
            DomainAdmin.objects.create(admin_id="a00@example.org", domain_id=domain, active=active)
        self.perform(self.root, create_admins, [{"username": "none@example.org"}])
        self.sign_in(self.root)
        rows = self.client.get(self.url("list")).context["rows"]
        counts = {row.pk: row.domain_count for row in rows}
        self.assertEqual(counts["a00@example.org"], 2)
        self.assertEqual(counts["none@example.org"], 0)

    def test_nobody_deletes_demotes_or_deactivates_themselves(self):
        self.perform(
            self.root, create_admins, [{"username": "second@example.net", "superadmin": True}]
        )
        for service, *rest in (
            (delete_admins,),
            (set_admins, "active", False),
            (set_admins, "superadmin", False),
        ):
            with self.subTest(service=service, rest=rest), self.assertRaises(ValidationError):
                self.perform(self.root, service, [self.root.pk], *rest)

    def test_the_last_active_superadmin_stays(self):
        self.perform(
            self.root,
            create_admins,
            [{"username": "second@example.net", "superadmin": True, "active": False}],
        )

        with self.assertRaises(ValidationError):
            perform(Actor.console(), delete_admins, [self.root.pk])

    def test_alice_cannot_open_admins(self):
        self.sign_in(self.alice)
        self.assertEqual(self.client.get(self.url("edit", "root@example.net")).status_code, 403)
