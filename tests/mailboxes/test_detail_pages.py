"""The pages of one mailbox, alias and admin, and what is handed over with a new mailbox."""

import datetime

from django.test import override_settings
from django.utils import timezone

from domains.models import Domain, DomainAdmin
from mailadmin.changes.models import Change
from mailadmin.jobs.models import Job
from mailboxes.models import Alias
from mailboxes.services.forwardings import set_forwarding
from mailboxes.services.mailboxes import create_mailboxes, edit_mailbox, set_mailboxes
from mailboxes.services.vacations import set_vacation
from tests.base import PASSWORD, World


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
                '<i class="dot on"></i>bob@example.org</h1>',
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
            ("/aliases/info@example.org/", ("info@example.org</h1>", "delete/", "Deactivate")),
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
        for tab in ("", "edit/", "forwarding/", "vacation/"):
            page = self.client.get(f"/mailboxes/bob@example.org/{tab}")
            self.assertContains(page, "domain inactive</span>")
            self.assertContains(page, '<i class="dot"></i>bob@example.org</h1>')
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


class HandOverTests(World):
    def create(self, **more):
        self.sign_in(self.alice)
        data = {"local_part": "new", "domain": "example.org", "quota": 1, "active": "on"}
        data |= {"password": PASSWORD, "password2": PASSWORD}
        return self.client.post("/mailboxes/create/", data | more)

    def test_a_new_mailbox_leads_to_what_its_owner_needs(self):
        answer = self.create()
        self.assertRedirects(answer, "/mailboxes/new@example.org/ready/")
        with self.settings(MAILADMIN_MAIL_HOST="mail.example.org"):
            page = self.client.get("/mailboxes/new@example.org/ready/")
        self.assertContains(page, "mail.example.org")
        self.assertNotContains(page, PASSWORD)

    def test_a_new_password_of_a_mailbox_is_handed_over(self):
        self.sign_in(self.alice)
        url = "/mailboxes/bob@example.org/edit/"
        data = {"name": "Bob", "quota": 100, "active": "on", "smtp_active": "on"}
        data["seen"] = self.client.get(url).context["form"].initial["seen"]
        answer = self.client.post(url, data)
        self.assertRedirects(answer, "/mailboxes/bob@example.org/")
        data["seen"] = self.client.get(url).context["form"].initial["seen"]
        answer = self.client.post(url, data | {"password": PASSWORD, "password2": PASSWORD})
        self.assertRedirects(answer, "/mailboxes/bob@example.org/ready/?changed=1")
        page = self.client.get(answer.url)
        self.assertContains(page, "New password for bob@example.org")
        self.assertNotContains(page, "Create another mailbox")

    def test_a_new_admin_leads_to_what_they_need(self):
        self.sign_in(self.root)
        data = {"username": "new@example.net", "domains": "example.org", "active": "on"}
        data |= {"password": PASSWORD, "password2": PASSWORD}
        answer = self.client.post("/admins/create/", data)
        self.assertRedirects(answer, "/admins/new@example.net/ready/")
        page = self.client.get(answer.url)
        self.assertContains(page, 'data-handover-password="new@example.net"')
        for text in ("http://testserver/", "domain admin", "example.org"):
            self.assertContains(page, text)
        self.assertNotContains(page, PASSWORD)

    def test_the_page_tells_what_became_of_the_welcome_email(self):
        self.create(welcome_mail="on")
        url = "/mailboxes/new@example.org/ready/"
        self.assertContains(self.client.get(url), "waiting to be sent")
        Job.objects.update(state=Job.State.DONE)
        self.assertContains(self.client.get(url), "The welcome email was sent.")
        Job.objects.update(state=Job.State.FAILED, message="refused")
        self.assertContains(self.client.get(url), "could not be sent. refused")
        self.assertNotContains(self.client.get(f"{url}?changed=1"), "refused")

    def test_a_superadmin_finds_the_limit_that_was_reached(self):
        Domain.objects.filter(pk="example.org").update(mailboxes=1)
        link = "/domains/example.org/edit/"
        self.assertNotContains(self.create(), link, status_code=422)
        self.sign_in(self.root)
        data = {"local_part": "new", "domain": "example.org", "quota": 1}
        data |= {"password": PASSWORD, "password2": PASSWORD}
        answer = self.client.post("/mailboxes/create/", data)
        self.assertContains(answer, f'href="{link}" target="_blank"', status_code=422)

    def test_another_one_is_created_in_the_same_domain(self):
        answer = self.create(another="1")
        self.assertEqual(answer.url, "/mailboxes/create/?domain=example.org&quota=1")
        page = self.client.get(answer.url)
        self.assertContains(page, "/mailboxes/new@example.org/")
        self.assertEqual(page.context["form"]["quota"].value(), "1")

    def test_a_pasted_address_is_taken_apart(self):
        self.assertRedirects(
            self.create(local_part="new@example.org"), "/mailboxes/new@example.org/ready/"
        )
        self.assert_refused(self.create(local_part="x@example.com"))
        self.sign_in(self.root)
        answer = self.create(local_part="second@example.org", domain="")
        self.assertRedirects(answer, "/mailboxes/second@example.org/ready/")


