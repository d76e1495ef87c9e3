"""Lists, their filters, exports and pickers."""

from django.db import connection
from django.test.utils import CaptureQueriesContext

from domains.models import AliasDomain
from mailboxes.models import Alias, Mailbox, Usage
from mailboxes.services.domains import create_domains
from tests.base import World


class PickerTests(World):
    def test_choices_depend_on_the_requesting_field(self):
        self.sign_in(self.root)
        for query, shown in (
            ("q=example.c", "example.com"),
            ("domain=example.c", "example.com"),
            ("target_domain=example.c", "example.com"),
            ("other=zzz&domain=example.c", "example.com"),
        ):
            answer = self.client.get(f"/domains/pick/?{query}")
            self.assertContains(answer, shown)
            self.assertNotContains(answer, "example.org")


class ListTests(World):
    def test_lists_are_filtered_by_state(self):
        Mailbox.objects.filter(pk=self.carol.pk).update(active=False)
        self.sign_in(self.root)
        for state, shown, hidden in (("1", "bob@", "carol@"), ("0", "carol@", "bob@")):
            page = self.client.get(f"/mailboxes/?active={state}")
            self.assertContains(page, shown)
            self.assertNotContains(page, hidden)

    def test_a_bar_shows_how_full_a_mailbox_is(self):
        Usage.objects.create(mailbox=self.bob, bytes=int(self.bob.quota * 0.75))
        self.sign_in(self.alice)
        self.assertContains(
            self.client.get("/mailboxes/"), 'class="bar warning" max="100" value="75"'
        )

    def test_sending_is_toggled_separately(self):
        self.sign_in(self.alice)
        url = "/mailboxes/bob@example.org/toggle/"
        self.client.post(url, {"field": "smtp_active", "value": "0"})
        bob = Mailbox.objects.get(pk=self.bob.pk)
        self.assertEqual((bob.smtp_active, bob.active), (False, True))

    def test_selected_rows_are_activated(self):
        Mailbox.objects.filter(pk=self.bob.pk).update(active=False)
        Alias.objects.filter(pk=self.bob.pk).update(active=False)
        self.sign_in(self.alice)
        data = {"action": "activate", "keys": [self.bob.pk], "confirmed": "1"}
        self.client.post("/mailboxes/bulk/", data)
        self.assertTrue(Mailbox.objects.get(pk=self.bob.pk).active)
        self.assertTrue(Alias.objects.get(pk=self.bob.pk).active)

    def test_an_export_is_streamed(self):
        self.sign_in(self.root)
        with CaptureQueriesContext(connection) as captured:
            answer = self.client.get("/mailboxes/export/")
        statements = [query["sql"] for query in captured if "maildir" in query["sql"]]
        self.assertEqual(statements, [])
        self.assertIn(b"bob@example.org", b"".join(answer))

    def test_search_lists_a_forwarding_mailbox_once(self):
        Alias.objects.filter(pk=self.bob.pk).update(goto="bob@example.org,private@y.example")
        self.sign_in(self.alice)
        for text in ("bob", "bob*", "bob@example.org"):
            found = self.client.get("/search/", {"q": text}).context["found"]
            rows = {group["table"].slug: [row.pk for row in group["rows"]] for group in found}
            self.assertIn(self.bob.pk, rows["mailboxes"], text)
            self.assertNotIn(self.bob.pk, rows.get("aliases", []), text)

    def test_search_finds_alias_domains_and_forwardings(self):
        self.perform(self.root, create_domains, [{"domain": "mirror.test"}])
        AliasDomain.objects.create(alias_domain_id="mirror.test", target_domain_id="example.org")
        Alias.objects.filter(pk=self.bob.pk).update(goto="bob@example.org,private@y.example")
        self.sign_in(self.root)
        for text, slug, key in (
            ("mirror", "alias-domains", "mirror.test"),
            ("private@y", "aliases", "bob@example.org"),
        ):
            found = self.client.get("/search/", {"q": text}).context["found"]
            rows = {group["table"].slug: [row.pk for row in group["rows"]] for group in found}
            self.assertIn(key, rows.get(slug, []))

    def test_a_deletion_redirects_to_the_rows_of_the_domain(self):
        self.sign_in(self.alice)
        answer = self.client.post("/aliases/info@example.org/delete/")
        self.assertRedirects(answer, "/aliases/?domain=example.org")
