"""Requests to set a new password: by an admin, for one person or for many."""

import io

from django.core.management import CommandError, call_command
from django.test import Client, override_settings

from domains.models import Admin
from mailadmin import passwords
from mailadmin.accounts.models import PasswordRequest
from mailadmin.jobs.models import Job
from mailadmin.mails.models import OutgoingMail
from mailboxes.models import Mailbox
from mailboxes.services.mailboxes import create_mailboxes, delete_mailboxes
from tests.base import PASSWORD, run_job
from tests.mailadmin.login_world import LoginWorld

NEW_PASSWORD = "another-horse-43"
MD5 = passwords.make_hash(PASSWORD, "", "MD5-CRYPT")


class PasswordRequestTests(LoginWorld):
    def ask(self, person=None, by=None, **data):
        """Ask by the bulk action of the list, with its confirmation."""
        self.sign_in(by or self.alice)
        data = {"action": "request_password", "keys": [(person or self.bob).pk]} | data
        table = "admins" if isinstance(person, Admin) else "mailboxes"
        return self.client.post(f"/{table}/bulk/", data)

    def mails(self):
        return list(OutgoingMail.objects.order_by("pk").values_list("kind", "recipient"))

    def change_password(self, client, old=PASSWORD):
        data = {"old_password": old, "password": NEW_PASSWORD, "password2": NEW_PASSWORD}
        return client.post("/account/password/", data)

    def test_the_list_says_what_happens_and_asks(self):
        page = self.ask()
        self.assertContains(page, "Request new passwords for 1 mailbox?")
        self.assertContains(page, "Their mail is not interrupted.")
        self.assertFalse(PasswordRequest.objects.exists())
        answer = self.ask(confirmed="1")
        self.assertRedirects(answer, "/mailboxes/?", fetch_redirect_response=False)
        self.assertEqual(self.mails(), [("password_requested", "bob@example.org")])
        self.assertEqual(self.logged(), [("request_password", "example.org", "bob@example.org")])

    def test_the_person_gets_no_other_page_until_there_is_a_new_password(self):
        client = Client()
        self.log_in(self.bob.pk, client=client)
        self.ask(confirmed="1")
        for path in ("/", "/account/forwarding/", "/account/sessions/"):
            self.assertRedirects(client.get(path), "/account/password/")
        page = client.get("/account/password/")
        self.assertContains(page, "Your administrator asks you to set a new password.")
        same = {"old_password": PASSWORD, "password": PASSWORD, "password2": PASSWORD}
        self.assert_refused(client.post("/account/password/", same))
        self.change_password(client)
        self.assertEqual(client.get("/").status_code, 200)

    def test_a_password_set_elsewhere_answers_the_request(self):
        self.ask(confirmed="1")
        Mailbox.objects.filter(pk=self.bob.pk).update(password=passwords.make_hash(NEW_PASSWORD))
        client = Client()
        self.log_in(self.bob.pk, client=client, password=NEW_PASSWORD)
        self.assertEqual(client.get("/").status_code, 200)

    @override_settings(MAILADMIN_PASSWORD_REHASH=True)
    def test_the_same_password_in_another_scheme_does_not(self):
        Mailbox.objects.filter(pk=self.bob.pk).update(password=MD5)
        self.ask(confirmed="1")
        client = Client()
        self.log_in(self.bob.pk, client=client)
        self.assertFalse(Mailbox.objects.get(pk=self.bob.pk).password.startswith("$1$"))
        self.assertRedirects(client.get("/"), "/account/password/")
        self.change_password(client)
        self.assertEqual(client.get("/").status_code, 200)

    def test_a_later_person_of_the_name_is_not_asked(self):
        self.ask(confirmed="1")
        row = {"local_part": "bob", "domain": self.bob.domain, "quota": 1}
        self.perform(self.root, delete_mailboxes, [self.bob.pk])
        self.perform(self.root, create_mailboxes, [row | {"password": passwords.make_hash("x")}])
        self.sign_in(self.root)
        self.assertNotContains(self.client.get("/mailboxes/bob@example.org/"), "was requested")

    def test_the_page_of_a_person_asks_and_shows_that_it_was(self):
        self.sign_in(self.alice)
        url = f"/mailboxes/{self.bob.pk}/"
        self.assertContains(self.client.get(url), "Request a new password")
        page = self.client.post(f"{url}password-request/", follow=True)
        self.assertContains(page, "Requested a new password for bob@example.org.")
        self.assertContains(page, "has not been set yet.")
        self.sign_in(self.root)
        page = self.client.post(f"/admins/{self.alice.pk}/password-request/", follow=True)
        self.assertContains(page, "Requested a new password for alice@example.org.")

    def test_nobody_asks_outside_their_domains(self):
        self.ask(self.carol, confirmed="1")
        cases = (
            (self.alice, f"/mailboxes/{self.carol.pk}/password-request/", 404),
            (self.alice, f"/admins/{self.root.pk}/password-request/", 403),
            (self.bob, f"/mailboxes/{self.bob.pk}/password-request/", 403),
        )
        for person, url, status in cases:
            self.sign_in(person)
            self.assertEqual(self.client.post(url).status_code, status, url)
        self.assertFalse(PasswordRequest.objects.exists())
        self.assertEqual(self.mails(), [])

    def test_an_admin_is_asked_in_their_language(self):
        client = Client(headers={"Accept-Language": "de"})
        self.log_in(self.alice.pk, client=client)
        OutgoingMail.objects.all().delete()
        self.ask(self.alice, by=self.root, confirmed="1")
        mail = OutgoingMail.objects.get()
        self.assertEqual(
            (mail.recipient, mail.language, mail.domain_id), (self.alice.pk, "de", None)
        )
        self.assertRedirects(client.get("/"), "/account/password/")

    def test_people_without_a_password_and_inactive_ones_get_no_mail(self):
        Mailbox.objects.filter(pk=self.bob.pk).update(password=passwords.UNUSABLE_HASH)
        self.ask(confirmed="1")
        self.assertFalse(PasswordRequest.objects.exists())
        Mailbox.objects.filter(pk=self.carol.pk).update(active=False)
        self.ask(self.carol, by=self.root, confirmed="1")
        self.assertEqual(PasswordRequest.objects.count(), 1)
        self.assertEqual(self.mails(), [])

    def test_nobody_is_said_to_be_asked_who_was_not(self):
        self.sign_in(self.alice)
        for unset in ("", passwords.UNUSABLE_HASH):
            Mailbox.objects.filter(pk=self.bob.pk).update(password=unset)
            url = f"/mailboxes/{self.bob.pk}/"
            self.assertNotContains(self.client.get(url), "password-request/")
            page = self.client.post(f"{url}password-request/", follow=True)
            self.assertContains(page, "bob@example.org has no password yet.")
            self.assertIn("for 0 mailboxes", self.run_command(self.bob.pk))

    def test_many_are_asked_by_a_job(self):
        domain = self.bob.domain
        rows = [{"local_part": f"p{n}", "domain": domain, "password": MD5} for n in range(201)]
        self.perform(self.root, create_mailboxes, rows)
        self.sign_in(self.alice)
        url = "/mailboxes/bulk/?scheme=weak"
        page = self.client.post(url, {"action": "request_password", "all": "1"})
        self.assertContains(page, "Request new passwords for 201 mailboxes?")
        kept = {"action": "request_password", "kept": page.context["kept"]}
        self.client.post(url, kept)
        run_job(Job.objects.get())
        self.assertEqual(PasswordRequest.objects.count(), 201)
        self.assertEqual(len(self.mails()), 201)

    def test_the_command_asks_and_plans(self):
        Mailbox.objects.filter(pk=self.bob.pk).update(password=MD5)
        self.assertEqual(self.run_command("--scheme", "weak", "--plan"), "bob@example.org\n")
        self.assertFalse(PasswordRequest.objects.exists())
        text = "Requested new passwords for 1 mailbox."
        self.assertIn(text, self.run_command("--scheme", "weak", "--domain", "example.org"))
        self.assertIn(
            "Requested new passwords for 1 admin.",
            self.run_command("--admins", "alice@example.org"),
        )
        self.assertEqual(len(self.mails()), 2)
        for wrong in (
            [],
            ["--scheme", "weak", "bob@example.org"],
            ["--domain", "example.com", "bob@example.org"],
            ["--scheme", "weeek"],
        ):
            with self.assertRaises(CommandError) as caught:
                self.run_command(*wrong)
            self.assertEqual(caught.exception.returncode, 2)
        with self.assertRaisesMessage(CommandError, "nobody@example.org no longer exists."):
            self.run_command("nobody@example.org")

    def run_command(self, *arguments):
        out = io.StringIO()
        call_command("request-password", *arguments, stdout=out)
        return out.getvalue()
