"""Throttling of sign-in without lockout of users."""

from unittest import mock

from django.test import Client
from django.utils import timezone

from domains.models import Admin
from domains.services.admins import create_admins
from mailadmin import passwords
from mailadmin.accounts import networks
from mailadmin.accounts.models import KnownNetwork, LoginFailure
from mailadmin.accounts.throttling import (
    DEVICE_COOKIE_NAME,
    MAX_FAILURES_PER_CLIENT,
    MAX_FAILURES_PER_NETWORK,
)
from mailadmin.housekeeping import purge_expired
from mailboxes.models import Mailbox
from tests.base import PASSWORD
from tests.mailadmin.sign_in import HOME, SECRET, STRANGE, SignIn


class LockoutTests(SignIn):
    def test_failures_in_one_network_do_not_lock_out_another(self):
        self.assertEqual(self.guess(self.root.pk)[-1], 429)
        self.assertEqual(self.sign_in_as(self.root.pk, address=STRANGE).status_code, 429)
        self.assertEqual(self.sign_in_as(self.root.pk).status_code, 302)

    def test_guesses_from_everywhere_are_bounded_together(self):
        self.guess_from_everywhere(self.root.pk)
        self.assertEqual(self.sign_in_as(self.root.pk, address="203.1.1.1").status_code, 429)

    def test_a_network_with_an_earlier_sign_in_is_not_throttled(self):
        self.sign_in_as(self.root.pk)
        self.guess_from_everywhere(self.root.pk)
        self.assertEqual(self.sign_in_as(self.root.pk).status_code, 302)
        self.assertEqual(self.sign_in_as(self.alice.pk).status_code, 302)

    def test_a_known_browser_is_not_throttled_in_any_network(self):
        browser = Client()
        self.sign_in_as(self.root.pk, client=browser)
        self.guess_from_everywhere(self.root.pk)
        self.guess(self.root.pk, address="203.0.113.5")
        answer = self.sign_in_as(self.root.pk, address="203.0.113.5", client=browser)
        self.assertEqual(answer.status_code, 302)

    def test_a_known_browser_is_not_affected_by_its_network(self):
        browser = Client()
        self.sign_in_as(self.root.pk, client=browser)
        network = LoginFailure.objects.filter(pk=f"network:{networks.get_client_network(HOME)}")
        network.update(failures=MAX_FAILURES_PER_NETWORK + 1)
        self.assertEqual(self.sign_in_as(self.root.pk).status_code, 429)
        self.assertEqual(self.sign_in_as(self.root.pk, client=browser).status_code, 302)

    def test_a_known_browser_is_throttled_too(self):
        browser = Client()
        self.sign_in_as(self.root.pk, client=browser)
        answers = [
            self.sign_in_as(self.root.pk, "wrong", client=browser).status_code
            for _try in range(MAX_FAILURES_PER_CLIENT + 1)
        ]
        self.assertEqual(answers, [200] * MAX_FAILURES_PER_CLIENT + [429])

    def test_a_browser_is_known_per_account(self):
        browser = Client()
        self.sign_in_as(self.bob.pk, client=browser)
        self.guess_from_everywhere(self.root.pk)
        answer = self.sign_in_as(self.root.pk, address="203.1.1.1", client=browser)
        self.assertEqual(answer.status_code, 429)

    def test_the_known_browser_cookie_cannot_be_forged(self):
        browser = Client()
        self.sign_in_as(self.root.pk, client=browser)
        cookie = browser.cookies[DEVICE_COOKIE_NAME]
        self.assertTrue(cookie["httponly"])
        self.assertEqual((cookie["samesite"], cookie["path"]), ("Strict", "/login/"))
        self.assertNotIn("root", cookie.value)
        self.guess_from_everywhere(self.root.pk)
        for forged in (cookie.value[:-3] + "abc", "x", "", "e30:1:2", "null", "é"):
            other = Client()
            other.cookies[DEVICE_COOKIE_NAME] = forged
            answer = self.sign_in_as(self.root.pk, address="203.1.1.1", client=other)
            self.assertEqual(answer.status_code, 429, forged)

    def test_an_ipv6_prefix_counts_as_one_network(self):
        for number in range(MAX_FAILURES_PER_CLIENT):
            self.sign_in_as(self.bob.pk, "wrong", f"2001:db8:1:2::{number:x}")
        answer = self.sign_in_as(self.bob.pk, address="2001:db8:1:2:ffff::1")
        self.assertEqual(answer.status_code, 429)
        answer = self.sign_in_as(self.bob.pk, address="2001:db8:1:3::1")
        self.assertEqual(answer.status_code, 302)

    def test_known_networks_and_browsers_expire(self):
        self.sign_in_as(self.root.pk)
        self.sign_in_as(self.root.pk)
        self.assertEqual(KnownNetwork.objects.count(), 1)
        purge_expired()
        self.assertEqual(KnownNetwork.objects.count(), 1)
        KnownNetwork.objects.update(seen=timezone.now() - timezone.timedelta(days=181))
        purge_expired()
        self.assertEqual(KnownNetwork.objects.count(), 0)


