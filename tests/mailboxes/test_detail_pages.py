"""The pages of one mailbox, alias and admin."""

import datetime

from django.test import override_settings
from django.utils import timezone

from domains.models import Domain
from mailadmin.changes.models import Change
from mailboxes.models import Alias
from mailboxes.services.forwardings import set_forwarding
from mailboxes.services.mailboxes import create_mailboxes, edit_mailbox, set_mailboxes
from mailboxes.services.vacations import set_vacation
from tests.base import World


class DetailPageTests(World):
    def test_a_mailbox_shows_its_state_and_its_last_changes(self):
        self.perform(self.root, edit_mailbox, self.bob.pk, {"name": "Bob Builder"})
        self.sign_in(self.alice)
        page = self.client.get("/mailboxes/bob@example.org/")
        for text in ("bob@example.org", "Bob Builder", "of 100 MB", "Recent changes"):
            self.assertContains(page, text)
        self.assertEqual([change.verb for change in page.context["changes"]], ["edit"])

    def test_all_pages_of_a_mailbox_have_the_same_head(self):
        self.perform(self.root, set_mailboxes, [self.bob.pk], "smtp_active", False)
        now, day = timezone.now(), datetime.timedelta(days=1)
        dates = {"activefrom": now - day, "activeuntil": now + day}
        vacation = {"subject": "Away", "body": "Later.", "active": True} | dates
        self.perform(self.root, set_vacation, self.bob.pk, vacation)
        self.sign_in(self.alice)
        for tab in ("", "edit/", "forwarding/", "vacation/"):
            page = self.read_page(f"/mailboxes/bob@example.org/{tab}")
            head = page[page.index('<ol class="crumbs">') : page.index('<ul class="tabs')]
            for text in (
                '<i class="dot on"></i>bob@<wbr>example.org</h1>',
                ">Bob</span>",
                "Sign-in allowed",
                "Sending blocked",
                "vacation reply active",
                "Allow sending</button>",
                'href="/mailboxes/bob@example.org/delete/"',
                f'name="next" value="/mailboxes/bob@example.org/{tab}"',
                '<a href="/mailboxes/?domain=example.org"',
            ):
                self.assertIn(text, head, tab)
            tabs = page[page.index('<ul class="tabs') :]
            self.assertEqual(tabs.count('aria-current="page"'), 1, tab)

    def test_the_form_of_an_alias_a_domain_and_an_admin_has_the_head_of_its_page(self):
        self.sign_in(self.root)
        for url, texts in (
            ("/aliases/info@example.org/", ("info@<wbr>example.org</h1>", "delete/", "Deactivate")),
            ("/aliases/bob@example.org/", ('href="/mailboxes/bob@example.org/"',)),
            ("/domains/example.org/", ("example.org</h1>", "New mailbox", "New alias", "Log")),
            ("/admins/alice@example.org/", ("domain admin</span>", "View the panel as")),
        ):
            for page in (self.read_page(url), self.read_page(f"{url}edit/")):
                for text in texts:
                    self.assertIn(text, page[page.index("<main") :], url)

    def test_a_mailbox_in_an_inactive_domain_is_marked(self):
        self.sign_in(self.alice)
        for url in ("/mailboxes/", "/mailboxes/bob@example.org/"):
            self.assertNotContains(self.client.get(url), "domain inactive")
        Domain.objects.filter(pk="example.org").update(active=False)
        self.assertContains(self.client.get("/mailboxes/"), "domain inactive")
        Alias.objects.filter(pk=self.bob.pk)._raw_delete("default")
        self.assertContains(self.client.get("/mailboxes/"), "domain inactive")
        for tab in ("", "edit/", "forwarding/", "vacation/"):
            page = self.client.get(f"/mailboxes/bob@example.org/{tab}")
            self.assertContains(page, "domain inactive</span>")
            self.assertContains(page, '<i class="dot"></i>bob@<wbr>example.org</h1>')
            self.assertContains(page, "Mail is rejected: the domain is inactive.")

    def test_a_refused_form_shows_the_stored_state_in_its_head(self):
        self.sign_in(self.root)
        page = self.client.post("/mailboxes/bob@example.org/edit/", {"quota": "x"})
        self.assertContains(page, '<i class="dot on"></i>', status_code=422)
        self.assertContains(page, "Sign-in allowed", status_code=422)

    @override_settings(MAILADMIN_MAIL_HOST="mail.example.net")
    def test_owners_see_the_settings_for_their_mail_programs(self):
        self.sign_in(self.bob)
        self.assertContains(self.client.get("/"), "mail.example.net, port 993")

    def test_the_pages_of_owners_have_no_head_of_admins(self):
        self.sign_in(self.bob)
        for url in ("/account/forwarding/", "/account/vacation/"):
            self.assertNotContains(self.client.get(url), "Sign-in allowed")

    def test_details_say_when_a_row_was_created_and_modified(self):
        self.sign_in(self.root)
        for url in (
            "mailboxes/bob@example.org",
            "aliases/info@example.org",
            "admins/alice@example.org",
        ):
            page = self.read_page(f"/{url}/")
            for text in ("<dt>Created</dt>", "<dt>Modified</dt>"):
                self.assertEqual(page.count(text), 1, url)

    def read_page(self, url):
        return self.client.get(url).content.decode()

    def test_changes_of_others_with_the_same_name_are_not_shown(self):
        Change.objects.create(
            at="2030-01-01T00:00:00Z",
            actor="x",
            verb="edit",
            table="domainadmin",
            key="bob@example.org",
            domain="example.org",
            values={"secret plan": ["a", "b"]},
        )
        self.sign_in(self.alice)
        page = self.client.get("/mailboxes/bob@example.org/")
        self.assertNotContains(page, "secret plan")

    def test_pages_of_foreign_rows_do_not_exist(self):
        self.sign_in(self.alice)
        for url in (
            "/mailboxes/carol@example.com/",
            "/mailboxes/carol@example.com/ready/",
            "/aliases/info@example.com/",
            "/addresses/carol@example.com/route/",
            "/addresses/carol@example.com/references/",
            "/mailboxes/nobody@example.org/",
        ):
            self.assertEqual(self.client.get(url).status_code, 404, url)
        self.assertEqual(self.client.get("/admins/alice@example.org/").status_code, 403)

    def test_owners_open_none_of_them(self):
        self.sign_in(self.bob)
        for url in (
            "/mailboxes/bob@example.org/",
            "/mailboxes/bob@example.org/ready/",
            "/aliases/bob@example.org/",
            "/addresses/bob@example.org/route/",
        ):
            self.assertEqual(self.client.get(url).status_code, 403, url)

    def test_where_mail_goes_and_what_forwards_here(self):
        self.sign_in(self.alice)
        page = self.client.get("/addresses/bob@example.org/route/")
        self.assertContains(page, "Mail to bob@example.org is delivered here.")
        page = self.client.get("/addresses/bob@example.org/references/")
        self.assertContains(page, "/aliases/info@example.org/")

    def test_an_address_that_cannot_be_explained_says_why(self):
        """As other programs have left it."""
        Alias.objects.create(address="postmaster", goto="bob@example.org", domain_id="example.org")
        self.sign_in(self.root)
        page = self.client.get("/addresses/postmaster/route/")
        self.assertContains(page, "address")

    def test_the_route_names_no_foreign_aliases(self):
        Alias.objects.filter(pk="info@example.com").update(goto="bob@example.org")
        self.sign_in(self.alice)
        page = self.client.get("/addresses/bob@example.org/references/")
        self.assertNotContains(page, "info@example.com")

    def test_an_alias_shows_its_targets(self):
        self.sign_in(self.alice)
        page = self.client.get("/aliases/info@example.org/")
        self.assertContains(page, "Forwards to 1 address")
        self.assertContains(page, "bob@example.org")

    def test_an_admin_shows_their_domains(self):
        self.sign_in(self.root)
        self.assertContains(self.client.get("/admins/alice@example.org/"), "example.org")
        self.assertContains(self.client.get("/admins/root@example.net/"), "all domains")

    def test_a_switch_on_the_page_returns_to_it(self):
        self.sign_in(self.alice)
        url = "/mailboxes/bob@example.org/"
        data = {"field": "active", "value": "0", "next": url}
        page = self.client.post(f"{url}toggle/", data, follow=True)
        self.assertEqual(page.redirect_chain, [(url, 302)])
        self.assertContains(page, "Undo")
        self.assertContains(page, "inactive")

    def test_what_is_so_already_offers_no_undo(self):
        self.sign_in(self.alice)
        data = {"field": "active", "value": "1"}
        page = self.client.post("/mailboxes/bob@example.org/toggle/", data, follow=True)
        self.assertNotContains(page, "Undo")

    def test_quotas_in_changes_are_sizes(self):
        self.perform(self.root, edit_mailbox, self.bob.pk, {"quota": 0})
        self.sign_in(self.alice)
        page = self.client.get("/mailboxes/bob@example.org/")
        self.assertContains(page, "<del>100 MB</del> → <ins>unlimited</ins>")
        self.assertContains(self.client.get("/log/"), "100 MB → unlimited")

    def test_changes_of_what_belongs_to_a_mailbox_are_named_by_what_they_do(self):
        until = timezone.now() + datetime.timedelta(days=1)
        vacation = {"subject": "Away", "body": "Later.", "activeuntil": until}
        self.perform(self.root, set_vacation, self.bob.pk, vacation | {"active": True})
        self.perform(self.root, set_forwarding, self.bob.pk, ["x@far.test"], True)
        self.perform(self.root, set_vacation, self.bob.pk, vacation | {"active": False})
        self.sign_in(self.alice)
        page = self.client.get("/mailboxes/bob@example.org/")
        titles = ["Vacation reply deactivated", "Forwarding changed", "Vacation reply activated"]
        self.assertEqual([str(change.title) for change in page.context["changes"]], titles)
        for shown in (page, self.client.get("/log/")):
            self.assertNotContains(shown, "autoreply.localhost")

    def test_a_new_mailbox_was_created_once(self):
        row = {"local_part": "new", "domain": Domain.objects.get(pk="example.org")}
        self.perform(self.root, create_mailboxes, [row | {"password": "x", "quota": 1}])
        self.sign_in(self.alice)
        changes = self.client.get("/mailboxes/new@example.org/").context["changes"]
        self.assertEqual([str(change.title) for change in changes], ["Created"])

    def test_a_switch_leads_to_no_other_site(self):
        self.sign_in(self.alice)
        data = {"field": "active", "value": "0", "next": "https://evil.example/"}
        answer = self.client.post("/mailboxes/bob@example.org/toggle/", data)
        self.assertRedirects(answer, "/mailboxes/")


class TabTests(World):
    def test_edit_is_a_tab_of_every_row_that_has_a_page(self):
        self.sign_in(self.root)
        for row in (
            *("domains/example.org", "mailboxes/bob@example.org"),
            *("aliases/info@example.org", "admins/alice@example.org"),
        ):
            link = f'<a href="/{row}/edit/" aria-current="page">Edit</a>'
            self.assertContains(self.client.get(f"/{row}/edit/"), link, count=1, html=True)
            link = f'<a href="/{row}/edit/">Edit</a>'
            self.assertContains(self.client.get(f"/{row}/"), link, count=1, html=True)
        self.sign_in(self.alice)
        page = self.client.get("/domains/example.org/")
        self.assertNotContains(page, "/domains/example.org/edit/")
