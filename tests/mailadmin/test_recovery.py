"""A forgotten password: the link, the new password, and who is sent none."""

from django.test import Client, override_settings

from domains.models import Admin
from mailadmin.accounts.models import LoginFailure
from mailadmin.accounts.recovery.models import RecoveryRequest
from mailadmin.changes.models import Change
from mailadmin.mails.models import OutgoingMail
from mailboxes.models import Mailbox
from mailboxes.services.mailboxes import create_mailboxes
from tests.base import PASSWORD
from tests.mailadmin.recovery_world import BOBS, NEW, RecoveryWorld


class RecoveryTests(RecoveryWorld):
    def test_bob_sets_a_new_password_by_the_link(self):
        page = Client().get("/login/")
        self.assertContains(page, 'href="/login/forgot/"')
        self.assertRedirects(self.ask(), "/login/forgot/sent/")
        [(recipient, link)] = self.links()
        self.assertEqual(recipient, BOBS)
        client = Client()
        opened = client.get(link)
        self.assertRedirects(opened, "/login/recover/", fetch_redirect_response=False)
        self.assertContains(client.get("/login/recover/"), "bob@example.org")
        self.assertRedirects(self.use(link, client=client), "/login/")
        self.assertFalse(self.is_logged_in(client))
        self.log_in(self.bob.pk, PASSWORD, client)
        self.assertFalse(self.is_logged_in(client))
        self.log_in(self.bob.pk, NEW, client)
        self.assertTrue(self.is_logged_in(client))

    def test_an_admin_can_do_so_too(self):
        self.use(self.link("ALICE@example.org "))
        self.assertTrue(Admin.objects.get(pk=self.alice.pk).check_password(NEW))

    def test_the_token_is_hashed_valid_for_an_hour_and_emptied(self):
        link = self.link()
        bob = Mailbox.objects.get(pk=self.bob.pk)
        self.assertTrue(bob.token)
        self.assertNotIn(link.rpartition(".")[2].strip("/"), bob.token)
        self.use(link)
        self.assertEqual(Mailbox.objects.get(pk=self.bob.pk).token, "")
        changes = str(list(Change.objects.values_list("values", flat=True)))
        self.assertNotIn(bob.token, changes)

    def test_the_rules_for_passwords_hold(self):
        link, client = self.link(), Client()
        self.assertContains(self.use(link, "short", client), "Use at least", status_code=422)
        client.get(link)
        data = {"password": NEW, "password2": "other"}
        answer = client.post("/login/recover/", data)
        self.assertContains(answer, "do not match", status_code=422)
        self.assertRedirects(self.use(link, client=client), "/login/")

    def test_all_sessions_end_and_the_account_is_informed(self):
        session = self.client_of(self.bob)
        self.use(self.link())
        self.assertFalse(self.is_logged_in(session))
        mails = OutgoingMail.objects.filter(kind="password_recovered")
        recipients = set(mails.values_list("recipient", flat=True))
        self.assertEqual(recipients, {self.bob.pk, BOBS})
        actions = [action for action, _domain, _data in self.logged()]
        self.assertEqual(actions, ["request_recovery", "edit_password", "recover_password"])

    def test_the_second_factor_is_still_asked_for(self):
        self.set_up_totp(self.client_of(self.bob))
        self.use(self.link())
        client = Client()
        self.assertRedirects(self.log_in(self.bob.pk, NEW, client), "/login/code/")
        self.assertFalse(self.is_logged_in(client))

    def test_an_admin_and_a_mailbox_of_one_name_get_a_link_each(self):
        stored = Mailbox.objects.get(pk=self.bob.pk).password
        row = {"local_part": "alice", "domain": self.bob.domain, "password": stored}
        self.perform(self.root, create_mailboxes, [row | {"email_other": "a@elsewhere.example"}])
        self.ask("alice@example.org")
        recipients = [recipient for recipient, _link in self.links()]
        self.assertEqual(recipients, ["alice@elsewhere.example", "a@elsewhere.example"])
        self.use(self.links()[1][1])
        self.assertTrue(Mailbox.objects.get(pk="alice@example.org").check_password(NEW))
        self.assertTrue(Admin.objects.get(pk=self.alice.pk).check_password(PASSWORD))

    def test_who_has_no_usable_address_elsewhere_gets_no_link(self):
        for other in (
            "",
            self.bob.pk,
            self.bob.pk.upper(),
            "no address",
            "a@b.example,c@d.example",
        ):
            Mailbox.objects.filter(pk=self.bob.pk).update(email_other=other)
            LoginFailure.objects.all().delete()
            self.assertRedirects(self.ask(), "/login/forgot/sent/")
            self.assertEqual((other, self.links()), (other, []))

    def test_links_for_admins_do_not_go_to_domains_of_the_panel(self):
        Admin.objects.filter(pk=self.root.pk).update(email_other="carol@example.com")
        self.ask(self.root.pk)
        self.assertEqual(self.links(), [])

    @override_settings(MAILADMIN_PASSWORD_RECOVERY="mailboxes")
    def test_it_can_be_left_to_mailbox_owners(self):
        self.ask("alice@example.org")
        self.ask()
        self.assertEqual([recipient for recipient, _link in self.links()], [BOBS])

    def test_it_can_be_switched_off(self):
        link = self.link()
        with override_settings(MAILADMIN_PASSWORD_RECOVERY="no"):
            self.assertNotContains(Client().get("/login/"), "/login/forgot/")
            self.assertContains(Client().get("/login/forgot/"), "Ask your administrator")
            self.assertEqual(self.ask().status_code, 403)
            self.use(link)
        self.assertTrue(Mailbox.objects.get(pk=self.bob.pk).check_password(PASSWORD))
        self.assertEqual(len(self.links()), 1)

    @override_settings(MAILADMIN_URL=None)
    def test_without_the_address_of_the_panel_the_page_says_what_is_missing(self):
        self.assertNotContains(Client().get("/login/"), "/login/forgot/")
        self.assertContains(Client().get("/login/forgot/"), "MAILADMIN_URL")
        self.assertEqual(self.ask().status_code, 403)
        self.assertFalse(RecoveryRequest.objects.exists())

    @override_settings(MAILADMIN_LOCAL_SIGN_IN="superadmins")
    def test_who_may_not_sign_in_by_password_gets_no_link(self):
        Admin.objects.filter(pk=self.root.pk).update(email_other="root@elsewhere.example")
        for person in self.people():
            self.ask(person.pk)
        self.assertEqual([recipient for recipient, _ in self.links()], ["root@elsewhere.example"])