class NameTests(SignIn):
    def test_usernames_with_characters_ignored_by_a_collation_are_unknown(self):
        for name in (
            "bob@example.org\x01",
            "\x02bob@example.org",
            "b\u200bob@example.org",
            "bob@example.org\u00ad",
            "böb@example.org",
            "ｂob@example.org",
        ):
            with self.subTest(name=ascii(name)):
                answer = self.sign_in_as(name)
                self.assertEqual(answer.status_code, 200)
                self.assertFalse(answer.wsgi_request.user.is_authenticated)

    def test_a_row_equal_only_by_collation_is_not_accepted(self):
        """The effect of collations of MySQL 8 and MariaDB 11, simulated."""
        from mailadmin.accounts.backends import MailboxBackend

        backend = MailboxBackend()
        with mock.patch.object(MailboxBackend, "get_user", return_value=self.bob):
            for name, found in (("bob@example.org", self.bob), ("bob@example.org\u200b", None)):
                self.assertEqual(backend.authenticate(None, name, PASSWORD), found)
            self.assertEqual(backend.authenticate(None, " BOB@Example.org ", PASSWORD), self.bob)


class SharedUsernameTests(SignIn):
    def setUp(self):
        """An admin whose address is a mailbox too, with a password known to another user."""
        row = {"username": self.bob.pk, "password": passwords.make_hash("another-77-password")}
        self.perform(self.root, create_admins, [row | {"superadmin": True}])

    def test_the_mailboxes_password_does_not_reset_the_admins_counter(self):
        for _round in range(3):
            self.guess(self.bob.pk, MAX_FAILURES_PER_CLIENT - 6)
            answer = self.sign_in_as(self.bob.pk, address=STRANGE)
            self.assertEqual(answer.status_code, 302)
        answer = self.sign_in_as(self.bob.pk, "another-77-password", STRANGE)
        self.assertEqual(answer.status_code, 429)
        answer = self.sign_in_as(self.bob.pk, "another-77-password")
        self.assertEqual(answer.status_code, 302)

    def test_one_time_codes_are_counted_per_account(self):
        Admin.objects.filter(pk=self.bob.pk).update(totp_secret=SECRET)
        tried = 0
        for _round in range(4):
            browser = Client()
            answer = self.sign_in_as(self.bob.pk, "another-77-password", STRANGE, browser)
            if answer.status_code == 429:
                break
            for _try in range(MAX_FAILURES_PER_CLIENT - 3):
                answer = browser.post("/login/code/", {"code": "000000"}, REMOTE_ADDR=STRANGE)
                tried += answer.status_code == 200
            self.sign_in_as(self.bob.pk, address=STRANGE)  # the mailbox, with its own password
        self.assertLessEqual(tried, MAX_FAILURES_PER_CLIENT)

    def test_each_password_opens_its_own_account(self):
        for password, model in (("another-77-password", Admin), (PASSWORD, Mailbox)):
            for _time in range(MAX_FAILURES_PER_CLIENT * 2):
                browser = Client()
                self.sign_in_as(self.bob.pk, password, client=browser)
                self.assertIsInstance(browser.get("/").wsgi_request.user, model)
