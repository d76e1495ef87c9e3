"""Failed logins, and details of the login page."""

import datetime

from django.conf import settings
from django.test import Client
from django.utils import timezone

from domains.models import Domain
from mailadmin.accounts import networks, throttling
from mailadmin.accounts.models import LoginFailure
from mailadmin.accounts.throttling import MAX_FAILURES_PER_CLIENT
from mailboxes.models import Mailbox
from tests.base import BACKENDS, PASSWORD, World
from tests.mailadmin.login_world import SECRET, LoginWorld


class FailureCountTests(World):
    def test_a_right_password_does_not_reset_wrong_codes(self):
        Mailbox.objects.filter(pk=self.bob.pk).update(totp_secret=SECRET)
        statuses = []
        for _round in range(4):
            answer = self.client.post("/login/", {"username": self.bob.pk, "password": PASSWORD})
            statuses.append(answer.status_code)
            for _try in range(MAX_FAILURES_PER_CLIENT - 2):
                statuses.append(self.client.post("/login/code/", {"code": "000000"}).status_code)
        self.assertIn(429, statuses[: MAX_FAILURES_PER_CLIENT + 3])

    def test_wrong_old_passwords_are_counted_and_reported(self):
        self.sign_in(self.bob)
        data = {"old_password": "wrong", "password": "new-pass-99", "password2": "new-pass-99"}
        with self.assertLogs("mailadmin.auth", "WARNING") as logs:
            statuses = [
                self.client.post("/account/password/", data).status_code
                for _try in range(MAX_FAILURES_PER_CLIENT + 1)
            ]
        self.assertEqual(statuses, [422] * MAX_FAILURES_PER_CLIENT + [429])
        self.assertIn("old password", logs.output[0])

    def test_a_new_password_must_differ_from_the_old(self):
        self.sign_in(self.bob)
        data = {"old_password": PASSWORD, "password": PASSWORD, "password2": PASSWORD}
        self.assert_refused(
            self.client.post("/account/password/", data), "the same as the current one"
        )

    def test_mapped_ipv6_addresses_count_as_ipv4(self):
        self.assertEqual(networks.get_client_network("::ffff:198.51.100.7"), "198.51.100.0/24")
        self.assertEqual(networks.get_client_network("2001:db8::1"), "2001:db8::/64")

    def test_old_failures_are_purged(self):
        from mailadmin.housekeeping import purge_expired

        throttling.increment_failures({"x": 1}, gate_key="x")
        long_ago = timezone.now() - datetime.timedelta(days=1)
        LoginFailure.objects.update(since=long_ago)
        purge_expired()
        self.assertFalse(LoginFailure.objects.exists())


class LoginDetailTests(LoginWorld):
    def test_a_code_two_steps_away_is_refused(self):
        Mailbox.objects.filter(pk=self.bob.pk).update(totp_secret=SECRET)
        for offset in (-2, 2):
            client = Client()
            self.log_in(self.bob.pk, client=client)
            client.post("/login/code/", {"code": self.code(offset)})
            self.assertFalse(self.is_logged_in(client), offset)

    def test_admins_must_enter_their_code_too(self):
        type(self.alice).objects.filter(pk=self.alice.pk).update(totp_secret=SECRET)
        self.assertRedirects(self.log_in(self.alice.pk), "/login/code/")
        self.assertFalse(self.is_logged_in())
        self.client.post("/login/code/", {"code": self.code()})
        self.assertTrue(self.is_logged_in())

    def test_an_expired_password_opens_no_page(self):
        past = timezone.now() - datetime.timedelta(days=1)
        Domain.objects.filter(pk="example.org").update(password_expiry=30)
        Mailbox.objects.filter(pk=self.bob.pk).update(password_expiry=past)
        self.log_in(self.bob.pk)
        for url in ("/search/", "/mailboxes/", "/jobs/", "/domains/pick/", "/loginx/", "/nothing/"):
            answer = self.client.get(url)
            self.assertRedirects(answer, "/account/password/", fetch_redirect_response=False)
        browser = Client(enforce_csrf_checks=True)
        browser.force_login(Mailbox.objects.get(pk=self.bob.pk), backend=BACKENDS[Mailbox])
        for url in ("/account/forwarding/", "/nothing/"):  # no page says that the token is missing
            answer = browser.post(url)
            self.assertRedirects(answer, "/account/password/", fetch_redirect_response=False)

    def test_login_does_not_redirect_to_a_page_that_accepts_post_only(self):
        for url in ("/logout/", "/mailboxes/bulk/", "/mailboxes/bob@example.org/toggle/"):
            self.assertRedirects(self.client.post(url), "/login/")

    def test_cookies_are_same_site(self):
        self.assertEqual(settings.SESSION_COOKIE_SAMESITE, "Lax")
        self.assertEqual(settings.CSRF_COOKIE_SAMESITE, "Lax")
        self.assertTrue(settings.SESSION_COOKIE_HTTPONLY)
