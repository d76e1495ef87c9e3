"""Half-finished sign-ins, second factors and proofs under attack.

Classes: a half-finished login counts as signed in (CVE-2026-41940); the API skips the second factor
(GHSA-f9rx-7wf7-jr36); the second step is not throttled, codes are used twice (django-allauth); the
lockout ends while the half login lives on (Keycloak #26180); a session is fixed or outlives its
reason (CVE-2026-62644).
"""

from django.contrib.auth import SESSION_KEY
from django.test import Client

from mailadmin.access_matrix import list_pages
from mailadmin.accounts.factors.models import PolicyLevel, RoleFactorPolicy
from mailadmin.accounts.models import Role, SignedInSession
from mailadmin.accounts.throttling import MAX_FAILURES_PER_CLIENT
from mailboxes.models import Mailbox
from tests.base import PASSWORD, ApiClient
from tests.mailadmin.factor_world import JSON, FactorWorld

WRONG = "no-password-42"


class HalfLoginTests(FactorWorld):
    """Who has given the password, and owes the second factor, is nobody."""

    def owe_factor(self, person):
        """Set up an app; return a client that has given the password, and the app's secret."""
        secret, codes = self.set_up_totp(self.client_of(person))
        self.now += 60
        client = self.client_of(person)
        self.assertEqual(client.get("/login/code/").status_code, 200)
        return client, secret, codes

    def test_a_half_finished_login_opens_no_page(self):
        client, _secret, _codes = self.owe_factor(self.root)
        for page in list_pages():
            if page.is_public or page.is_api or "<" in page.route:
                continue
            for method in ("get", "head", "post", "options"):
                for url in (page.route, page.route.rstrip("/") or "/", f"/{page.route}"):
                    status = getattr(client, method)(url).status_code
                    self.assertIn(status, (301, 302, 400, 404, 405), (method, url))
        self.assertNotIn(SESSION_KEY, client.session)
        self.assertFalse(self.is_logged_in(client))

    def test_a_half_finished_login_is_no_session_of_the_person(self):
        _client, _secret, _codes = self.owe_factor(self.alice)
        self.assertEqual(SignedInSession.objects.count(), 1)  # that of the set-up

    def test_the_first_step_ends_the_session_before_it(self):
        client, _secret, _codes = self.owe_factor(self.alice)
        self.log_in(self.bob.pk, client=client)
        self.assertEqual(client.get("/account/").context["user"], self.bob)
        self.log_in(self.alice.pk, client=client)
        self.assertFalse(self.is_logged_in(client))

    def test_a_code_of_another_does_not_finish_the_login(self):
        client, _secret, _codes = self.owe_factor(self.alice)
        others, codes = self.set_up_totp(self.client_of(self.bob))
        self.now += 60
        for code in (self.code_of(others), *codes[:2], "", "000000", "a" * 16):
            client.post("/login/code/", {"code": code})
            self.assertFalse(self.is_logged_in(client))

    def test_another_login_takes_the_second_step_of_its_own_person(self):
        """alice's code does not finish bob's login in the same browser."""
        client, secret, _codes = self.owe_factor(self.alice)
        self.set_up_totp(self.client_of(self.bob))
        self.log_in(self.bob.pk, client=client)
        client.post("/login/code/", {"code": self.code_of(secret, 1)})
        self.assertFalse(self.is_logged_in(client))

    def test_guesses_of_the_second_step_stay_counted_after_a_new_first_step(self):
        client, secret, codes = self.owe_factor(self.alice)
        statuses = [
            client.post("/login/code/", {"code": f"{n:06}"}).status_code
            for n in range(MAX_FAILURES_PER_CLIENT + 1)
        ]
        self.assertEqual(statuses[-1], 429)
        for code in (self.code_of(secret), codes[0]):
            self.assertEqual(client.post("/login/code/", {"code": code}).status_code, 429)
            again = self.client_of(self.alice)
            again.post("/login/code/", {"code": code})
            self.assertFalse(self.is_logged_in(again))

    def test_a_code_finishes_one_of_two_half_logins(self):
        _client, secret, codes = self.owe_factor(self.alice)
        for code in (self.code_of(secret), codes[0]):
            first, second = self.client_of(self.alice), self.client_of(self.alice)
            first.post("/login/code/", {"code": code})
            second.post("/login/code/", {"code": code})
            self.assertTrue(self.is_logged_in(first))
            self.assertFalse(self.is_logged_in(second))

    def test_who_is_deactivated_or_has_a_new_password_does_not_finish(self):
        client, secret, _codes = self.owe_factor(self.bob)
        Mailbox.objects.filter(pk=self.bob.pk).update(password="{PLAIN}another-one-42")
        self.assertRedirects(client.post("/login/code/", {"code": self.code_of(secret)}), "/login/")
        client, secret, _codes = self.owe_factor(self.alice)
        type(self.alice).objects.filter(pk=self.alice.pk).update(active=False)
        client.post("/login/code/", {"code": self.code_of(secret)})
        self.assertNotIn(SESSION_KEY, client.session)

    def test_the_session_gets_a_new_key_at_each_step(self):
        client, secret, _codes = self.owe_factor(self.alice)
        half = client.session.session_key
        client.post("/login/code/", {"code": self.code_of(secret)})
        self.assertTrue(self.is_logged_in(client))
        self.assertNotEqual(client.session.session_key, half)
        thief = Client()
        thief.cookies["sessionid"] = half
        self.assertFalse(self.is_logged_in(thief))

    def test_a_fixed_session_key_is_not_taken(self):
        client = Client()
        client.cookies["sessionid"] = "chosen-by-the-attacker-0123456789"
        self.log_in(self.bob.pk, client=client)
        self.assertNotEqual(client.session.session_key, "chosen-by-the-attacker-0123456789")


