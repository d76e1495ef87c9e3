"""Attacks on the sign-in at a provider: each ends at a page that says no, never in a session."""

import base64
import hashlib
import hmac
import json
import time
from unittest import mock
from urllib.parse import parse_qs, urlsplit

from django.test import Client, override_settings
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase as HypothesisTestCase
from joserfc import jwt
from joserfc.jwk import RSAKey

from mailadmin.accounts.models import LoginFailure
from mailadmin.accounts.oidc import pending
from mailadmin.accounts.oidc.documents import ProviderClient
from mailboxes.models import Mailbox
from tests.mailadmin.single_sign_on import CALLBACK, INVALID, PANEL, SingleSignOn
from tests.openid_provider import CLIENT_ID

EXPIRED = "This sign-in has expired"


def encode(value):
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


class ResponseAttackTests(SingleSignOn):
    """What the browser returns was changed."""

    def get_response(self, address="bob@example.org", client=None):
        self.provider.sign_in_as(address)
        return self.visit_provider(self.start(client))

    def test_another_state_is_refused(self):
        query = self.get_response()
        for state in ("", "x", query["state"][:-1], query["state"] + "x", "ä" * 43, "\x00"):
            with self.subTest(state=state):
                good = self.get_response()
                answer = self.come_back(good | {"state": state})
                self.assert_sign_in_refused(answer, EXPIRED, 400)

    def test_a_response_for_another_browser_is_refused(self):
        """Nobody is signed in as the attacker, by a link that the attacker has made."""
        query = self.get_response(client=Client())
        self.assert_sign_in_refused(self.come_back(query), EXPIRED, 400)
        self.start()
        self.assert_sign_in_refused(self.come_back(query), EXPIRED, 400)

    def test_a_state_is_used_once(self):
        query = self.get_response()
        self.assertEqual(self.come_back(query | {"code": "wrong"}).status_code, 400)
        self.assert_sign_in_refused(self.come_back(query), EXPIRED, 400)

    def test_a_state_expires_after_ten_minutes(self):
        query = self.get_response()
        late = mock.Mock(time=lambda: time.time() + 601)
        with mock.patch.object(pending, "time", late):
            self.assert_sign_in_refused(self.come_back(query), EXPIRED, 400)

    def test_a_code_is_used_once(self):
        client = Client()
        used = self.get_response(client=client)
        self.come_back(used, client)
        self.assertEqual(self.get_person(client), self.bob)
        stolen = self.get_response() | {"code": used["code"]}
        self.assert_sign_in_refused(self.come_back(stolen), INVALID, 400)

    def test_a_code_of_another_browser_lacks_its_verifier(self):
        """A code that somebody has seen is worth nothing without PKCE's secret, and the nonce."""
        stolen = self.get_response("carol@example.com", Client())["code"]
        query = self.get_response() | {"code": stolen}
        self.assert_sign_in_refused(self.come_back(query), INVALID, 400)

    def test_a_response_of_another_issuer_is_refused(self):
        query = self.get_response() | {"iss": "https://evil.example"}
        self.assert_sign_in_refused(self.come_back(query), INVALID, 400)

    def test_a_response_without_a_code_is_refused(self):
        query = self.get_response()
        del query["code"]
        self.assert_sign_in_refused(self.come_back(query), INVALID, 400)

    def test_errors_of_the_provider_are_told_without_its_words(self):
        for error, text in (
            ("access_denied", "The sign-in was cancelled or denied."),
            ("server_error", "The sign-in server reports an error: server_error"),
            ("<script>alert(1)</script>", "The sign-in server reports an error: ?"),
        ):
            with self.subTest(error=error):
                query = {"state": self.get_response()["state"], "error": error}
                answer = self.come_back(query | {"error_description": "Call Mallory"})
                status = 403 if error == "access_denied" else 400
                self.assert_sign_in_refused(answer, text, status)
                self.assertNotContains(answer, "Mallory", status_code=status)

    def test_pages_elsewhere_can_have_no_network_throttled_or_banned(self):
        with self.assertNoLogs("mailadmin.auth", "WARNING"):
            for _number in range(3):
                self.client.get(CALLBACK + "?state=x&code=y")
        self.assertFalse(LoginFailure.objects.exists())

    def test_the_next_page_is_one_of_the_panel(self):
        for target in (
            "https://evil.example/",
            "//evil.example",
            "/\\evil.example",
            "javascript:1",
        ):
            with self.subTest(target=target):
                client = Client()
                answer = self.sign_in_at_provider("bob@example.org", client, target=target)
                self.assertRedirects(answer, "/", fetch_redirect_response=False)

    def test_the_redirect_uri_does_not_follow_the_host_of_the_request(self):
        with override_settings(ALLOWED_HOSTS=["*"]):
            headers = {"Host": "evil.example", "X-Forwarded-Host": "evil.example"}
            answer = self.client.get("/login/oidc/", headers=headers)
        sent = parse_qs(urlsplit(answer["Location"]).query)
        self.assertEqual(sent["redirect_uri"], [PANEL + CALLBACK])

    def test_only_get_starts_or_ends_a_sign_in(self):
        for method in ("post", "head", "put", "delete", "options"):
            for path in ("/login/oidc/", CALLBACK):
                self.assertEqual(getattr(self.client, method)(path).status_code, 405)


