"""What to hand over, deletions, and pages beside those of rows."""

from domains.models import Domain, DomainAdmin
from mailadmin.mails.models import OutgoingMail
from mailboxes.models import Alias
from mailboxes.services.mailboxes import delete_mailboxes
from tests.base import PASSWORD, World


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
        OutgoingMail.objects.update(state="sent")
        self.assertContains(self.client.get(url), "The welcome email was sent.")
        OutgoingMail.objects.update(state="failed", error="refused")
        self.assertContains(self.client.get(url), "could not be sent. refused")
        self.assertNotContains(self.client.get(f"{url}?changed=1"), "refused")

    def test_the_welcome_email_to_a_deleted_mailbox_is_not_that_to_a_new_one(self):
        self.create(welcome_mail="on")
        self.perform(self.alice, delete_mailboxes, ["new@example.org"])
        self.assertFalse(OutgoingMail.objects.exists())
        self.create()
        page = self.client.get("/mailboxes/new@example.org/ready/")
        self.assertNotContains(page, "The welcome email was sent.")

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