class RequiredFactorTests(FactorWorld):
    """Who has to set up a second factor first opens nothing else, by whatever way."""

    def setUp(self):
        super().setUp()
        RoleFactorPolicy.objects.create(role=Role.ADMIN.name, level=PolicyLevel.REQUIRED)

    def test_no_method_and_no_spelling_opens_a_page(self):
        client = self.client_of(self.alice)
        open_pages = {"own-password", "password-check", "logout", "factors", "totp"}
        open_pages |= {"passkey-add", "confirm", "confirm-passkey", "view-as-stop"}
        for page in list_pages():
            if page.is_public or page.is_api or "<" in page.route or page.name in open_pages:
                continue
            for method in ("get", "head", "post", "put", "options"):
                for url in (page.route, f"{page.route}?x=/account/factors/", page.route + "%20"):
                    response = getattr(client, method)(url)
                    self.assertEqual(response.get("Location"), "/account/factors/", (method, url))

    def test_no_token_is_made_meanwhile(self):
        client = self.client_of(self.alice)
        client.post("/account/tokens/", {"name": "x", "full_access": "on", "lifetime": ""})
        self.assertFalse(self.alice.tokens.exists())

    def test_a_session_does_not_open_the_api(self):
        client = self.client_of(self.alice)
        response = client.get("/api/v1/mailboxes")
        self.assertNotEqual(response.status_code, 200)
        self.assertNotContains(response, "bob@example.org", status_code=response.status_code)

    def test_the_view_as_another_does_not_lift_the_policy(self):
        RoleFactorPolicy.objects.create(role=Role.SUPERADMIN.name, level=PolicyLevel.REQUIRED)
        client = self.client_of(self.root)
        client.post("/view-as/", {"model": "mailboxes.Mailbox", "key": self.bob.pk})
        response = client.get("/account/")
        self.assertRedirects(response, "/account/factors/", fetch_redirect_response=False)


