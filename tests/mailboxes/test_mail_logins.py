"""Domains and mailboxes whose mail programs need app passwords: form, API, command, files."""

import csv
from io import StringIO

from django.core.management import call_command

from domains.models import Domain
from mailadmin.changes.models import Change
from mailboxes.models import DomainMailLogin, Mailbox, MailboxMailLogin
from mailboxes.services.mail_logins import (
    get_mail_login_rules,
    needs_app_passwords,
    set_mailbox_mail_login,
)
from tests.base import PASSWORD, World

URL = "/domains/example.org/edit/"


class DomainTests(World):
    def needs(self, name="example.org"):
        return needs_app_passwords(Domain.objects.get(pk=name))

    def save(self, **values):
        fields = self.client.get(URL).context["form"]
        data = {
            bound.name: bound.value()
            for bound in fields
            if bound.name != "app_passwords_only"
            and bound.value() is not None
            and bound.value() is not False
        }
        return self.client.post(URL, data | values)

    def test_the_form_of_a_domain_sets_it(self):
        self.sign_in(self.root)
        self.assertEqual(self.save(app_passwords_only="on").status_code, 302)
        self.assertTrue(self.needs())
        self.assertTrue(self.client.get(URL).context["form"]["app_passwords_only"].value())
        self.assertTrue(Change.objects.filter(table="domainmaillogin").exists())
        self.assertEqual(self.save().status_code, 302)
        self.assertFalse(self.needs())
        self.assertFalse(self.needs("example.com"))

    def test_a_new_domain_has_it_and_inherits_nothing(self):
        api = self.api(self.root)
        row = {"domain": "new.example", "default_aliases": False}
        api.post("domains", row | {"app_passwords_only": True})
        self.assertTrue(self.needs("new.example"))
        Domain.objects.filter(pk="new.example")._raw_delete("default")
        self.assertEqual(api.post("domains", row).status_code, 201)
        self.assertFalse(self.needs("new.example"))

    def test_the_api_shows_and_changes_it(self):
        api = self.api(self.root)
        self.assertIs(api.get("domains/example.org").json()["app_passwords_only"], False)
        answer = api.patch("domains/example.org", {"app_passwords_only": True})
        self.assertIs(answer.json()["app_passwords_only"], True)
        answer = api.patch("domains/example.org", {"description": "Bakery"})
        self.assertIs(answer.json()["app_passwords_only"], True)

    def test_a_domain_admin_reads_it(self):
        DomainMailLogin.objects.create(domain_id="example.org", app_passwords_only=True)
        api = self.api(self.alice)
        self.assertIs(api.get("domains/example.org").json()["app_passwords_only"], True)
        answer = api.patch("domains/example.org", {"app_passwords_only": False})
        self.assertEqual(answer.status_code, 403)
        self.assertTrue(self.needs())

    def test_an_export_has_it(self):
        DomainMailLogin.objects.create(domain_id="example.org", app_passwords_only=True)
        self.sign_in(self.root)
        lines = self.client.get("/domains/export/").getvalue().decode().splitlines()
        self.assertIn("app_passwords_only", lines[0])


class MailboxTests(World):
    PAGE = "/mailboxes/bob@example.org/app-passwords/"
    URL = f"{PAGE}main-password/"

    def test_a_mailbox_can_differ_from_its_domain(self):
        self.sign_in(self.alice)
        for value, stored in (("app", True), ("any", False), ("", None)):
            self.assertRedirects(self.client.post(self.URL, {"main_password": value}), self.PAGE)
            self.assertIs(get_mail_login_rules(self.bob).own, stored)
            form = self.client.get(self.PAGE).context["main_password_form"]
            self.assertEqual(form.initial["main_password"], value)
        self.assertEqual(len([line for line in self.logged() if line[0] == "edit_mailbox"]), 3)

    def test_only_superadmins_except_a_mailbox_from_the_rule_of_its_domain(self):
        DomainMailLogin.objects.create(domain_id="example.org", app_passwords_only=True)
        self.sign_in(self.alice)
        response = self.client.post(self.URL, {"main_password": "any"}, follow=True)
        self.assertContains(response, "Only superadmins can except a mailbox")
        self.assertIsNone(get_mail_login_rules(self.bob).own)
        self.client.post(self.URL, {"main_password": "app"})
        self.assertIs(get_mail_login_rules(self.bob).own, True)
        self.sign_in(self.root)
        self.client.post(self.URL, {"main_password": "any"})
        self.assertIs(get_mail_login_rules(self.bob).own, False)

    def test_anything_else_is_refused(self):
        self.sign_in(self.alice)
        self.assertRedirects(self.client.post(self.URL, {"main_password": "never"}), self.PAGE)
        self.assertIsNone(get_mail_login_rules(self.bob).own)
        url = "/mailboxes/carol@example.com/app-passwords/main-password/"
        self.assertEqual(self.client.post(url, {"main_password": "app"}).status_code, 404)
        self.assertIsNone(get_mail_login_rules(self.carol).own)

    def test_owners_see_what_their_password_opens(self):
        DomainMailLogin.objects.create(domain_id="example.org", app_passwords_only=True)
        self.sign_in(self.bob)
        text = "your own password works in this panel only"
        self.assertContains(self.client.get("/account/app-passwords/"), text)
        self.assertEqual(self.client.post(self.URL, {"main_password": "any"}).status_code, 403)
        self.perform(self.root, set_mailbox_mail_login, self.bob.pk, False)
        self.assertNotContains(self.client.get("/account/app-passwords/"), text)


