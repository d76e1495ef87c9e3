"""Second factors reset by admins and on the command line."""

import io

from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command

from domains.models import Admin
from mailadmin.accounts.factors.services import reset_factors
from mailboxes.models import Mailbox
from tests.mailadmin.factor_world import FactorWorld
from tests.mailadmin.login_world import SECRET


class ResetTests(FactorWorld):
    def test_a_reset_removes_all_factors(self):
        client = self.client_of(self.bob)
        secret, codes = self.set_up_totp(client)
        self.add_passkey(client)
        self.perform(self.alice, reset_factors, Mailbox, [self.bob.pk])
        self.assertTrue(self.is_logged_in(self.client_of(self.bob)))
        self.assertIn(("reset_factors", "example.org", "bob@example.org"), self.logged())

    def test_the_pages_of_people_show_their_factors_and_reset_them(self):
        self.set_up_totp(self.client_of(self.bob))
        alice = self.client_of(self.alice)
        self.add_passkey(alice)
        for client, url in (
            (alice, "/mailboxes/bob@example.org/"),
            (self.client_of(self.root), "/admins/alice@example.org/"),
        ):
            self.assertContains(client.get(url), "Reset two-factor authentication")
            answer = client.post(f"{url}factors/reset/", follow=True)
            self.assertContains(answer, "was reset.")
            self.assertNotContains(client.get(url), "Reset two-factor authentication")

    def test_the_factors_of_a_mailbox_whose_owner_is_an_admin_are_reset_by_superadmins(self):
        Mailbox.objects.filter(pk=self.bob.pk).update(totp_secret=SECRET)
        Admin.objects.create(username=self.bob.pk, password="x", superadmin=True)
        with self.assertRaises(ValidationError):
            self.perform(self.alice, reset_factors, Mailbox, [self.bob.pk])
        self.perform(self.root, reset_factors, Mailbox, [self.bob.pk])
        self.assertIsNone(Mailbox.objects.get(pk=self.bob.pk).totp_secret)

    def test_a_reset_needs_a_recent_proof(self):
        client = self.client_of(self.alice)
        self.pass_time(client)
        answer = client.post("/mailboxes/bob@example.org/factors/reset/")
        target = "/account/confirm/?next=%2Fmailboxes%2Fbob%40example.org%2F"
        self.assertRedirects(answer, target)

    def test_foreign_people_are_not_found(self):
        client = self.client_of(self.alice)
        for url in ("/mailboxes/carol@example.com/factors/reset/", "/mailboxes/x/factors/reset/"):
            self.assertEqual(client.post(url).status_code, 404)
        for url in ("/admins/root@example.net/", "/admins/alice@example.org/"):
            self.assertEqual(client.post(f"{url}factors/reset/").status_code, 403)
        owner = self.client_of(self.bob)
        self.assertEqual(owner.post("/mailboxes/bob@example.org/factors/reset/").status_code, 403)

    def test_a_reset_ends_all_sessions(self):
        client = self.client_of(self.bob)
        self.set_up_totp(client)
        self.perform(self.alice, reset_factors, Mailbox, [self.bob.pk])
        self.assertFalse(self.is_logged_in(client))

    def test_nobody_resets_the_factors_of_people_out_of_their_scope(self):
        for actor, model, key in (
            (self.alice, Mailbox, self.carol.pk),
            (self.alice, Admin, self.root.pk),
            (self.bob, Mailbox, self.carol.pk),
        ):
            with self.assertRaises(ValidationError):
                self.perform(actor, reset_factors, model, [key])


class ResetCommandTests(FactorWorld):
    def run_command(self, *arguments):
        output = io.StringIO()
        call_command("reset-factors", *arguments, stdout=output)
        return output.getvalue()

    def test_the_command_resets_the_factors_of_anybody(self):
        for person in self.people():
            client = self.client_of(person)
            self.set_up_totp(client)
            self.add_passkey(client)
            self.assertIn("was reset.", self.run_command(person.pk))
            self.assertTrue(self.is_logged_in(self.client_of(person)))

    def test_the_command_says_why_it_does_nothing(self):
        Admin.objects.create(username=self.bob.pk, password="x", totp_secret=SECRET)
        Mailbox.objects.filter(pk=self.bob.pk).update(totp_secret=SECRET)
        for address, text in (
            ("nobody@example.org", "There is no active admin or mailbox"),
            (self.carol.pk, "has no second factor"),
            (self.bob.pk, "add --admin or --mailbox"),
        ):
            with self.assertRaisesMessage(CommandError, text):
                self.run_command(address)
        self.run_command(self.bob.pk, "--admin")
        self.assertIsNotNone(Mailbox.objects.get(pk=self.bob.pk).totp_secret)
        self.run_command(self.bob.pk)
        self.assertIsNone(Mailbox.objects.get(pk=self.bob.pk).totp_secret)