class TokenAttackTests(SingleSignOn):
    """The provider's response has another token, as if somebody had changed it on the way."""

    def come_back_with(self, change):
        """Come back from the provider; `change` makes the ID token from the claims it has."""
        self.provider.sign_in_as("bob@example.org")
        query = self.visit_provider(self.start())
        real = ProviderClient.fetch_token

        def fetch_token(client, *arguments, **options):
            token = real(client, *arguments, **options)
            head, payload, signature = token["id_token"].split(".")
            claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
            token["id_token"] = change(claims, f"{head}.{payload}", signature)
            return token

        with mock.patch.object(ProviderClient, "fetch_token", fetch_token):
            return self.come_back(query)

    def sign(self, claims, **changes):
        """Sign claims by the provider's own key."""
        rest = {name: claims[name] for name in ("sub", "nonce", "email", "email_verified")}
        options = {
            name: changes.pop(name) for name in ("iss", "lifetime", "audience") if name in changes
        }
        return self.provider.sign(rest | changes, **options)

    def assert_token_refused(self, change):
        self.assert_sign_in_refused(self.come_back_with(change), INVALID, 400)

    def test_the_same_claims_signed_anew_are_accepted(self):
        """Or the tests below would prove nothing."""
        self.come_back_with(lambda claims, *rest: self.sign(claims))
        self.assertEqual(self.get_person(), self.bob)

    def test_another_nonce_is_refused(self):
        self.assert_token_refused(lambda claims, *rest: self.sign(claims, nonce="another"))
        self.assert_token_refused(lambda claims, *rest: self.sign(claims, nonce=""))

    def test_another_audience_is_refused(self):
        for audience in ("another", ["another", "more"]):
            self.assert_token_refused(
                lambda claims, *rest, to=audience: self.sign(claims, audience=to)
            )

    def test_an_audience_beside_ours_needs_us_as_the_party(self):
        both = [CLIENT_ID, "another"]
        self.assert_token_refused(lambda claims, *rest: self.sign(claims, audience=both))
        self.assert_token_refused(
            lambda claims, *rest: self.sign(claims, audience=both, azp="another")
        )
        self.assert_token_refused(
            lambda claims, *rest: self.sign(claims, audience="another", azp=CLIENT_ID)
        )

    def test_another_issuer_is_refused(self):
        self.assert_token_refused(
            lambda claims, *rest: self.sign(claims, iss="https://evil.example")
        )

    def test_an_expired_token_is_refused(self):
        self.assert_token_refused(lambda claims, *rest: self.sign(claims, lifetime=-120))

    def test_a_token_without_a_signature_is_refused(self):
        for algorithm in ("none", "None", "NONE", ""):
            head = encode({"alg": algorithm, "typ": "JWT"})
            self.assert_token_refused(lambda claims, *rest, h=head: f"{h}.{encode(claims)}.")

    def test_a_changed_token_is_refused(self):
        def change(claims, _signed, signature):
            head = encode({"alg": "RS256"})
            return f"{head}.{encode(claims | {'email': 'carol@example.com'})}.{signature}"

        self.assert_token_refused(change)

    def test_the_public_key_is_no_secret_of_an_hmac(self):
        key = self.provider.server.keyjar.get_signing_key("RSA")[0]
        for secret in (json.dumps(key.serialize()).encode(), b"the-secret-of-the-panel"):

            def change(claims, *rest, secret=secret):
                signed = f"{encode({'alg': 'HS256', 'kid': key.kid})}.{encode(claims)}"
                mac = hmac.digest(secret, signed.encode(), hashlib.sha256)
                return f"{signed}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"

            self.assert_token_refused(change)

    def test_a_key_in_the_token_itself_is_not_used(self):
        own = RSAKey.generate_key(2048)

        def change(claims, *rest):
            header = {"alg": "RS256", "jwk": own.as_dict(private=False)}
            header["kid"] = self.provider.server.keyjar.get_signing_key("RSA")[0].kid
            return jwt.encode(header, claims, own)

        self.assert_token_refused(change)

    def test_garbage_is_refused(self):
        for garbage in ("", "x", "..", "a.b.c", "ä.ä.ä", "x" * 70_000, None, 7, ["x"], {"a": 1}):
            with self.subTest(garbage=garbage):
                self.assert_token_refused(lambda *rest, text=garbage: text)


