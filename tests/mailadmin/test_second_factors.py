"""Authenticator apps and recovery codes: set up, asked for, removed; proof before it."""

from django.core.exceptions import ValidationError
from django.test import Client

from mailadmin.accounts.factors.models import RecoveryCode
from mailadmin.accounts.factors.services import enable_totp, use_recovery_code
from mailadmin.changes.models import Change, Log
from mailboxes.models import Mailbox
from tests.base import PASSWORD
from tests.mailadmin.factor_world import FactorWorld
from tests.mailadmin.login_world import SECRET


class TotpTests(FactorWorld):
    def test_everybody_sets_up_an_app_and_signs_in_with_it(self):
        for person in self.people():
            with self.subTest(person=person.pk):
                secret, codes = self.set_up_totp(self.client_of(person))
                self.assertEqual(type(person).objects.get(pk=person.pk).totp_secret, secret)
                self.assertEqual(len(set(codes)), 10)
                client = Client()
                self.assertRedirects(self.log_in(person.pk, client=client), "/login/code/")
                self.assertFalse(self.is_logged_in(client))
                client.post("/login/code/", {"code": self.code_of(secret, 1)})
                self.assertTrue(self.is_logged_in(client))

    def test_the_page_shows_the_secret_as_qr_code_and_in_groups_of_four(self):
        client = self.client_of(self.bob)
        page = client.get("/account/factors/totp/")
        secret = client.session["mailadmin_totp"]
        groups = [secret[at : at + 4] for at in range(0, 32, 4)]
        self.assertContains(page, " ".join(groups))
        self.assertContains(page, "<svg ")
        uri = f"otpauth://totp/mail.example.net:bob@example.org?secret={secret}"
        self.assertIn(uri, page.context["uri"])
        self.assertEqual(client.get("/account/factors/totp/").context["secret"], " ".join(groups))

    def test_a_wrong_first_code_changes_nothing(self):
        client = self.client_of(self.bob)
        client.get("/account/factors/totp/")
        for code in ("", "000000", "garbage", "１２３４５６", "9" * 31):
            answer = client.post("/account/factors/totp/", {"code": code})
            self.assertEqual(answer.status_code, 422, code)
        self.assertIsNone(Mailbox.objects.get(pk=self.bob.pk).totp_secret)
        self.assertEqual(RecoveryCode.objects.count(), 0)

    def test_the_code_of_the_set_up_does_not_sign_in(self):
        secret, _codes = self.set_up_totp(self.client_of(self.bob))
        client = Client()
        self.log_in(self.bob.pk, client=client)
        client.post("/login/code/", {"code": self.code_of(secret)})
        self.assertFalse(self.is_logged_in(client))

    def test_the_first_factor_ends_sessions_that_had_none(self):
        thief, client = self.client_of(self.bob), self.client_of(self.bob)
        self.set_up_totp(client)
        self.assertTrue(self.is_logged_in(client))
        self.assertFalse(self.is_logged_in(thief))

    def test_an_app_is_removed_once(self):
        client = self.client_of(self.bob)
        self.set_up_totp(client)
        for _click in range(2):
            client.post("/account/factors/totp/remove/")
        actions = [action for action, _domain, _data in self.logged()]
        self.assertEqual(actions.count("disable_totp"), 1)

    def test_an_app_is_removed_and_null_is_stored(self):
        client = self.client_of(self.bob)
        self.set_up_totp(client)
        client.post("/account/factors/totp/remove/")
        self.assertIsNone(Mailbox.objects.get(pk=self.bob.pk).totp_secret)
        self.assertEqual(RecoveryCode.objects.count(), 0)
        self.assertTrue(self.is_logged_in(self.client_of(self.bob)))

    def test_the_log_names_what_happened_and_no_record_has_the_secret(self):
        client = self.client_of(self.bob)
        secret, codes = self.set_up_totp(client)
        client.post("/account/factors/totp/remove/")
        self.assertEqual(
            self.logged(),
            [
                ("enable_totp", "example.org", "bob@example.org"),
                ("create_recovery_codes", "example.org", "bob@example.org"),
                ("disable_totp", "example.org", "bob@example.org"),
            ],
        )
        stored = str(list(Change.objects.values())) + str(list(Log.objects.values()))
        for text in (secret, *codes):
            self.assertNotIn(text, stored)

    def test_nobody_sets_a_factor_of_another(self):
        for person, other in ((self.alice, self.carol), (self.bob, self.carol)):
            with self.assertRaises(ValidationError):
                self.perform(person, enable_totp, Mailbox, other.pk, SECRET)


