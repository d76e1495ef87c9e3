"""The log page."""

import datetime
from unittest import mock

from django.utils import timezone

from domains.services.admins import create_admins
from mailadmin import passwords, registry
from mailadmin.changes.log_page import tables_for_action
from mailadmin.changes.models import Change, Log
from mailboxes.models import Mailbox
from mailboxes.services.mailboxes import create_mailboxes
from mailboxes.transfer.row_types.related_services import LOG_ACTIONS
from tests.base import PASSWORD, World
from tests.mailboxes.base import AliasWorld


class LogLineTests(World):
    def test_a_line_shows_the_changes_of_its_own_row_alone(self):
        """A superadmin creates an admin and a mailbox of one name in the same second."""
        now = timezone.now().replace(microsecond=0)
        domain = self.bob.domain
        with mock.patch("mailadmin.changes.perform.timezone.now", return_value=now):
            row = {"username": "kim@example.org", "superadmin": True, "domains": ["example.com"]}
            self.perform(self.root, create_admins, [row])
            row = {
                "local_part": "kim",
                "domain": domain,
                "password": "x",
                "quota": 1,
                "name": "Kim",
            }
            self.perform(self.root, create_mailboxes, [row])
        tables = Change.objects.filter(key="kim@example.org").values_list("table", flat=True)
        self.assertLessEqual({"admin", "mailbox", "alias"}, set(tables))
        self.sign_in(self.alice)
        page = self.client.get("/log/")
        self.assertContains(page, "Kim")
        self.assertNotContains(page, "superadmin")
        self.assertNotContains(page, "example.com")
        self.sign_in(self.root)
        self.assertContains(self.client.get("/log/"), "superadmin")

    def test_actions_on_related_rows_have_labels(self):
        for actions in LOG_ACTIONS.values():
            self.assertLessEqual(set(actions), set(registry.action_labels))

    def test_every_action_is_about_a_table(self):
        for action, tables in (
            ("create_mailbox", {"mailbox", "alias", "vacation"}),
            ("edit_alias_state", {"alias"}),
            ("delete_alias_domain", {"aliasdomain"}),
            ("edit_alias_domain_state", {"aliasdomain"}),
            ("create_transport", {"transport"}),
            ("nonsense", {""}),
        ):
            self.assertEqual(tables_for_action(action), tables)


class LogPageTests(AliasWorld):
    def test_each_line_expands_to_its_changes(self):
        self.sign_in(self.alice)
        page = self.client.get("/aliases/info@example.org/edit/")
        data = {
            "goto": "new@elsewhere.example",
            "active": "on",
            "seen": page.context["form"].initial["seen"],
        }
        self.client.post("/aliases/info@example.org/edit/", data)
        page = self.client.get("/log/")
        self.assertContains(page, "<del>bob@example.org</del>", html=True)
        self.assertContains(page, "<ins>new@elsewhere.example</ins>", html=True)

    def test_a_changed_password_is_shown_without_its_value(self):
        self.sign_in(self.bob)
        self.client.post(
            "/account/password/",
            {"old_password": PASSWORD, "password": "new-pass-99", "password2": "new-pass-99"},
        )
        self.assertEqual(self.logged(), [("edit_password", "example.org", self.bob.pk)])
        change = Change.objects.get(verb="edit")
        self.assertEqual(change.values["password"], [])
        self.assertTrue(
            passwords.verify("new-pass-99", Mailbox.objects.get(pk=self.bob.pk).password)
        )

    def test_the_log_of_a_recreated_domain_starts_empty(self):
        old = timezone.now() - datetime.timedelta(days=400)
        Log.objects.create(
            domain_id="example.org",
            action="create_mailbox",
            data="old@example.org",
            username="x",
            timestamp=old,
        )
        self.sign_in(self.alice)
        self.assertNotContains(self.client.get("/log/"), "old@example.org")
        self.sign_in(self.root)
        self.assertContains(self.client.get("/log/"), "old@example.org")

    def test_filters(self):
        for number, action in enumerate(("create_mailbox", "delete_mailbox")):
            Log.objects.create(
                domain_id="example.org",
                action=action,
                data=f"m{number}@example.org",
                username="root (x)",
            )
        self.sign_in(self.root)
        today = timezone.localdate().isoformat()
        for query, first, second in (
            ("action=create_mailbox", True, False),
            ("q=m1", False, True),
            ("admin=root", True, True),
            ("admin=alice", False, False),
            ("domain=example.com", False, False),
            (f"from={today}", True, True),
            ("until=2001-01-01", False, False),
            ("from=garbage&until=2026-99-99", True, True),
            ("q=пример", False, False),
        ):
            with self.subTest(query=query):
                text = self.client.get(f"/log/?{query}").content.decode()
                self.assertEqual(
                    ("m0@example.org" in text, "m1@example.org" in text), (first, second)
                )

    def test_the_filter_offers_the_actions_that_a_person_can_see(self):
        hidden = ("create_admin", "edit_transport", "delete_domain", "create_token")
        for person, is_offered in ((self.root, True), (self.alice, False)):
            self.sign_in(person)
            page = self.client.get("/log/")
            self.assertContains(page, '<option value="edit_mailbox">')
            for action in hidden:
                with self.subTest(person=person, action=action):
                    option = f'<option value="{action}">'
                    self.assertEqual(option in page.content.decode(), is_offered)

    def test_an_assigned_domain_is_shown(self):
        self.sign_in(self.root)
        page = self.client.get("/admins/alice@example.org/edit/")
        data = {"domains": "example.com", "active": "on"}
        seen = page.context["form"].initial["seen"]
        self.client.post("/admins/alice@example.org/edit/", data | {"seen": seen})
        page = self.client.get("/log/?action=edit_admin")
        self.assertContains(page, "<ins>example.com</ins>", html=True)
        self.assertContains(page, "<del>example.org</del>", html=True)

    def test_filtered_by_a_domain_the_log_is_a_tab_of_its_page(self):
        self.sign_in(self.alice)
        tab = 'href="/log/?domain=example.org" aria-current="page"'
        for url, is_tab in (("/log/?domain=example.org", True), ("/log/", False)):
            page = " ".join(self.client.get(url).content.decode().split())
            with self.subTest(url=url):
                self.assertEqual((tab in page, 'class="crumbs"' in page), (is_tab, False))