class UserInfoAttackTests(SingleSignOn):
    def test_an_access_token_that_cannot_be_used_is_refused(self):
        real = ProviderClient.fetch_token
        for changes in ({"token_type": "N_A"}, {"token_type": None}, {"access_token": None}):

            def fetch_token(client, *arguments, changes=changes, **options):
                token = real(client, *arguments, **options)
                token.update(changes)
                return token

            with (
                self.subTest(changes=changes),
                mock.patch.object(ProviderClient, "fetch_token", fetch_token),
                override_settings(MAILADMIN_OIDC_VERIFIED_CLAIM="xms_edov"),
            ):
                answer = self.sign_in_at_provider("bob@example.org")
                self.assertIn(answer.status_code, (400, 503))
                self.assert_signed_out()

    def test_claims_about_another_person_are_refused(self):
        handler = self.provider.context.session_manager.token_handler["id_token"]
        handler.kwargs["add_claims_by_scope"] = False
        self.addCleanup(handler.kwargs.update, add_claims_by_scope=True)
        self.addCleanup(setattr, self.provider, "userinfo", {})
        for changes in ({"sub": "another"}, {"sub": None}):
            with self.subTest(changes=changes):
                self.provider.userinfo = changes
                answer = self.sign_in_at_provider("bob@example.org")
                self.assert_sign_in_refused(answer, INVALID, 400)
        self.provider.userinfo = {"nonce": "x", "iss": "y"}
        self.sign_in_at_provider("bob@example.org")
        self.assertEqual(self.get_person(), self.bob)


class AddressAttackTests(SingleSignOn):
    def test_another_spelling_is_another_address(self):
        """Collations and lower case equate letters; the provider has verified another address."""
        kate = Mailbox.objects.get(pk="bob@example.org")
        kate.pk = kate.username = "kiss@example.org"
        kate.save(force_insert=True)
        for address in (
            *("\u212aiss@example.org", "ki\u017fs@example.org", "k\u0131ss@example.org"),
            *("kíss@example.org", "kiss@example.org ", " kiss@example.org", "kiss@example.org\n"),
            *("kiss@example.org\x00", "kiss\x01@example.org", "%@example.org", "_iss@example.org"),
            *(
                "kiss@EXAMPLE.org\u200b",
                "ＫＩＳＳ@example.org",
                "kiss",
                "@",
                "kiss@example.org,x@y",
            ),
            "k" * 300 + "@example.org",
        ):
            with self.subTest(address=address):
                answer = self.sign_in_at_provider(address)
                self.assert_sign_in_refused(answer, "no active account with this address")
        self.sign_in_at_provider("Kiss@Example.ORG")
        self.assertEqual(self.get_person().pk, "kiss@example.org")

    def test_the_name_of_all_domains_is_nobody(self):
        self.assert_sign_in_refused(self.sign_in_at_provider("ALL"), "no active account")


class FuzzTests(SingleSignOn, HypothesisTestCase):
    values = st.text(max_size=40) | st.sampled_from(["code", "state", "\x00", "ü", "%", "[]"])

    @given(st.dictionaries(st.sampled_from(["code", "state", "iss", "error", "x"]), values))
    def test_garbage_at_the_callback_is_refused(self, query):
        client = Client(raise_request_exception=True)
        self.assertEqual(self.come_back(query, client).status_code, 400)

    @given(st.dictionaries(st.sampled_from(["code", "iss", "error", "session_state"]), values))
    def test_garbage_with_the_right_state_is_refused(self, query):
        client = Client(raise_request_exception=True)
        state = parse_qs(urlsplit(self.start(client)).query)["state"][0]
        answer = self.come_back(query | {"state": state}, client)
        self.assertIn(answer.status_code, (400, 403, 429))

    @given(values)
    def test_garbage_as_the_next_page_is_no_error(self, target):
        self.start(Client(raise_request_exception=True), next=target)

    @given(values | st.binary(max_size=40))
    def test_garbage_as_a_logout_token_is_refused(self, token):
        client = Client(raise_request_exception=True)
        answer = client.post("/login/oidc/logout/", {"logout_token": token})
        self.assertIn(answer.status_code, (400, 429))
