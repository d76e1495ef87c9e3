"""Passkeys: as the only step of the sign-in, and as second factor."""

import json

from django.test import Client, override_settings

from mailadmin.accounts.factors import passkeys
from mailadmin.accounts.factors.models import Passkey, UsedChallenge
from mailboxes.models import Mailbox
from tests.authenticator import Authenticator, read_challenge
from tests.mailadmin.factor_world import JSON, URL, FactorWorld

GARBAGE = ("", "{}", "[]", "null", "0", '"x"', "{", "\0", '{"id": 1}', "A" * 30_000, "é")


class PasskeyTests(FactorWorld):
    def test_everybody_adds_a_passkey_and_signs_in_with_it_alone(self):
        for person in self.people():
            with self.subTest(person=person.pk):
                authenticator = self.add_passkey(self.client_of(person))
                client, answer = self.sign_in_by_passkey(authenticator)
                self.assertRedirects(answer, "/", fetch_redirect_response=False)
                self.assertContains(client.get("/account/"), person.pk)

    def test_a_passkey_is_the_second_factor_of_a_password(self):
        authenticator = self.add_passkey(self.client_of(self.bob), verifies_user=False)
        client = Client()
        self.assertRedirects(self.log_in(self.bob.pk, client=client), "/login/code/")
        options = client.get("/login/code/").context["passkey_options"]
        client.post("/login/code/passkey/", {"credential": authenticator.get(options)})
        self.assertTrue(self.is_logged_in(client))

    def test_a_device_that_does_not_verify_its_user_is_no_only_step(self):
        authenticator = self.add_passkey(self.client_of(self.bob), verifies_user=False)
        client, answer = self.sign_in_by_passkey(authenticator)
        self.assertContains(answer, "The passkey was not accepted.", status_code=200)
        self.assertFalse(self.is_logged_in(client))

    def test_a_passkey_proves_who_somebody_is(self):
        client = self.client_of(self.bob)
        authenticator = self.add_passkey(client)
        self.pass_time(client)
        options = client.get("/account/confirm/").context["passkey_options"]
        data = {"credential": authenticator.get(options), "next": "/account/factors/totp/"}
        answer = client.post("/account/confirm/passkey/", data)
        self.assertRedirects(answer, "/account/factors/totp/")

    def test_a_proof_needs_a_verified_user(self):
        client = self.client_of(self.bob)
        authenticator = self.add_passkey(client, verifies_user=False)
        self.pass_time(client)
        options = client.get("/account/confirm/").context["passkey_options"]
        data = {"credential": authenticator.get(options)}
        self.assertEqual(client.post("/account/confirm/passkey/", data).status_code, 422)

    def test_several_passkeys_are_listed_with_their_last_use_and_removed(self):
        client = self.client_of(self.bob)
        self.add_passkey(client, "Laptop")
        phone = self.add_passkey(client, "Phone")
        self.sign_in_by_passkey(phone)
        page = client.get("/account/factors/")
        self.assertContains(page, "never used", count=1)
        self.assertContains(page, "last used", count=1)
        row = Passkey.objects.get(name="Phone")
        client.post(f"/account/factors/passkeys/{row.pk}/remove/")
        client, _answer = self.sign_in_by_passkey(phone)
        self.assertFalse(self.is_logged_in(client))

    def test_nobody_removes_the_passkey_of_another(self):
        self.add_passkey(self.client_of(self.carol))
        number = Passkey.objects.get().pk
        for person in self.people():
            answer = self.client_of(person).post(f"/account/factors/passkeys/{number}/remove/")
            self.assertEqual(answer.status_code, 404)
        self.assertTrue(Passkey.objects.exists())

    def test_the_name_is_escaped(self):
        client = self.client_of(self.bob)
        self.add_passkey(client, "<script>alert(1)</script>")
        self.assertNotContains(client.get("/account/factors/"), "<script>alert")

    def test_passkeys_need_the_address_of_the_panel(self):
        with override_settings(MAILADMIN_URL=""):
            client = self.client_of(self.bob)
            self.assertRedirects(client.get("/account/factors/passkeys/add/"), "/account/factors/")
            self.assertContains(client.get("/account/factors/"), "MAILADMIN_URL")
            self.assertEqual(Client().get("/login/passkey/").status_code, 404)
            self.assertEqual(
                Client().post("/login/passkey/", {"credential": "{}"}).status_code, 200
            )


