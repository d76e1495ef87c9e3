"""Signing in at an OpenID Connect provider: who may, and as whom."""

import time
from datetime import timedelta
from unittest import mock
from urllib.parse import parse_qs, urlsplit

from django.test import Client, override_settings
from django.utils import timezone

from domains.models import Domain
from domains.services.admins import create_admins, set_admins
from mailadmin.accounts.factors.models import RoleFactorPolicy
from mailadmin.accounts.models import LoginFailure, SignedInSession
from mailadmin.accounts.oidc import code_flow, views
from mailadmin.accounts.proof import PROOF_KEY
from mailadmin.conf.sign_in import ClaimValue
from mailboxes.models import Mailbox
from mailboxes.services.mailboxes import set_mailboxes
from tests.base import PASSWORD
from tests.mailadmin.factor_world import FactorWorld
from tests.mailadmin.single_sign_on import CALLBACK, PANEL, SingleSignOn

SUPERADMINS = {"MAILADMIN_OIDC_SUPERADMIN_CLAIM": ClaimValue("groups", "mail-root")}


class SingleSignOnTests(SingleSignOn):
    def test_an_admin_and_a_mailbox_owner_sign_in(self):
        for person in (self.alice, self.bob):
            with self.subTest(person=person.pk):
                client = Client()
                answer = self.sign_in_at_provider(person.pk, client)
                self.assertRedirects(answer, "/", fetch_redirect_response=False)
                self.assertEqual(self.get_person(client), person)

    def test_the_sign_in_page_has_a_button_only_if_there_is_a_provider(self):
        page = self.client.get("/login/?next=/domains/")
        self.assertContains(page, "Sign in with Example")
        self.assertContains(page, 'href="/login/oidc/?next=%2Fdomains%2F"')
        with override_settings(MAILADMIN_OIDC_NAME=""):
            self.assertContains(self.client.get("/login/"), "Single sign-on")
        with override_settings(MAILADMIN_OIDC_ISSUER=""):
            self.assertNotContains(self.client.get("/login/"), "oidc")
            for path in ("/login/oidc/", CALLBACK):
                self.assertEqual(self.client.get(path).status_code, 404)
            self.assertEqual(self.client.post("/login/oidc/logout/").status_code, 404)

    def test_the_request_has_pkce_state_and_nonce_and_an_address_of_the_settings(self):
        url = self.client.get("/login/oidc/", headers={"Host": "localhost"})["Location"]
        sent = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        self.assertTrue(url.startswith(f"{self.provider.issuer}/authorization?"))
        self.assertEqual(sent["redirect_uri"], PANEL + CALLBACK)
        self.assertEqual(sent["code_challenge_method"], "S256")
        self.assertEqual((sent["response_type"], sent["scope"]), ("code", "openid email"))
        for name in ("state", "nonce", "code_challenge"):
            self.assertGreaterEqual(len(sent[name]), 43)

    def test_the_page_that_was_wanted_is_opened(self):
        answer = self.sign_in_at_provider("alice@example.org", target="/domains/?q=x")
        self.assertRedirects(answer, "/domains/?q=x", fetch_redirect_response=False)

    def test_the_session_is_new_listed_and_limited(self):
        self.start()
        before = self.client.session.session_key
        self.sign_in_at_provider("bob@example.org")
        session = self.client.session
        self.assertNotEqual(session.session_key, before)
        self.assertLessEqual(session.get_expiry_age(), 8 * 3600)
        self.assertEqual(SignedInSession.objects.get().session_key, session.session_key)

    def test_claims_that_the_token_lacks_are_asked_for(self):
        handler = self.provider.context.session_manager.token_handler["id_token"]
        handler.kwargs["add_claims_by_scope"] = False
        self.addCleanup(handler.kwargs.update, add_claims_by_scope=True)
        self.provider.requests.clear()
        self.sign_in_at_provider("bob@example.org")
        self.assertEqual(self.get_person(), self.bob)
        self.assertIn("userinfo", self.provider.requests)

    def test_the_secret_may_be_in_the_header_or_in_the_body(self):
        info = self.provider.context.provider_info
        for methods in (["client_secret_post"], ["client_secret_basic"]):
            with self.subTest(methods=methods):
                info["token_endpoint_auth_methods_supported"] = methods
                self.setUp()
                client = Client()
                self.sign_in_at_provider("bob@example.org", client)
                self.assertEqual(self.get_person(client), self.bob)

    def test_a_second_factor_and_an_expired_password_of_the_panel_do_not_matter(self):
        Domain.objects.filter(pk="example.org").update(password_expiry=1)
        Mailbox.objects.filter(pk=self.bob.pk).update(
            totp_secret="JBSWY3DPEHPK3PXP", password_expiry=timezone.now() - timedelta(days=9)
        )
        self.sign_in_at_provider("bob@example.org")
        self.assertEqual(self.get_person(), self.bob)

    def test_a_second_factor_that_the_panel_requires_does_not_matter(self):
        RoleFactorPolicy.objects.create(role="MAILBOX", level="required")
        self.sign_in_at_provider("bob@example.org")
        self.assertEqual(self.get_person(), self.bob)

    def test_documents_of_the_provider_are_kept(self):
        self.sign_in_at_provider("bob@example.org")
        self.provider.requests.clear()
        self.sign_in_at_provider("bob@example.org", Client())
        self.assertEqual(self.provider.requests, ["authorization", "token"])


