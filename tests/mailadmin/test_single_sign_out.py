"""Signing out here and at the provider, and at the provider and here."""

import html
import re
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import requests
from django.contrib.sessions.models import Session
from django.test import Client, LiveServerTestCase, override_settings
from django.utils import timezone

from mailadmin.accounts.models import SignedInSession
from mailadmin.accounts.oidc.documents import forget_documents
from mailadmin.accounts.oidc.logout_tokens import LOGOUT_EVENT
from mailadmin.accounts.oidc.models import ProviderSession
from mailadmin.housekeeping import purge_expired
from tests.base import PASSWORD, build_world
from tests.mailadmin.single_sign_on import PANEL, SingleSignOn
from tests.openid_provider import running_provider

EVENT = {LOGOUT_EVENT: {}}


class SignOutHereTests(SingleSignOn):
    def get_next_page(self, answer):
        found = re.search('<meta http-equiv="refresh" content="0; url=([^"]*)">', answer.text)
        return html.unescape(found[1])

    def test_a_long_token_is_left_out_of_the_address(self):
        self.sign_in_at_provider("bob@example.org", groups=["a group"] * 900)
        self.assertGreater(len(self.client.session["oidc_id_token"]), 8000)
        sent = parse_qs(urlsplit(self.get_next_page(self.client.post("/logout/"))).query)
        self.assertEqual(set(sent), {"client_id", "post_logout_redirect_uri"})

    def test_signing_out_goes_on_to_the_provider_and_back(self):
        self.sign_in_at_provider("bob@example.org")
        answer = self.client.post("/logout/")
        url = self.get_next_page(answer)
        self.assertContains(answer, "Now you will be signed out of the sign-in server.")
        self.assertTrue(url.startswith(f"{self.provider.issuer}/session?"))
        sent = parse_qs(urlsplit(url).query)
        self.assertEqual(sent["post_logout_redirect_uri"], [f"{PANEL}/login/"])
        self.assert_signed_out()
        confirmed = self.browser.get(url, allow_redirects=False, timeout=10)
        ended = self.browser.get(confirmed.headers["Location"], allow_redirects=False, timeout=10)
        self.assertEqual(ended.headers["Location"], f"{PANEL}/login/")

    def test_a_provider_without_such_a_page_is_told_of(self):
        self.addCleanup(setattr, self.provider, "changes", {})
        self.provider.changes = {"end_session_endpoint": None}
        self.sign_in_at_provider("bob@example.org")
        answer = self.client.post("/logout/")
        self.assertContains(answer, "maybe not of the server where you signed in")
        self.assertNotContains(answer, "refresh")
        self.assert_signed_out()

    def test_a_provider_that_is_away_keeps_nobody_signed_in(self):
        self.sign_in_at_provider("bob@example.org")
        forget_documents()
        self.addCleanup(setattr, self.provider, "is_down", False)
        self.provider.is_down = True
        self.assertEqual(self.client.post("/logout/").status_code, 200)
        self.assert_signed_out()

    def test_a_session_of_a_password_ends_as_before(self):
        self.client.post("/login/", {"username": "bob@example.org", "password": PASSWORD})
        answer = self.client.post("/logout/")
        self.assertRedirects(answer, "/login/", fetch_redirect_response=False)


