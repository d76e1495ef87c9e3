"""A provider that is away, slow, moved or another one, and its keys."""

import time
from unittest import mock

from django.test import Client, override_settings

from mailadmin.accounts.models import LoginFailure
from mailadmin.accounts.oidc import documents, provider
from tests.mailadmin.single_sign_on import INVALID, PANEL, SingleSignOn
from tests.openid_provider import running_provider


class ProviderOutageTests(SingleSignOn):
    def assert_unavailable(self, answer):
        server = self.provider.issuer.removeprefix("http://")
        self.assertContains(answer, f"The sign-in server {server} cannot be used", status_code=503)

    def test_a_provider_that_is_away_is_named(self):
        with running_provider(PANEL) as gone:
            pass
        with override_settings(MAILADMIN_OIDC_ISSUER=gone.issuer):
            answer = self.client.get("/login/oidc/")
            self.assertContains(answer, gone.issuer.removeprefix("http://"), status_code=503)

    def test_a_provider_that_fails_is_named_and_not_asked_at_once(self):
        self.addCleanup(setattr, self.provider, "is_down", False)
        self.provider.is_down = True
        self.provider.requests.clear()
        for _number in range(3):
            self.assert_unavailable(self.client.get("/login/oidc/"))
        self.assertEqual(len(self.provider.requests), 1)
        self.provider.is_down = False
        with mock.patch.object(documents, "FAILURE_AGE", 0):
            self.assertEqual(self.client.get("/login/oidc/").status_code, 302)

    def test_a_provider_that_fails_halfway_is_named(self):
        self.addCleanup(setattr, self.provider, "is_down", False)
        self.provider.sign_in_as("bob@example.org")
        query = self.visit_provider(self.start())
        self.provider.is_down = True
        self.assert_unavailable(self.come_back(query))
        self.assert_signed_out()
        self.assertFalse(LoginFailure.objects.filter(failures__gt=0).exists())

    def test_a_provider_is_not_followed_elsewhere(self):
        self.addCleanup(setattr, self.provider, "moved_to", "")
        with running_provider(PANEL) as other:
            self.provider.moved_to = other.issuer
            self.assert_unavailable(self.client.get("/login/oidc/"))
            self.assertEqual(other.requests, [])

    def test_a_slow_provider_is_not_waited_for(self):
        self.addCleanup(setattr, self.provider, "delay", 0)
        self.provider.delay = 2
        begun = time.monotonic()
        with mock.patch.object(documents, "TIMEOUT", (0.5, 0.5)):
            self.assert_unavailable(self.client.get("/login/oidc/"))
        self.assertLess(time.monotonic() - begun, 1.9)

    def test_a_provider_that_sends_byte_by_byte_is_not_waited_for(self):
        self.addCleanup(setattr, self.provider, "trickle", 0)
        self.provider.trickle = 0.05
        begun = time.monotonic()
        with mock.patch.object(documents, "MAX_SECONDS", 0.5):
            self.assert_unavailable(self.client.get("/login/oidc/"))
        self.assertLess(time.monotonic() - begun, 5)

    def assert_document_refused(self, **changes):
        self.provider.changes = changes
        self.addCleanup(setattr, self.provider, "changes", {})
        documents.forget_documents()
        with self.subTest(changes=changes):
            self.assert_unavailable(self.client.get("/login/oidc/"))

    def test_a_provider_of_another_name_is_refused(self):
        for issuer in ("https://evil.example", None, 7, self.provider.issuer + "/x"):
            self.assert_document_refused(issuer=issuer)

    def test_endpoints_without_https_are_refused(self):
        for url in ("http://evil.example/", "ftp://127.0.0.1/", "", None, 7, "https://a b/"):
            for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
                self.assert_document_refused(**{name: url})
        self.assert_document_refused(userinfo_endpoint="http://evil.example/")
        self.assert_document_refused(end_session_endpoint="javascript:alert(1)")

    def test_keys_that_are_none_are_refused(self):
        self.sign_in_at_provider("bob@example.org")
        url = f"{self.provider.issuer}/jwks.json"
        for keys in ({}, {"keys": 7}, {"keys": [7, {}, {"kty": "RSA"}, {"kty": "oct", "k": "x"}]}):
            with self.subTest(keys=keys):
                documents._documents[url] = time.monotonic(), keys
                self.client = Client()
                answer = self.sign_in_at_provider("bob@example.org")
                self.assert_sign_in_refused(answer, INVALID, 400)

    def test_new_keys_of_the_provider_are_found_but_not_looked_for_all_the_time(self):
        self.sign_in_at_provider("bob@example.org")
        self.provider.change_keys()
        self.client = Client()
        answer = self.sign_in_at_provider("bob@example.org")
        self.assert_sign_in_refused(answer, INVALID, 400)
        with mock.patch.object(provider, "KEYS_MIN_AGE", 0):
            self.sign_in_at_provider("bob@example.org")
            self.assertEqual(self.get_person(), self.bob)