class WhoMaySignInTests(SingleSignOn):
    def test_an_admin_comes_before_the_mailbox_of_the_same_address(self):
        admin = {"username": "bob@example.org", "password": "x", "domains": ["example.org"]}
        self.perform(self.root, create_admins, [admin])
        self.sign_in_at_provider("bob@example.org")
        self.assertEqual(self.get_person()._meta.label, "domains.Admin")

    def test_an_inactive_admin_gives_way_to_the_active_mailbox_of_the_address(self):
        admin = {"username": "bob@example.org", "password": "x", "domains": ["example.org"]}
        self.perform(self.root, create_admins, [admin | {"active": False}])
        self.sign_in_at_provider("bob@example.org")
        self.assertEqual(self.get_person(), self.bob)

    def test_nobody_is_created(self):
        answer = self.sign_in_at_provider("dave@example.org")
        self.assert_sign_in_refused(answer, "no active account with this address")
        self.assertFalse(Mailbox.objects.filter(pk="dave@example.org").exists())

    def test_an_inactive_person_stays_out(self):
        self.perform(self.root, set_mailboxes, ["bob@example.org"], "active", False)
        answer = self.sign_in_at_provider("bob@example.org")
        self.assert_sign_in_refused(answer, "no active account with this address")

    def test_a_deactivated_person_is_signed_out(self):
        self.sign_in_at_provider("bob@example.org")
        self.perform(self.root, set_mailboxes, ["bob@example.org"], "active", False)
        self.assert_signed_out()

    def test_an_address_that_is_not_verified_is_refused(self):
        for verified in (False, "false", 0, None, "", "no", [True], {"a": 1}, 2):
            with self.subTest(verified=verified):
                answer = self.sign_in_at_provider("bob@example.org", verified=verified)
                self.assert_sign_in_refused(answer, "has not verified your email address")

    def test_other_claims_may_be_named(self):
        """Entra has an address and its own word for verified ones."""
        names = {"ADDRESS": "preferred_username", "VERIFIED": "xms_edov"}
        with override_settings(
            MAILADMIN_OIDC_ADDRESS_CLAIM=names["ADDRESS"],
            MAILADMIN_OIDC_VERIFIED_CLAIM=names["VERIFIED"],
            MAILADMIN_OIDC_SCOPES="openid email profile",
        ):
            claims = {"preferred_username": "bob@example.org", "xms_edov": False}
            answer = self.sign_in_at_provider("carol@example.com", **claims)
            self.assert_sign_in_refused(answer, "has not verified your email address")
            self.sign_in_at_provider("carol@example.com", **claims | {"xms_edov": True})
            self.assertEqual(self.get_person(), self.bob)

    def test_a_person_without_an_address_is_refused(self):
        for address in ("", None, 7, ["bob@example.org"], {"a": "bob@example.org"}):
            with self.subTest(address=address):
                answer = self.sign_in_at_provider(address)
                self.assert_sign_in_refused(answer, "has sent no email address")

    def test_failures_are_counted_for_the_network_and_logged(self):
        with self.assertLogs("mailadmin.auth", "WARNING") as logged:
            self.sign_in_at_provider("dave@example.org")
        self.assertIn('login failed: name="dave@example.org" address=127.0.0.1', logged.output[0])
        self.assertIn("reason=unknown", logged.output[0])
        counted = list(LoginFailure.objects.filter(failures__gt=0).values_list("pk", "failures"))
        self.assertEqual(counted, [("network:127.0.0.0/24", 1)])

    def test_a_network_with_too_many_failures_waits(self):
        self.sign_in_at_provider("dave@example.org")
        LoginFailure.objects.update(failures=100)
        answer = self.sign_in_at_provider("bob@example.org")
        self.assertEqual(answer.status_code, 429)
        self.assert_signed_out()

    def test_a_sign_in_is_not_counted(self):
        self.sign_in_at_provider("bob@example.org")
        self.assertFalse(LoginFailure.objects.filter(failures__gt=0).exists())


