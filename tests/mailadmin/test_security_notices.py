"""Mails about what happened to an account: factors, recovery codes, sign-ins from new places."""

from django.test import Client, override_settings

from mailadmin.accounts.factors.housekeeping import purge_ownerless_factors
from mailadmin.accounts.factors.models import Passkey, RecoveryCode
from mailadmin.accounts.factors.services import reset_factors
from mailadmin.mails.models import OutgoingMail
from mailboxes.models import Mailbox
from tests.mailadmin.factor_world import FactorWorld


class NoticeTests(FactorWorld):
    def notices(self, person):
        rows = OutgoingMail.objects.filter(recipient=person.pk).order_by("pk")
        return list(rows.values_list("kind", flat=True))

    def test_a_new_and_a_removed_factor_are_reported(self):
        client = self.client_of(self.bob)
        self.set_up_totp(client)
        self.add_passkey(client)
        client.post("/account/factors/totp/remove/")
        kinds = ["factor_added", "factor_added", "factor_removed"]
        self.assertEqual(self.notices(self.bob), kinds)

    def test_a_used_recovery_code_and_a_reset_are_reported(self):
        _secret, codes = self.set_up_totp(self.client_of(self.bob))
        client = self.client_of(self.bob)
        client.post("/login/code/", {"code": codes[0]})
        self.perform(self.alice, reset_factors, Mailbox, [self.bob.pk])
        self.assertEqual(
            self.notices(self.bob), ["factor_added", "recovery_code_used", "factors_reset"]
        )

    def test_a_refused_code_is_not_reported(self):
        self.set_up_totp(self.client_of(self.bob))
        OutgoingMail.objects.all().delete()
        client = self.client_of(self.bob)
        client.post("/login/code/", {"code": "aaaa-bbbb-cccc-dddd"})
        self.assertEqual(self.notices(self.bob), [])

    def test_the_other_address_of_the_person_gets_them_too(self):
        Mailbox.objects.filter(pk=self.bob.pk).update(email_other="bob@elsewhere.example")
        self.set_up_totp(self.client_of(self.bob))
        recipients = set(OutgoingMail.objects.values_list("recipient", flat=True))
        self.assertEqual(recipients, {"bob@example.org", "bob@elsewhere.example"})


class PurgeTests(FactorWorld):
    def test_the_factors_of_deleted_people_are_deleted(self):
        for person in self.people():
            client = self.client_of(person)
            self.add_passkey(client)
        Mailbox.objects.filter(pk=self.bob.pk).delete()
        type(self.alice).objects.filter(pk=self.alice.pk).update(created="2099-01-01T00:00:00Z")
        purge_ownerless_factors()
        for factors in (Passkey, RecoveryCode):
            owners = set(factors.objects.values_list("owner_key", flat=True))
            self.assertEqual(owners, {self.root.pk})


class SignInNoticeTests(FactorWorld):
    def sign_in_from(self, address, client=None):
        client = client or Client()
        self.log_in(self.bob.pk, client=client, REMOTE_ADDR=address)
        return client

    def count(self):
        return OutgoingMail.objects.filter(kind="new_sign_in").count()

    def test_a_sign_in_from_a_new_network_and_browser_is_reported_once(self):
        home = self.sign_in_from("192.0.2.7")
        self.assertEqual(self.count(), 0, "the first sign-in")
        self.sign_in_from("192.0.2.7")
        self.assertEqual(self.count(), 0, "a new browser in a known network")
        home.post("/logout/")
        self.sign_in_from("198.51.100.9", home)
        self.assertEqual(self.count(), 0, "a known browser in a new network")
        for _time in range(2):
            self.sign_in_from("203.0.113.5")
            self.assertEqual(self.count(), 1)

    @override_settings(MAILADMIN_SIGN_IN_NOTICES=False)
    def test_the_mail_can_be_switched_off(self):
        self.sign_in_from("192.0.2.7")
        self.sign_in_from("203.0.113.5")
        self.assertEqual(self.count(), 0)

    def test_a_wrong_password_is_not_reported(self):
        self.sign_in_from("192.0.2.7")
        self.log_in(self.bob.pk, "wrong", client=Client(), REMOTE_ADDR="203.0.113.5")
        self.assertEqual(self.count(), 0)
