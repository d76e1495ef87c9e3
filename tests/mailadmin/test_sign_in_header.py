"""Signing in by a header of a trusted proxy, and nobody else's."""

import ipaddress

from django.test import Client, override_settings

from domains.services.admins import create_admins, set_admins
from mailadmin.accounts.models import LoginFailure, SignedInSession
from mailboxes.services.mailboxes import set_mailboxes
from tests.base import PASSWORD, World

PROXY, STRANGER = "10.0.0.1", "192.0.2.7"
SETTINGS = {
    "MAILADMIN_SIGN_IN_HEADER": "X-Remote-User",
    "MAILADMIN_TRUSTED_PROXIES": (ipaddress.ip_network("10.0.0.0/8"),),
}


@override_settings(**SETTINGS)
class SignInHeaderTests(World):
    def get(self, path, name=None, sender=PROXY, client=None, **environ):
        headers = {"X-Forwarded-For": "198.51.100.9"} | ({"X-Remote-User": name} if name else {})
        return (client or self.client).get(path, headers=headers, REMOTE_ADDR=sender, **environ)

    def sign_in_by(self, name, client=None, **options):
        return self.get("/login/", name, client=client, **options)

    def get_person(self, name=None, **options):
        answer = self.get("/account/", name, **options)
        return answer.context["user"] if answer.status_code == 200 else None

    def test_a_person_whom_the_proxy_names_is_signed_in(self):
        for person in (self.alice, self.bob):
            with self.subTest(person=person.pk):
                client = Client()
                answer = self.get("/account/", person.pk, client=client)
                self.assertRedirects(
                    answer, "/login/?next=/account/", fetch_redirect_response=False
                )
                answer = self.get("/login/?next=/account/", person.pk, client=client)
                self.assertRedirects(answer, "/account/", fetch_redirect_response=False)
                self.assertEqual(self.get_person(person.pk, client=client), person)

    def test_the_session_is_listed_with_the_address_of_the_client(self):
        self.sign_in_by("bob@example.org")
        self.assertEqual(SignedInSession.objects.get().address, "198.51.100.9")

    def test_without_the_setting_the_header_means_nothing(self):
        with override_settings(MAILADMIN_SIGN_IN_HEADER=""):
            self.assertEqual(self.sign_in_by("bob@example.org").status_code, 200)
            self.assertIsNone(self.get_person("bob@example.org"))

    def test_a_header_of_anybody_else_means_nothing(self):
        for sender in (STRANGER, "127.0.0.1", "::1", "11.0.0.1", "::ffff:192.0.2.7"):
            with self.subTest(sender=sender):
                answer = self.sign_in_by("bob@example.org", sender=sender)
                self.assertEqual(answer.status_code, 200)
                self.assertNotIn("HTTP_X_REMOTE_USER", answer.wsgi_request.META)
                self.assertIsNone(self.get_person("bob@example.org", sender=sender))

    def test_a_stranger_is_no_proxy_by_naming_one(self):
        headers = {"X-Remote-User": "bob@example.org", "X-Forwarded-For": f"{PROXY}, {PROXY}"}
        answer = self.client.get("/login/", headers=headers, REMOTE_ADDR=STRANGER)
        self.assertEqual(answer.status_code, 200)

    def test_other_headers_sign_nobody_in(self):
        for key in ("HTTP_REMOTE_USER", "REMOTE_USER", "HTTP_X_REMOTE_USER_", "HTTP_X_USER"):
            with self.subTest(key=key):
                answer = self.get("/login/", **{key: "bob@example.org"})
                self.assertEqual(answer.status_code, 200)

    def test_the_variable_of_a_web_server_is_not_its_header(self):
        with override_settings(MAILADMIN_SIGN_IN_HEADER="REMOTE_USER"):
            answer = self.get("/login/", HTTP_REMOTE_USER="bob@example.org")
            self.assertEqual(answer.status_code, 200)
            answer = self.get("/login/", sender=STRANGER, REMOTE_USER="bob@example.org")
            self.assertEqual(answer.status_code, 200)
            answer = self.get("/login/", REMOTE_USER="bob@example.org")
            self.assertEqual(answer.status_code, 302)

    def test_a_session_ends_when_the_header_names_another_or_nobody(self):
        for later in ("alice@example.org", None, "BOB@example.org", "bob@example.org, x"):
            with self.subTest(later=later):
                client = Client()
                self.sign_in_by("bob@example.org", client=client)
                self.assertEqual(self.get_person("bob@example.org", client=client), self.bob)
                self.assertIsNone(self.get_person(later, client=client))
                self.assertIsNone(self.get_person("bob@example.org", client=client))

    def test_a_session_ends_without_the_proxy(self):
        self.sign_in_by("bob@example.org")
        self.assertIsNone(self.get_person("bob@example.org", sender=STRANGER))

    def test_a_form_that_is_sent_as_another_changes_nothing(self):
        self.sign_in_by("bob@example.org")
        data = {"old_password": PASSWORD, "password": "x" * 20, "password2": "x" * 20}
        headers = {"X-Remote-User": "alice@example.org"}
        answer = self.client.post("/account/password/", data, headers=headers, REMOTE_ADDR=PROXY)
        self.assertRedirects(answer, "/login/", fetch_redirect_response=False)
        self.bob.refresh_from_db()
        self.assertTrue(self.bob.check_password(PASSWORD))

    def test_an_unknown_name_is_refused_counted_and_logged(self):
        for name in (
            *(
                "dave@example.org",
                "ALL",
                "bob",
                "%@example.org",
                "bob@example.org,alice@example.org",
            ),
            *("bob@example.org\x00", "b\xc3\xb6b@example.org", " ", "x" * 5000),
        ):
            with self.subTest(name=name), self.assertLogs("mailadmin.auth", "WARNING") as logged:
                answer = self.sign_in_by(name)
                text = "There is no active account with this address."
                self.assertContains(answer, text, status_code=403)
                self.assertContains(answer, 'name="password"', status_code=403)
                self.assertIn("reason=unknown", logged.output[0])
        self.assertEqual(LoginFailure.objects.get(failures__gt=0).failures, 9)

    def test_a_network_with_too_many_failures_waits(self):
        self.sign_in_by("dave@example.org")
        LoginFailure.objects.update(failures=100)
        self.assertEqual(self.sign_in_by("bob@example.org").status_code, 429)

    def test_an_inactive_person_stays_out(self):
        self.sign_in_by("bob@example.org")
        self.perform(self.root, set_mailboxes, ["bob@example.org"], "active", False)
        self.assertIsNone(self.get_person("bob@example.org"))
        self.assertEqual(self.sign_in_by("bob@example.org").status_code, 403)

    def test_superadmins_need_a_setting(self):
        answer = self.sign_in_by("root@example.net")
        self.assertContains(answer, "Superadmins sign in with their password.", status_code=403)
        self.assertFalse(LoginFailure.objects.filter(failures__gt=0).exists())
        with override_settings(MAILADMIN_SIGN_IN_HEADER_SUPERADMINS=True):
            self.sign_in_by("root@example.net")
            self.assertEqual(self.get_person("root@example.net"), self.root)

    def test_who_becomes_a_superadmin_is_signed_out(self):
        self.sign_in_by("alice@example.org")
        self.perform(self.root, set_admins, ["alice@example.org"], "superadmin", True)
        self.assertIsNone(self.get_person("alice@example.org"))

    def test_a_superadmin_who_is_not_signed_in_uses_their_password(self):
        data = {"username": "root@example.net", "password": PASSWORD}
        headers = {"X-Remote-User": "root@example.net"}
        self.client.post("/login/", data, headers=headers, REMOTE_ADDR=PROXY)
        self.assertEqual(self.get_person("root@example.net"), self.root)

    def test_an_admin_comes_before_the_mailbox_of_the_same_address(self):
        admin = {"username": "bob@example.org", "password": "x", "domains": ["example.org"]}
        self.perform(self.root, create_admins, [admin])
        self.sign_in_by("bob@example.org")
        self.assertEqual(self.get_person("bob@example.org")._meta.label, "domains.Admin")

    def test_who_signs_out_is_not_signed_in_at_once(self):
        self.sign_in_by("bob@example.org")
        headers = {"X-Remote-User": "bob@example.org"}
        answer = self.client.post("/logout/", headers=headers, REMOTE_ADDR=PROXY)
        self.assertContains(answer, "maybe not of the server where you signed in")
        self.assertIsNone(self.get_person("bob@example.org"))

    def test_the_next_page_is_one_of_the_panel(self):
        answer = self.get("/login/?next=https://evil.example/", "bob@example.org")
        self.assertRedirects(answer, "/", fetch_redirect_response=False)