class RecoveryCodeTests(FactorWorld):
    def setUp(self):
        super().setUp()
        self.secret, self.codes = self.set_up_totp(self.client_of(self.bob))

    def try_code(self, code):
        client = Client()
        self.log_in(self.bob.pk, client=client)
        client.post("/login/code/", {"code": code})
        return client

    def test_a_recovery_code_signs_in_once(self):
        self.assertTrue(self.is_logged_in(self.try_code(self.codes[0])))
        self.assertFalse(self.is_logged_in(self.try_code(self.codes[0])))
        self.assertTrue(self.is_logged_in(self.try_code(self.codes[1].upper().replace("-", " "))))
        client = self.client_of(self.bob)
        client.post("/login/code/", {"code": self.code_of(self.secret, 1)})
        self.assertContains(client.get("/account/factors/"), "8 of 10 codes are left.")

    def test_only_hashes_are_stored(self):
        stored = str(list(RecoveryCode.objects.values()))
        for code in self.codes:
            self.assertNotIn(code.replace("-", ""), stored.replace("-", ""))

    def test_the_codes_of_another_are_refused(self):
        _secret, codes = self.set_up_totp(self.client_of(self.carol))
        self.assertFalse(self.is_logged_in(self.try_code(codes[0])))
        with self.assertRaises(ValidationError):
            self.perform(self.bob, use_recovery_code, Mailbox, self.bob.pk, codes[0])

    def test_new_codes_end_the_old_ones(self):
        client = self.try_code(self.code_of(self.secret, 1))
        codes = client.post("/account/factors/codes/").context["codes"]
        self.assertFalse(self.is_logged_in(self.try_code(self.codes[0])))
        self.assertTrue(self.is_logged_in(self.try_code(codes[0])))

    def test_codes_are_created_for_people_with_a_factor_only(self):
        client = self.client_of(self.carol)
        answer = client.post("/account/factors/codes/", follow=True)
        self.assertContains(answer, "Set up a second factor first.")
        _secret, codes = self.set_up_totp(client)
        self.assertEqual(len(codes), 10)

    def test_no_page_shows_the_codes_again(self):
        client = self.try_code(self.code_of(self.secret, 1))
        for url in ("/account/factors/", "/account/"):
            self.assertNotContains(client.get(url), self.codes[0])
        self.assertRedirects(client.get("/account/factors/codes/"), "/account/factors/")

    def test_a_recovery_code_opens_no_dangerous_step(self):
        client = self.try_code(self.codes[0])
        answer = client.get("/account/factors/totp/")
        self.assertRedirects(answer, "/account/confirm/?next=%2Faccount%2Ffactors%2Ftotp%2F")
        for code in (self.codes[1], self.code_of(self.secret, 1)):
            self.assertEqual(self.confirm(client, code).status_code, 422)
        self.assertEqual(client.get("/account/factors/totp/").status_code, 302)
        self.confirm(client)
        self.assertEqual(client.get("/account/factors/totp/").status_code, 200)

    def test_a_later_person_of_the_same_name_does_not_inherit_the_codes(self):
        Mailbox.objects.filter(pk=self.bob.pk).update(created="2099-01-01T00:00:00Z")
        self.assertFalse(self.is_logged_in(self.try_code(self.codes[0])))


class ProofTests(FactorWorld):
    STEPS = (
        ("get", "/account/factors/totp/"),
        ("post", "/account/factors/totp/"),
        ("get", "/account/factors/passkeys/add/"),
        ("post", "/account/factors/passkeys/add/"),
        ("post", "/account/factors/totp/remove/"),
        ("post", "/account/factors/passkeys/1/remove/"),
        ("post", "/account/factors/codes/"),
    )

    def test_every_step_asks_again_after_ten_minutes(self):
        for person in self.people():
            client = self.client_of(person)
            self.pass_time(client)
            for method, url in self.STEPS:
                with self.subTest(person=person.pk, url=url, method=method):
                    answer = getattr(client, method)(url)
                    self.assertTrue(answer["Location"].startswith("/account/confirm/"))

    def test_the_own_password_opens_the_step_again(self):
        client = self.client_of(self.bob)
        self.pass_time(client)
        target = "/account/factors/totp/"
        self.assertRedirects(self.confirm(client, target=target), target)

    def test_another_password_does_not(self):
        client = self.client_of(self.bob)
        self.pass_time(client)
        for password in ("", "wrong", PASSWORD + " "):
            self.assertEqual(self.confirm(client, password).status_code, 422)
        self.assertEqual(client.get("/account/factors/totp/").status_code, 302)

    def test_guesses_are_counted(self):
        client = self.client_of(self.bob)
        statuses = [self.confirm(client, f"wrong{n}").status_code for n in range(12)]
        self.assertEqual(statuses[-1], 429)

    def test_the_page_leads_to_no_other_site(self):
        client = self.client_of(self.bob)
        for target in ("https://evil.example/", "//evil.example/", "javascript:alert(1)"):
            self.assertRedirects(self.confirm(client, target=target), "/account/")
