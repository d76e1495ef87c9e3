import json
import re

from django.utils import timezone

from domains.models import Admin, Domain
from domains.services.domains import edit_domain
from mailadmin.changes.actors import add_actors
from mailadmin.changes.log_page import LogTable
from mailadmin.changes.models import Log
from mailboxes.models import Mailbox
from mailboxes.services.mailboxes import edit_mailbox
from tests.base import World
from tests.table_tests import TableTests


class LogTests(TableTests, World):
    slug = "log"
    own_key, foreign_key = "bob@example.org", "carol@example.com"

    @classmethod
    def setUpTestData(cls):
        super().setUpTestData()
        for key in (cls.own_key, cls.foreign_key):
            line(key)

    def more_rows(self, count):
        for number in range(count):
            line(f"m{number}@example.org")

    def test_the_log_is_read_only(self):
        self.assertEqual(set(LogTable.roles), {"list", "export"})
        self.sign_in(self.root)
        for path in ("/log/create/", "/log/1/edit/", "/log/1/delete/", "/log/bulk/"):
            self.assertEqual(self.client.post(path).status_code, 404)

    def test_the_newest_line_is_first(self):
        line("newest@example.org")
        self.sign_in(self.alice)
        rows = self.client.get("/log/").context["rows"]
        self.assertEqual([row.data for row in rows], ["newest@example.org", "bob@example.org"])

    def test_limits_of_a_domain_are_shown_as_on_its_page(self):
        values = {"mailboxes": 1200, "aliases": -1, "quota": 2048, "maxquota": 0}
        Domain.objects.filter(pk="example.org").update(quota=0, maxquota=100)
        self.perform(self.root, edit_domain, "example.org", values)
        self.sign_in(self.alice)
        page = self.client.get("/log/")
        for old, new in (
            ("unlimited", "1,200"),
            ("unlimited", "none allowed"),
            ("unlimited", "2,048 MB"),
            ("100 MB", "unlimited"),
        ):
            self.assertContains(page, f"<del>{old}</del> → <ins>{new}</ins>")

    def test_a_quota_of_minus_one_disables_quotas(self):
        values = {"maxquota": -1, "quota": -1}
        self.perform(self.root, edit_domain, "example.org", values)
        Mailbox.objects.filter(pk=self.bob.pk).update(quota=-1)
        self.sign_in(self.alice)
        text = "<del>unlimited</del> → <ins>quotas disabled</ins>"
        self.assertContains(self.client.get("/log/"), text, count=2)
        for url in (
            "/domains/",
            "/domains/example.org/",
            "/mailboxes/",
            "/mailboxes/bob@example.org/",
        ):
            page = self.client.get(url)
            self.assertContains(page, "quotas disabled")
            self.assertNotContains(page, "none allowed")

    def test_a_domain_admin_learns_no_client_address_of_a_superadmin(self):
        self.perform(self.root, edit_mailbox, "bob@example.org", {"name": "Bob B."})
        Log.objects.create(
            domain_id="example.org",
            action="edit_mailbox",
            data="own",
            username="alice@example.org (192.0.2.9)",
            timestamp=timezone.now(),
        )
        pages = ("/log/", "/", "/domains/example.org/", "/mailboxes/bob@example.org/")
        places = (*pages, "/log/export/")
        for person, is_hidden in ((self.root, False), (self.alice, True)):
            self.sign_in(person)
            for url in places:
                answer = self.client.get(url)
                text = b"".join(answer) if answer.streaming else answer.content
                self.assertIn(self.root.pk, text.decode(), url)
                is_found = bool(re.search(rf"{self.root.pk} \(", text.decode()))
                self.assertEqual(is_found, not is_hidden, url)
            lines = json.dumps(self.api(person).get("log").json())
            self.assertEqual(f"{self.root.pk} (" in lines, not is_hidden)
        self.assertContains(self.client.get("/log/"), "alice@example.org (192.0.2.9)")

    def test_the_address_of_a_new_superadmin_is_hidden_at_once(self):
        kim = Admin.objects.create(pk="kim@example.org")
        line("bob@example.org", username="kim@example.org (192.0.2.7)")
        line("bob@example.org", username="kïm@example.org (192.0.2.8)")  # cannot be looked up
        self.sign_in(self.alice)
        for is_hidden in (False, True):
            Admin.objects.filter(pk=kim.pk).update(superadmin=is_hidden)
            export = b"".join(self.client.get("/log/export/")).decode()
            answer = self.api(self.alice).get("log").text
            for text in (self.client.get("/log/").text, export, answer):
                self.assertEqual("kim@example.org (192.0.2.7)" in text, not is_hidden)
                self.assertIn("kim@example.org", text)
                self.assertNotIn("192.0.2.8", text)

    def test_overviews_show_domain_admins_names_alone(self):
        self.perform(self.alice, edit_mailbox, "bob@example.org", {"name": "Bob B."})
        for person in (self.root, self.alice):
            self.sign_in(person)
            for url in ("/", "/domains/example.org/", "/mailboxes/bob@example.org/"):
                text = self.client.get(url).text
                self.assertIn(self.alice.pk, text)
                self.assertEqual(f"{self.alice.pk} (" in text, person is self.root)

    def test_the_addresses_of_all_lines_cost_one_query(self):
        for number in range(3):
            line("bob@example.org", username=f"kim{number}@example.org (192.0.2.7)")
        lines = list(Log.objects.visible_to(self.alice))
        with self.assertNumQueries(1):
            add_actors(lines, self.alice)
        with self.assertNumQueries(0):
            add_actors(lines, self.root)


def line(key, username="root@example.net (192.0.2.1)"):
    Log.objects.create(
        domain_id=key.rpartition("@")[2],
        action="edit_mailbox",
        data=key,
        username=username,
        timestamp=timezone.now(),
    )