class PasskeyAttackTests(FactorWorld):
    def setUp(self):
        super().setUp()
        self.authenticator = self.add_passkey(self.client_of(self.bob))

    def assert_refused(self, client, answer):
        self.assertNotEqual(answer.status_code, 302)
        self.assertFalse(self.is_logged_in(client))

    def test_the_answer_for_another_site_is_refused(self):
        for origin in ("https://evil.example", "http://mail.example.net", f"{URL}.evil.example"):
            self.assert_refused(*self.sign_in_by_passkey(self.authenticator, origin=origin))

    def test_an_answer_is_accepted_once(self):
        client = Client()
        options = client.get("/login/passkey/", headers=JSON).content
        data = {"credential": self.authenticator.get(options)}
        self.assertEqual(client.post("/login/passkey/", data).status_code, 302)
        other = Client()
        self.assert_refused(other, other.post("/login/passkey/", data))

    def test_a_challenge_is_answered_once(self):
        client = Client()
        options = client.get("/login/passkey/", headers=JSON).content
        for good in (True, False):
            data = {"credential": self.authenticator.get(options)}
            answer = Client().post("/login/passkey/", data)
            self.assertEqual(answer.status_code == 302, good)

    def test_a_challenge_that_the_panel_did_not_make_is_refused(self):
        for challenge in ("", "AAAA", "bWFkZS11cA"):
            options = json.dumps({"challenge": challenge, "rpId": "mail.example.net"})
            client = Client()
            data = {"credential": self.authenticator.get(options)}
            self.assert_refused(client, client.post("/login/passkey/", data))

    def test_a_challenge_of_another_purpose_is_refused(self):
        own = self.client_of(self.bob)
        own.post("/login/code/")
        page = own.get("/login/code/").context["passkey_options"]
        created = passkeys.build_creation_options(self.bob, [])
        for options in (page, json.dumps(json.loads(created) | {"rpId": "mail.example.net"})):
            client = Client()
            data = {"credential": self.authenticator.get(options)}
            self.assert_refused(client, client.post("/login/passkey/", data))

    def test_an_old_challenge_is_refused(self):
        client = Client()
        options = client.get("/login/passkey/", headers=JSON).content
        with self.settings():
            passkeys.CHALLENGE_SECONDS, kept = -1, passkeys.CHALLENGE_SECONDS
            try:
                data = {"credential": self.authenticator.get(options)}
                self.assert_refused(client, client.post("/login/passkey/", data))
            finally:
                passkeys.CHALLENGE_SECONDS = kept

    def test_the_passkey_of_another_is_no_second_factor(self):
        carols = self.add_passkey(self.client_of(self.carol))
        client = self.client_of(self.bob)
        options = client.get("/login/code/").context["passkey_options"]
        answer = client.post("/login/code/passkey/", {"credential": carols.get(options)})
        self.assert_refused(client, answer)

    def test_another_key_with_the_same_identifier_is_refused(self):
        forger = Authenticator()
        forger.credential_id = self.authenticator.credential_id
        self.assert_refused(*self.sign_in_by_passkey(forger))
        client = self.client_of(self.carol)
        page = client.get("/account/factors/passkeys/add/")
        data = {"name": "stolen", "credential": forger.create(page.context["options"])}
        self.assertEqual(client.post("/account/factors/passkeys/add/", data).status_code, 422)

    def test_a_copied_authenticator_is_noticed_by_its_counter(self):
        self.sign_in_by_passkey(self.authenticator)
        self.sign_in_by_passkey(self.authenticator)
        self.authenticator.sign_count = 0
        self.assert_refused(*self.sign_in_by_passkey(self.authenticator))

    def test_a_deactivated_person_cannot_sign_in(self):
        Mailbox.objects.filter(pk=self.bob.pk).update(active=False)
        self.assert_refused(*self.sign_in_by_passkey(self.authenticator))

    def test_a_later_person_of_the_same_name_has_no_passkey(self):
        Mailbox.objects.filter(pk=self.bob.pk).update(created="2099-01-01T00:00:00Z")
        self.assert_refused(*self.sign_in_by_passkey(self.authenticator))

    def test_garbage_is_refused_and_counted(self):
        for text in GARBAGE:
            client = Client(REMOTE_ADDR=f"198.51.100.{GARBAGE.index(text)}")
            self.assert_refused(client, client.post("/login/passkey/", {"credential": text}))
        client = Client()
        statuses = [
            client.post("/login/passkey/", {"credential": "{}"}).status_code for _n in range(12)
        ]
        self.assertEqual(statuses[-1], 429)

    def test_the_sign_in_leads_to_no_other_site(self):
        client = Client()
        options = client.get("/login/passkey/", headers=JSON).content
        data = {"credential": self.authenticator.get(options), "next": "https://evil.example/"}
        self.assertEqual(client.post("/login/passkey/", data)["Location"], "/")

    def test_the_address_of_a_failed_sign_in_shows_the_form_when_loaded_again(self):
        self.assertRedirects(Client().get("/login/passkey/"), "/login/")

    def test_the_options_do_not_tell_who_has_a_passkey(self):
        options = json.loads(Client().get("/login/passkey/", headers=JSON).content)
        self.assertEqual(options["allowCredentials"], [])
        self.assertNotEqual(
            read_challenge(Client().get("/login/passkey/", headers=JSON).content),
            read_challenge(Client().get("/login/passkey/", headers=JSON).content),
        )

    def test_used_challenges_are_purged(self):
        self.sign_in_by_passkey(self.authenticator)
        self.assertGreater(UsedChallenge.objects.count(), 0)