class DeletionTests(World):
    def test_the_name_of_what_holds_much_has_to_be_typed(self):
        rows = [{"address": f"a{n}@example.org", "goto": "bob@example.org"} for n in range(12)]
        Alias.objects.bulk_create(Alias(domain_id="example.org", **row) for row in rows)
        self.sign_in(self.root)
        self.assertContains(self.client.get("/domains/example.org/delete/"), "to confirm")
        answer = self.client.post("/domains/example.org/delete/", {"confirm": "example.com"})
        self.assertContains(answer, 'id="confirm-name-error">The text does not', status_code=422)
        self.assertContains(answer, 'aria-describedby="confirm-name-error"', status_code=422)
        self.assertEqual(self.client.post("/domains/example.org/delete/").status_code, 422)
        self.assertTrue(Domain.objects.filter(pk="example.org").exists())
        self.client.post("/domains/example.org/delete/", {"confirm": "example.org"})
        self.assertFalse(Domain.objects.filter(pk="example.org").exists())

    def test_several_rows_that_hold_much_are_confirmed_by_their_number(self):
        rows = [{"address": f"a{n}@example.org", "goto": "bob@example.org"} for n in range(12)]
        Alias.objects.bulk_create(Alias(domain_id="example.org", **row) for row in rows)
        self.sign_in(self.root)
        sent = {"action": "delete", "keys": ["example.org", "example.com"]}
        self.assertContains(self.client.post("/domains/bulk/", sent), "Type 2 to confirm")
        for confirmation in ({}, {"confirm": "3"}):
            answer = self.client.post("/domains/bulk/", sent | {"confirmed": "1"} | confirmation)
            self.assertContains(answer, "The text does not match", status_code=422)
        self.assertEqual(Domain.objects.count(), 2)
        self.client.post("/domains/bulk/", sent | {"confirmed": "1", "confirm": "2"})
        self.assertFalse(Domain.objects.exists())

    def test_a_small_deletion_asks_for_no_name(self):
        self.sign_in(self.alice)
        page = self.client.get("/aliases/info@example.org/delete/")
        self.assertNotContains(page, "to confirm")


class DomainAdminTests(World):
    def test_root_assigns_and_removes_an_admin_on_the_page_of_a_domain(self):
        self.sign_in(self.root)
        url = "/domains/example.com/admins/"
        page = self.client.post(url, {"admin": "Alice@example.org"}, follow=True)
        self.assertContains(page, "now manages example.com")
        self.assertEqual(self.alice.get_assigned_domains(), ["example.com", "example.org"])
        page = self.client.post(url, {"remove": "alice@example.org"}, follow=True)
        self.assertContains(page, "no longer manages example.com")
        self.assertEqual(self.alice.get_assigned_domains(), ["example.org"])

    def test_an_unknown_admin_is_refused(self):
        self.sign_in(self.root)
        page = self.client.post("/domains/example.com/admins/", {"admin": "x@y.z"}, follow=True)
        self.assertContains(page, "There is no admin")
        self.assertEqual(DomainAdmin.objects.filter(domain="example.com").count(), 0)

    def test_admins_assign_nobody(self):
        self.sign_in(self.alice)
        answer = self.client.post("/domains/example.org/admins/", {"admin": self.alice.pk})
        self.assertEqual(answer.status_code, 403)


class PaletteTests(World):
    def found(self, text):
        page = self.client.get("/search/", {"q": text}, headers={"HX-Request": "true"})
        self.assertTemplateUsed(page, "search_palette.html")
        return page, [str(command.label) for command in page.context["commands"]]

    def test_rows_and_commands_are_offered(self):
        self.sign_in(self.alice)
        page, labels = self.found("bob@example.org")
        self.assertContains(page, "/mailboxes/bob@example.org/")
        self.assertIn("Explain delivery to bob@example.org", labels)
        self.assertIn("New mailbox in example.org", labels)
        _page, labels = self.found("new mail")
        self.assertIn("New mailbox", labels)

    def test_nothing_foreign_and_nothing_closed_is_offered(self):
        self.sign_in(self.alice)
        page, labels = self.found("carol@example.com")
        self.assertNotContains(page, "/mailboxes/carol@example.com/")
        self.assertNotIn("New mailbox in example.com", labels)
        _page, labels = self.found("admin")
        self.assertEqual(labels, [])


class DesignPageTests(World):
    def test_it_is_there_in_debug_mode_only(self):
        self.sign_in(self.root)
        self.assertEqual(self.client.get("/design/").status_code, 404)
        with self.settings(DEBUG=True):
            self.assertEqual(self.client.get("/design/").status_code, 200)
