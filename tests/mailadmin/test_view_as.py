"""A superadmin sees the panel as somebody else, and changes nothing meanwhile."""

import datetime
from html.parser import HTMLParser

from django.utils import timezone

from domains.models import Admin, Domain
from mailadmin.jobs.models import Job
from mailboxes.models import Mailbox
from mailboxes.transfer.plan import workflow
from tests.base import World

ALLOWED_ACTIONS = ("/language/", "/logout/", "/view-as/stop/")


class ButtonParser(HTMLParser):
    """Parser for the buttons by which a page changes something."""

    def __init__(self):
        super().__init__()
        self.buttons, self.is_post, self.disabled = [], False, 0

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        if tag == "form":
            is_allowed = values.get("action") in ALLOWED_ACTIONS
            self.is_post = values.get("method") == "post" and not is_allowed
        if tag == "fieldset" and (self.disabled or "disabled" in values):
            self.disabled += 1
        is_sent = self.is_post and values.get("type") != "button"
        changes = is_sent or "form" in values or "data-field" in values
        if tag == "button" and changes and not self.disabled:
            self.buttons.append(values)

    def handle_endtag(self, tag):
        if tag == "form":
            self.is_post = False
        if tag == "fieldset" and self.disabled:
            self.disabled -= 1


def find_enabled_buttons(page):
    parser = ButtonParser()
    parser.feed(page.content.decode())
    return parser.buttons