class ProofTests(FactorWorld):
    """Dangerous steps without a recent proof."""

    def dangerous_steps(self):
        yield "/account/factors/totp/remove/", {}
        yield "/account/factors/codes/", {}
        yield "/account/factors/totp/", {"code": "000000"}
        yield "/account/tokens/", {"name": "x", "full_access": "on"}
        yield "/admins/alice@example.org/factors/reset/", {}
        yield "/mailboxes/bob@example.org/factors/reset/", {}
        yield "/export/", {"format": "json"}

    def test_no_method_takes_a_dangerous_step_without_a_proof(self):
        client = self.client_of(self.root)
        self.set_up_totp(client)
        self.pass_time(client)
        for url, data in self.dangerous_steps():
            for method in ("post", "put"):
                with self.subTest(url=url, method=method):
                    response = getattr(client, method)(url, data)
                    self.assertIn(response.status_code, (302, 405))
                    if response.status_code == 302:
                        self.assertTrue(response["Location"].startswith("/account/confirm/"))
        root = type(self.root).objects.get(pk=self.root.pk)
        self.assertTrue(root.totp_secret)
        self.assertFalse(root.tokens.exists())

    def test_a_proof_of_the_future_is_none(self):
        client = self.client_of(self.root)
        self.pass_time(client, -3600)
        self.assertEqual(client.post("/account/factors/codes/").status_code, 302)

    def test_the_password_of_another_and_hashes_prove_nothing(self):
        client = self.client_of(self.root)
        self.pass_time(client)
        for password in ("", WRONG, self.root.password, "\x00", PASSWORD + "\x00", "{PLAIN}"):
            self.assertEqual(self.confirm(client, password).status_code, 422)
        self.assertEqual(client.post("/account/factors/codes/").status_code, 302)

    def test_a_proof_stays_in_its_session(self):
        first, second = self.client_of(self.root), self.client_of(self.root)
        self.pass_time(first)
        self.pass_time(second)
        self.confirm(first)
        self.assertEqual(second.get("/account/factors/totp/").status_code, 302)
        self.assertEqual(first.get("/account/factors/totp/").status_code, 200)

    def test_a_passkey_of_another_proves_nothing(self):
        client = self.client_of(self.alice)
        authenticator = self.add_passkey(self.client_of(self.bob))
        self.add_passkey(client)
        self.pass_time(client)
        page = client.get("/account/confirm/")
        data = {"credential": authenticator.get(page.context["passkey_options"])}
        self.assertEqual(client.post("/account/confirm/passkey/", data).status_code, 422)
        self.assertEqual(client.post("/account/factors/codes/").status_code, 302)


class NamesakeTests(FactorWorld):
    """A mailbox and an admin of the same name are two accounts (CVE-2026-44400)."""

    def make_namesake(self):
        """Make alice a mailbox, with a password of its own."""
        mailbox = Mailbox.objects.get(pk=self.bob.pk)
        mailbox.pk = mailbox.username = self.alice.pk
        mailbox.local_part, mailbox.password = "alice", "{PLAIN}mailbox-horse-42"
        mailbox.save(force_insert=True)
        return mailbox

    def test_the_session_of_a_mailbox_is_never_that_of_the_admin(self):
        mailbox, client = self.make_namesake(), Client()
        self.log_in(self.alice.pk, "mailbox-horse-42", client=client)
        self.assertEqual(client.get("/account/").context["user"], mailbox)
        for url in ("/mailboxes/", "/log/", "/account/tokens/", "/import/"):
            self.assertEqual(client.get(url).status_code, 403)

    def test_factors_of_one_are_none_of_the_other(self):
        self.make_namesake()
        authenticator = self.add_passkey(self.client_of(self.alice))
        secret, codes = self.set_up_totp(self.client_of(self.bob))
        client = Client()
        self.log_in(self.alice.pk, "mailbox-horse-42", client=client)
        self.assertTrue(self.is_logged_in(client))  # the mailbox has no second factor
        self.assertEqual(client.get("/account/factors/").context["passkeys"], [])
        self.pass_time(client)
        options = self.client_of(self.bob).get("/login/passkey/", headers=JSON).content
        data = {"credential": authenticator.get(options)}
        self.assertEqual(client.post("/account/confirm/passkey/", data).status_code, 422)

    def test_sessions_of_one_are_not_listed_for_the_other(self):
        self.make_namesake()
        self.client_of(self.alice)
        client = Client()
        self.log_in(self.alice.pk, "mailbox-horse-42", client=client)
        page = client.get("/account/sessions/")
        self.assertEqual((len(page.context["current"]), len(page.context["others"])), (1, 0))

    def test_a_domain_admin_gets_no_admins_rights_by_a_mailbox_of_their_name(self):
        """Class of CVE-2026-86008: the mailbox's password is not the admin's."""
        mailbox = self.make_namesake()
        type(self.alice).objects.filter(pk=self.alice.pk).update(superadmin=True)
        self.client_of(self.root)
        client = Client()
        self.log_in(mailbox.pk, "mailbox-horse-42", client=client)
        self.assertEqual(client.get("/admins/").status_code, 403)

    def test_a_token_cannot_be_used_for_pages(self):
        program = ApiClient(self.token(self.alice))
        for url in ("/", "/mailboxes/", "/account/factors/", "/account/tokens/"):
            self.assertEqual(program.client.get(url).status_code, 302)