class BackChannelLogoutTests(SingleSignOn):
    def get_claims(self, client=None):
        """Return sid and sub of the session, from its ID token."""
        text = (client or self.client).session["oidc_id_token"]
        claims = self.provider.read(text)
        return {name: claims[name] for name in ("sid", "sub")}

    def post(self, text):
        return Client().post("/login/oidc/logout/", {"logout_token": text})

    def send(self, claims, **options):
        return self.post(self.provider.sign({"events": EVENT} | claims, **options))

    def sign_in_twice(self):
        """Return two browsers of bob and one of alice, and the claims of the first."""
        clients = [Client(), Client(), Client()]
        for client in clients[:2]:
            self.sign_in_at_provider("bob@example.org", client)
        self.sign_in_at_provider("alice@example.org", clients[2])
        return clients, self.get_claims(clients[0])

    def signed_in(self, clients):
        return [self.get_person(client) is not None for client in clients]

    def test_the_session_that_is_named_ends_alone(self):
        clients, claims = self.sign_in_twice()
        answer = self.send(claims)
        self.assertEqual(answer.status_code, 200)
        self.assertIn("no-store", answer["Cache-Control"])
        self.assertEqual(self.signed_in(clients), [False, True, True])
        self.assertEqual(SignedInSession.objects.count(), 2)
        self.assertEqual(ProviderSession.objects.count(), 2)

    def test_all_sessions_of_the_person_who_is_named_end(self):
        clients, claims = self.sign_in_twice()
        self.assertEqual(self.send({"sub": claims["sub"]}).status_code, 200)
        self.assertEqual(self.signed_in(clients), [False, False, True])

    def test_sessions_whose_token_had_no_sid_end_with_any_of_the_person(self):
        clients, claims = self.sign_in_twice()
        ProviderSession.objects.update(sid_hash="")
        self.send(claims)
        self.assertEqual(self.signed_in(clients), [False, False, True])

    def test_a_session_with_a_new_key_ends_too(self):
        """A changed password gives the session another key."""
        self.sign_in_at_provider("bob@example.org")
        claims = self.get_claims()
        new = {
            "old_password": PASSWORD,
            "password": "other-horse-42",
            "password2": "other-horse-42",
        }
        self.assertEqual(self.client.post("/account/password/", new).status_code, 302)
        self.assertEqual(self.get_person(), self.bob)
        self.send(claims)
        self.assert_signed_out()

    def test_sessions_of_passwords_stay(self):
        client = Client()
        client.post("/login/", {"username": "bob@example.org", "password": PASSWORD})
        self.sign_in_at_provider("bob@example.org")
        self.send({"sub": self.get_claims()["sub"]})
        self.assertEqual(self.signed_in([client, self.client]), [True, False])

    def test_a_token_that_is_sent_again_does_not_end_a_later_session(self):
        self.sign_in_at_provider("bob@example.org")
        text = self.provider.sign({"events": EVENT, "sub": self.get_claims()["sub"]})
        self.assertEqual(self.post(text).status_code, 200)
        self.sign_in_at_provider("bob@example.org")
        ProviderSession.objects.update(since=timezone.now() + timedelta(seconds=90))
        self.assertEqual(self.post(text).status_code, 200)
        self.assertEqual(self.get_person(), self.bob)

    def test_other_tokens_are_refused(self):
        self.sign_in_at_provider("bob@example.org")
        claims = self.get_claims()
        id_token = self.client.session["oidc_id_token"]
        unsigned = "eyJhbGciOiJub25lIn0." + id_token.split(".")[1] + "."
        for answer in (
            self.post(id_token),
            self.post(unsigned),
            self.post(""),
            Client().post("/login/oidc/logout/"),
            self.send(claims, audience="another"),
            self.send(claims, iss="https://evil.example"),
            self.send(claims, lifetime=-120),
            self.send(claims | {"nonce": "x"}),
            self.send(claims | {"events": {}}),
            self.send(claims | {"events": {"another": {}}}),
            self.send(claims | {"events": [LOGOUT_EVENT]}),
            self.send(claims | {"sid": 7}),
            self.send({}),
        ):
            self.assertEqual(answer.status_code, 400)
            self.assertEqual(answer.json(), {"error": "invalid_request"})
        self.assertEqual(self.get_person(), self.bob)

    def test_a_provider_that_is_away_is_asked_for_its_keys_later(self):
        self.sign_in_at_provider("bob@example.org")
        claims = self.get_claims()
        forget_documents()
        self.addCleanup(setattr, self.provider, "is_down", False)
        self.provider.is_down = True
        self.assertEqual(self.send(claims).status_code, 503)
        self.assertEqual(self.get_person(), self.bob)

    def test_only_post_is_answered(self):
        self.assertEqual(self.client.get("/login/oidc/logout/").status_code, 405)

    def test_records_of_sessions_are_deleted_when_all_have_ended(self):
        self.sign_in_at_provider("bob@example.org")
        purge_expired()
        self.assertEqual(ProviderSession.objects.count(), 1)
        ProviderSession.objects.update(since=timezone.now() - timedelta(days=2))
        purge_expired()
        self.assertEqual(ProviderSession.objects.count(), 0)


class WholeWayTests(LiveServerTestCase):
    """Panel, provider and browser speak HTTP; the provider calls the panel itself."""

    def test_who_signs_out_at_the_provider_is_signed_out_here(self):
        build_world()
        with running_provider(self.live_server_url) as provider:
            settings = SingleSignOn.get_settings(provider) | {
                "MAILADMIN_URL": self.live_server_url,
                "ALLOWED_HOSTS": ["localhost"],
            }
            with override_settings(**settings):
                forget_documents()
                self.sign_in_and_out(provider)

    def sign_in_and_out(self, provider):
        provider.use_back_channel(self.live_server_url)
        provider.sign_in_as("bob@example.org")
        browser = requests.Session()
        page = browser.get(f"{self.live_server_url}/login/oidc/?next=/account/", timeout=30)
        self.assertEqual((page.status_code, page.url), (200, f"{self.live_server_url}/account/"))
        self.assertIn("bob@example.org", page.text)
        id_token = Session.objects.get().get_decoded()["oidc_id_token"]
        provider.log_out(provider.read(id_token)["sid"])
        page = browser.get(f"{self.live_server_url}/account/", timeout=30)
        self.assertTrue(page.url.startswith(f"{self.live_server_url}/login/"))