class SuperadminTests(SingleSignOn):
    def test_superadmins_stay_with_their_password(self):
        answer = self.sign_in_at_provider("root@example.net", groups=["mail-root"])
        self.assert_sign_in_refused(answer, "Superadmins sign in with their password.")
        self.assertFalse(LoginFailure.objects.filter(failures__gt=0).exists())

    def test_a_mapped_claim_lets_superadmins_in(self):
        with override_settings(**SUPERADMINS):
            for groups in ("mail-root", ["staff", "mail-root"]):
                with self.subTest(groups=groups):
                    client = Client()
                    self.sign_in_at_provider("root@example.net", client, groups=groups)
                    self.assertEqual(self.get_person(client), self.root)

    def test_another_value_does_not(self):
        with override_settings(**SUPERADMINS):
            for groups in (["staff"], "mail-root2", [["mail-root"]], {"mail-root": 1}, True, None):
                with self.subTest(groups=groups):
                    answer = self.sign_in_at_provider("root@example.net", groups=groups)
                    self.assert_sign_in_refused(answer, "Superadmins sign in with their password.")

    def test_the_claim_makes_nobody_a_superadmin(self):
        with override_settings(**SUPERADMINS):
            self.sign_in_at_provider("alice@example.org", groups=["mail-root"])
            self.assertFalse(self.get_person().superadmin)
            self.assertEqual(self.client.get("/admins/").status_code, 403)

    def test_who_becomes_a_superadmin_is_signed_out(self):
        self.sign_in_at_provider("alice@example.org")
        self.perform(self.root, set_admins, ["alice@example.org"], "superadmin", True)
        self.assert_signed_out()