class ViewAsTests(World):
    def view_as(self, person):
        data = {"model": person.model_label, "key": person.pk}
        return self.client.post("/view-as/", data, follow=True)

    def test_root_sees_what_alice_sees(self):
        self.sign_in(self.root)
        page = self.view_as(self.alice)
        self.assertContains(page, "viewing the panel as alice@example.org")
        self.assertContains(self.client.get("/mailboxes/"), "bob@example.org")
        self.assertNotContains(self.client.get("/mailboxes/"), "carol@example.com")
        self.assertEqual(self.client.get("/admins/").status_code, 403)

    def test_root_sees_the_pages_of_a_mailbox_owner(self):
        self.sign_in(self.root)
        self.view_as(self.bob)
        self.assertEqual(self.client.get("/account/forwarding/").status_code, 200)
        self.assertEqual(self.client.get("/mailboxes/").status_code, 403)

    def test_an_expired_password_of_the_other_person_closes_no_page(self):
        Domain.objects.filter(pk="example.org").update(password_expiry=30)
        past = timezone.now() - datetime.timedelta(days=1)
        Mailbox.objects.filter(pk=self.bob.pk).update(password_expiry=past)
        self.sign_in(self.root)
        self.view_as(self.bob)
        self.assertEqual(self.client.get("/").status_code, 200)
        self.assertRedirects(self.client.post("/view-as/stop/"), "/")

    def test_nothing_can_be_changed(self):
        self.sign_in(self.root)
        self.view_as(self.alice)
        for url, data in (
            ("/mailboxes/bob@example.org/toggle/", {"field": "active", "value": "0"}),
            ("/mailboxes/bob@example.org/delete/", {}),
            ("/mailboxes/bulk/", {"action": "delete", "keys": "bob@example.org", "confirmed": 1}),
            ("/account/password/", {}),
            ("/account/tokens/", {"name": "x"}),
            ("/filters/", {"table": "mailboxes", "query": "q=b", "name": "b"}),
            ("/view-as/", {"model": "mailboxes.Mailbox", "key": "bob@example.org"}),
        ):
            with self.subTest(url=url):
                self.assertEqual(self.client.post(url, data).status_code, 403)
        self.assertTrue(Mailbox.objects.get(pk=self.bob.pk).active)
        self.assertEqual(self.logged(), [])

    def test_forms_say_that_changes_are_disabled(self):
        self.sign_in(self.root)
        for url in ("/mailboxes/create/", "/mailboxes/bob@example.org/edit/", "/import/"):
            self.assertNotContains(self.client.get(url), "Changes are disabled")
        self.view_as(self.alice)
        for url in ("/mailboxes/create/", "/mailboxes/bob@example.org/edit/", "/import/"):
            text = 'role="status">You are viewing the panel as someone else. Changes are disabled.'
            self.assertContains(self.client.get(url), text)

    def test_no_page_has_an_enabled_button_that_changes_something(self):
        job = Job.objects.create(
            kind="welcome",
            title="Welcome",
            owner_model=self.alice.model_label,
            owner_key=self.alice.pk,
            state=Job.State.FAILED,
        )
        plan = self.perform(self.alice, workflow.create_plan, "csv", "rows.csv", {})
        query = {"table": "mailboxes", "query": "q=b", "name": "b"}
        self.sign_in(self.alice)
        self.client.post("/filters/", query)
        rows = ("mailboxes/bob@example.org", "aliases/info@example.org", "domains/example.org")
        urls = [f"/{row}/{page}" for row in rows for page in ("", "edit/", "delete/")]
        urls += [f"/mailboxes/bob@example.org/{page}/" for page in ("forwarding", "vacation")]
        urls += ["/mailboxes/", "/mailboxes/?q=o", "/aliases/", "/aliases/create/", "/import/"]
        urls += [f"/jobs/{job.pk}/", "/jobs/", f"/import/{plan.pk}/", "/", "/account/password/"]
        pages = {url: self.client.get(url) for url in urls}
        opened = [url for url, page in pages.items() if page.status_code == 200]
        self.assertTrue(any(find_enabled_buttons(pages[url]) for url in opened))
        self.sign_in(self.root)
        self.view_as(self.alice)
        enabled = {url: find_enabled_buttons(self.client.get(url)) for url in opened}
        self.assertEqual({url: found for url, found in enabled.items() if found}, {})

    def test_tokens_and_exports_are_closed(self):
        self.sign_in(self.root)
        self.view_as(self.alice)
        for url in ("/account/tokens/", "/mailboxes/export/", "/log/export/", "/export/"):
            self.assertEqual(self.client.get(url).status_code, 403, url)

    def test_the_page_of_a_person_offers_it_where_it_is_possible(self):
        self.sign_in(self.root)
        text = "View the panel as this person"
        self.assertContains(self.client.get("/mailboxes/bob@example.org/"), text)
        self.assertContains(self.client.get("/admins/alice@example.org/"), text)
        self.assertNotContains(self.client.get("/admins/root@example.net/"), text)
        self.sign_in(self.alice)
        self.assertNotContains(self.client.get("/mailboxes/bob@example.org/"), text)

    def test_beginning_and_end_are_logged(self):
        self.sign_in(self.root)
        with self.assertLogs("mailadmin.accounts", "INFO") as logged:
            self.view_as(self.alice)
            self.client.post("/view-as/stop/")
        self.assertIn("root@example.net (127.0.0.1) views the panel as alice", logged.output[0])
        self.assertIn("alice@example.org has ended", logged.output[1])

    def test_root_returns_to_their_own_view(self):
        self.sign_in(self.root)
        self.view_as(self.alice)
        page = self.client.post("/view-as/stop/", follow=True)
        self.assertContains(page, "as yourself again")
        self.assertEqual(self.client.get("/admins/").status_code, 200)

    def test_only_superadmins_view_the_panel_as_others(self):
        self.sign_in(self.alice)
        self.assertEqual(self.view_as(self.bob).status_code, 403)
        self.sign_in(self.bob)
        self.assertEqual(self.view_as(self.alice).status_code, 403)

    def test_no_superadmin_and_no_unknown_person_can_be_viewed_as(self):
        self.sign_in(self.root)
        Admin.objects.create(username="other@example.net", password="x", superadmin=True)
        for model, key in (
            ("domains.Admin", "other@example.net"),
            ("domains.Admin", "nobody@example.net"),
            ("domains.Domain", "example.org"),
            ("nonsense", "x"),
            ("a.b.c", "x"),
        ):
            answer = self.client.post("/view-as/", {"model": model, "key": key})
            self.assertEqual(answer.status_code, 404, (model, key))

    def test_a_demoted_superadmin_sees_their_own_pages(self):
        self.sign_in(self.root)
        self.view_as(self.bob)
        Admin.objects.filter(pk=self.root.pk).update(superadmin=False)
        self.assertEqual(self.client.get("/account/forwarding/").status_code, 403)
        self.assertNotIn("view_as", self.client.session)

    def test_a_person_who_was_deactivated_is_viewed_no_longer(self):
        self.sign_in(self.root)
        self.view_as(self.alice)
        Admin.objects.filter(pk=self.alice.pk).update(active=False)
        self.assertEqual(self.client.get("/admins/").status_code, 200)