class MailboxValueTests(World):
    """The rule of one mailbox, as a value of the table."""

    KEY, URL = "bob@example.org", "mailboxes/bob@example.org"

    def own_rule(self):
        return get_mail_login_rules(self.bob).own

    def test_the_api_reads_and_sets_it(self):
        api = self.api(self.alice)
        self.assertIsNone(api.get(self.URL).json()["app_passwords_only"])
        for value in (True, False, None):
            answer = api.patch(self.URL, {"app_passwords_only": value})
            self.assertIs(answer.json()["app_passwords_only"], value)
            self.assertIs(self.own_rule(), value)
            self.assertEqual(api.patch(self.URL, {"name": "Bob"}).status_code, 200)
            self.assertIs(self.own_rule(), value)
        self.assertIn(("edit_mailbox", "example.org", self.KEY), self.logged())
        for wrong in ("never", "", 1):
            answer = api.patch(self.URL, {"app_passwords_only": wrong})
            self.assertEqual(answer.status_code, 422, wrong)

    def test_a_new_mailbox_has_it(self):
        row = {"local_part": "ann", "domain": "example.org", "password": PASSWORD, "quota": 1}
        self.api(self.alice).post("mailboxes", row | {"app_passwords_only": True})
        self.assertIs(MailboxMailLogin.objects.get().app_passwords_only, True)

    def test_a_tag_covers_it(self):
        api = self.api(self.alice)
        tag = api.get(self.URL)["ETag"]
        self.perform(self.alice, set_mailbox_mail_login, self.bob.pk, True)
        answer = api.patch(self.URL, {"name": "Bob"}, headers={"If-Match": tag})
        self.assertEqual(answer.status_code, 412)

    def test_only_superadmins_except_a_mailbox(self):
        DomainMailLogin.objects.create(domain_id="example.org", app_passwords_only=True)
        answer = self.api(self.alice).patch(self.URL, {"app_passwords_only": False})
        self.assertEqual(answer.status_code, 422)
        self.assertEqual(list(answer.json()["errors"]), ["app_passwords_only"])
        rows = [{"username": self.KEY, "name": "Bobby", "app_passwords_only": False}]
        self.assertEqual(self.api(self.alice).patch("mailboxes", rows).status_code, 422)
        row = {"local_part": "ann", "domain": "example.org", "password": PASSWORD, "quota": 1}
        answer = self.api(self.alice).post("mailboxes", row | {"app_passwords_only": False})
        self.assertEqual(answer.status_code, 422)
        self.assertIsNone(self.own_rule())
        self.assertFalse(Mailbox.objects.filter(pk="ann@example.org").exists())
        self.api(self.root).patch(self.URL, {"app_passwords_only": False})
        self.assertIs(self.own_rule(), False)

    def test_the_page_leaves_it_alone(self):
        self.perform(self.root, set_mailbox_mail_login, self.bob.pk, False)
        self.sign_in(self.alice)
        self.assertNotContains(self.client.get(f"/{self.URL}/edit/"), "app_passwords_only")
        data = {"name": "Bobby", "quota": "10", "active": "on", "app_passwords_only": "true"}
        self.client.post(f"/{self.URL}/edit/", data)
        self.assertIs(self.own_rule(), False)

    def test_the_command_sets_it(self):
        for option, value in (("yes", True), ("no", False), ("default", None)):
            options = ("--app-passwords-only", option)
            call_command("mailbox", "edit", self.KEY, *options, stdout=StringIO())
            self.assertIs(self.own_rule(), value)

    def test_a_file_has_it(self):
        self.perform(self.root, set_mailbox_mail_login, self.bob.pk, True)
        self.sign_in(self.root)
        text = self.client.get("/mailboxes/export/").getvalue().decode()
        rows = {row["username"]: row for row in csv.DictReader(StringIO(text))}
        self.assertEqual(rows[self.KEY]["app_passwords_only"], "1")
        self.assertEqual(rows[self.carol.pk]["app_passwords_only"], "")