class ConfirmationTests(SingleSignOn):
    """The page that asks for a proof before a dangerous step."""

    PAGE = "/account/factors/totp/"

    def setUp(self):
        super().setUp()
        self.sign_in_at_provider("bob@example.org")
        self.forget_proof()

    def forget_proof(self):
        session = self.client.session
        session.pop(PROOF_KEY, None)
        session.save()

    def has_proof(self):
        return self.client.get(self.PAGE).status_code == 200

    def test_the_provider_is_asked_again(self):
        self.assertFalse(self.has_proof())
        page = self.client.get(f"/account/confirm/?next={self.PAGE}")
        self.assertContains(page, 'href="/account/confirm/provider/?next=')
        url = self.client.get(f"/account/confirm/provider/?next={self.PAGE}")["Location"]
        self.assertIn("prompt=login&max_age=0", url)
        key = self.client.session.session_key
        answer = self.come_back(self.visit_provider(url))
        self.assertRedirects(answer, self.PAGE, fetch_redirect_response=False)
        self.assertTrue(self.has_proof())
        self.assertEqual(self.client.session.session_key, key)
        self.assertGreater(self.client.session.get_expiry_age(), 3600)

    def test_another_person_at_the_provider_proves_nothing(self):
        url = self.client.get("/account/confirm/provider/")["Location"]
        self.provider.sign_in_as("carol@example.com")
        answer = self.come_back(self.visit_provider(url))
        self.assertContains(answer, "You are signed in as somebody else.", status_code=403)
        self.assertFalse(self.has_proof())
        self.assertEqual(self.get_person(), self.bob)

    def test_an_old_session_at_the_provider_proves_nothing(self):
        url = self.client.get("/account/confirm/provider/")["Location"]
        late = mock.Mock(time=lambda: time.time() + 300)
        with mock.patch.object(code_flow, "time", late):
            url = self.client.get("/account/confirm/provider/")["Location"]
        answer = self.come_back(self.visit_provider(url))
        self.assertEqual(answer.status_code, 400)
        self.assertFalse(self.has_proof())

    def test_a_sign_in_of_just_now_is_a_proof_one_by_an_old_session_there_is_none(self):
        self.sign_in_at_provider("bob@example.org", Client())
        client = self.client = Client()
        query = self.visit_provider(self.start(client))
        self.come_back(query, client)
        self.assertTrue(self.has_proof())
        self.client = Client()
        query = self.visit_provider(self.start())
        with mock.patch.object(views, "PROOF_SECONDS", -100):
            self.come_back(query)
        self.assertFalse(self.has_proof())


class LocalPasskeyTests(FactorWorld):
    def test_passkeys_of_the_panel_may_be_left_to_superadmins(self):
        keys = {p.pk: self.add_passkey(self.client_of(p)) for p in (self.root, self.bob)}
        with override_settings(MAILADMIN_LOCAL_SIGN_IN="superadmins"):
            client, answer = self.sign_in_by_passkey(keys[self.bob.pk])
            self.assertContains(answer, "Only superadmins can sign in here.")
            self.assertFalse(self.is_logged_in(client))
            client, answer = self.sign_in_by_passkey(keys[self.root.pk])
            self.assertTrue(self.is_logged_in(client))


class LocalSignInTests(SingleSignOn):
    def log_in(self, person, client):
        data = {"username": person.pk, "password": PASSWORD}
        return client.post("/login/", data).status_code

    def test_everybody_may_sign_in_with_a_password(self):
        for person in (self.root, self.alice, self.bob):
            self.assertEqual(self.log_in(person, Client()), 302)

    def test_the_password_may_be_left_to_superadmins(self):
        with override_settings(MAILADMIN_LOCAL_SIGN_IN="superadmins"):
            page = self.client.get("/login/")
            self.assertContains(page, "Only superadmins sign in with a password.")
            self.assertEqual(self.log_in(self.root, Client()), 302)
            for person in (self.alice, self.bob):
                self.assertEqual(self.log_in(person, Client()), 200)
            self.sign_in_at_provider("alice@example.org")
            self.assertEqual(self.get_person(), self.alice)

    def test_a_refused_password_looks_like_a_wrong_one(self):
        with override_settings(MAILADMIN_LOCAL_SIGN_IN="superadmins"):
            data = {"username": "bob@example.org", "password": PASSWORD}
            right = self.client.post("/login/", data)
            wrong = self.client.post("/login/", data | {"password": "wrong"})
            self.assertContains(right, "Incorrect address or password.")
            self.assertContains(wrong, "Incorrect address or password.")

    def test_a_session_of_a_password_goes_on_when_the_provider_is_another(self):
        self.log_in(self.bob, self.client)
        with override_settings(MAILADMIN_OIDC_ISSUER="https://other.example"):
            self.assertEqual(self.get_person(), self.bob)

    def test_a_session_of_the_provider_ends_when_the_provider_is_another(self):
        self.sign_in_at_provider("bob@example.org")
        with override_settings(MAILADMIN_OIDC_ISSUER="https://other.example"):
            self.assert_signed_out()
