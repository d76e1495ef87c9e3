"""The address to which links for new passwords are sent: who can change it, and to what."""

from domains.models import Admin
from mailadmin.mails.models import OutgoingMail
from mailboxes.models import Mailbox
from tests.base import PASSWORD
from tests.mailadmin.recovery_world import BOBS, RecoveryWorld

OWN = "/account/recovery-address/"
NEW = "bob@new.example"


class OwnAddressTests(RecoveryWorld):
    def save(self, client, address):
        seen = client.get(OWN).context["form"].initial["seen"]
        return client.post(OWN, {"email_other": address, "seen": seen})

    def test_everybody_changes_their_own_after_a_proof(self):
        for person in self.people():
            client = self.client_of(person)
            self.pass_time(client)
            self.assertTrue(client.get(OWN)["Location"].startswith("/account/confirm/"))
            self.assertTrue(
                client.post(OWN, {"email_other": NEW})["Location"].startswith("/account/confirm/")
            )
            self.confirm(client)
            self.assertRedirects(self.save(client, NEW), "/account/")
            self.assertEqual(type(person).objects.get(pk=person.pk).email_other, NEW)
            self.assertContains(client.get("/account/"), NEW)

    def test_the_former_addresses_are_informed(self):
        self.save(self.client_of(self.bob), NEW)
        mails = OutgoingMail.objects.filter(kind="recovery_address_changed")
        self.assertEqual(set(mails.values_list("recipient", flat=True)), {self.bob.pk, BOBS})

    def test_it_can_be_removed(self):
        self.save(self.client_of(self.bob), "")
        self.assertEqual(Mailbox.objects.get(pk=self.bob.pk).email_other, "")

    def test_what_cannot_be_used_is_refused(self):
        client = self.client_of(self.bob)
        refused = [self.bob.pk, "BOB@example.ORG", "nothing", "a@b.example, c@d.example", "a\n@b.c"]
        for address in refused:
            with self.subTest(address):
                self.assertEqual(self.save(client, address).status_code, 422)
        self.assertEqual(Mailbox.objects.get(pk=self.bob.pk).email_other, BOBS)

    def test_admins_need_an_address_outside_of_the_panel(self):
        answer = self.save(self.client_of(self.root), "carol@example.com")
        self.assert_refused(answer, "a domain that this panel does not manage")


class FormTests(RecoveryWorld):
    def post(self, client, url, **data):
        seen = client.get(url).context["form"].initial.get("seen", "")
        return client.post(url, {"seen": seen} | data)

    def test_alice_sets_that_of_a_mailbox_after_her_own_password(self):
        client = self.client_of(self.alice)
        self.pass_time(client)
        url = f"/mailboxes/{self.bob.pk}/edit/"
        values = {"name": "Bob", "quota": "100", "active": "on", "smtp_active": "on"}
        self.assert_refused(self.post(client, url, **values, email_other=NEW))
        self.post(client, url, **values, email_other=NEW, own_password=PASSWORD)
        self.assertEqual(Mailbox.objects.get(pk=self.bob.pk).email_other, NEW)
        mails = OutgoingMail.objects.filter(kind="recovery_address_changed")
        self.assertEqual(mails.count(), 2)

    def test_the_mailbox_itself_is_refused_on_both_forms(self):
        self.sign_in(self.alice)
        values = {"name": "", "quota": "100", "active": "on", "smtp_active": "on"}
        edited = self.post(
            self.client, f"/mailboxes/{self.bob.pk}/edit/", **values, email_other=self.bob.pk
        )
        self.assert_refused(edited, "other than that of the mailbox itself")
        new = {"local_part": "new", "domain": "example.org", "email_other": "new@example.org"}
        passwords = {"password": "another-horse-42", "password2": "another-horse-42"}
        created = self.post(self.client, "/mailboxes/create/", **values, **new, **passwords)
        self.assert_refused(created, "other than that of the mailbox itself")

    def test_a_new_admin_has_one(self):
        self.sign_in(self.root)
        passwords = {"password": "another-horse-42", "password2": "another-horse-42"}
        values = {"username": "new@example.net", "email_other": NEW, "active": "on"}
        self.post(self.client, "/admins/create/", **values, **passwords)
        self.assertEqual(Admin.objects.get(pk="new@example.net").email_other, NEW)


class ApiTests(RecoveryWorld):
    def test_it_is_a_column_of_mailboxes_and_admins(self):
        api = self.api(self.alice)
        self.assertEqual(api.get(f"mailboxes/{self.bob.pk}").json()["email_other"], BOBS)
        self.assertEqual(
            api.patch(f"mailboxes/{self.bob.pk}", {"email_other": NEW}).status_code, 200
        )
        self.assertEqual(Mailbox.objects.get(pk=self.bob.pk).email_other, NEW)
        refused = api.patch(f"mailboxes/{self.bob.pk}", {"email_other": self.bob.pk})
        self.assertEqual(list(refused.json()["errors"]), ["email_other"])
        api = self.api(self.root)
        self.assertEqual(
            api.patch(f"admins/{self.alice.pk}", {"email_other": NEW}).status_code, 200
        )
        self.assertEqual(Admin.objects.get(pk=self.alice.pk).email_other, NEW)

    def test_other_values_leave_it_as_it_is(self):
        self.api(self.alice).patch(f"mailboxes/{self.bob.pk}", {"name": "Robert"})
        self.assertEqual(Mailbox.objects.get(pk=self.bob.pk).email_other, BOBS)

    def test_an_unusable_one_of_postfixadmin_does_not_hinder_edits(self):
        Mailbox.objects.filter(pk=self.bob.pk).update(email_other=self.bob.pk)
        edited = self.api(self.alice).patch(f"mailboxes/{self.bob.pk}", {"name": "Robert"})
        self.assertEqual(edited.status_code, 200)
