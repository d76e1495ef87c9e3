"""Throttling of sign-in without lockout of users."""

import base64
import time
from unittest import mock

from django.test import Client, override_settings
from django.utils import timezone

from domains.models import Admin, Domain
from domains.services.admins import create_admins, edit_admin, set_admins
from mailadmin import passwords
from mailadmin.accounts import networks
from mailadmin.accounts.models import KnownNetwork, LoginFailure, SessionEpoch
from mailadmin.accounts.throttling import (
    DEVICE_COOKIE_NAME,
    MAX_FAILURES_PER_ACCOUNT,
    MAX_FAILURES_PER_CLIENT,
    MAX_FAILURES_PER_NETWORK,
)
from mailadmin.accounts.totp import compute_totp
from mailadmin.api.models import Token
from mailadmin.changes.models import Change
from mailadmin.housekeeping import purge_expired
from mailadmin.jobs import leases
from mailboxes.models import Mailbox
from mailboxes.services.domain_deletion import start_domain_deletion
from mailboxes.services.domains import create_domains, delete_domains
from mailboxes.services.mailboxes import (
    create_mailboxes,
    delete_mailboxes,
    edit_mailbox,
    set_mailboxes,
)
from tests.base import BACKENDS, PASSWORD, ApiClient, World, run_job

SECRET = base64.b32encode(b"twenty bytes of test").decode()
HOME, STRANGE = "192.0.2.7", "198.51.100.9"


def code(offset=0):
    return compute_totp(base64.b32decode(SECRET), int(time.time()) // 30 + offset)


class SignIn(World):
    def sign_in_as(self, name, password=PASSWORD, address=HOME, client=None):
        data = {"username": name, "password": password}
        return (client or Client()).post("/login/", data, REMOTE_ADDR=address)

    def guess(self, name, times=MAX_FAILURES_PER_CLIENT + 1, address=STRANGE):
        return [self.sign_in_as(name, f"wrong{n}", address).status_code for n in range(times)]

    def guess_from_everywhere(self, name):
        """Guess like a botnet: from one network after the other, below the limit of each."""
        for number in range(MAX_FAILURES_PER_ACCOUNT // MAX_FAILURES_PER_CLIENT + 1):
            self.guess(name, MAX_FAILURES_PER_CLIENT, f"203.0.{number}.1")


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

    def test_a_sign_in_runs_few_queries(self):
        self.sign_in_as(self.bob.pk)
        with self.assertNumQueries(14):
            self.sign_in_as(self.bob.pk)


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


class AfterPasswordTests(SignIn):
    """Throttling of codes and of the old password, after a correct password."""

    def test_codes_are_counted_from_all_networks_together(self):
        Mailbox.objects.filter(pk=self.bob.pk).update(totp_secret=SECRET)
        tried = 0
        for number in range(5):
            browser, address = Client(), f"203.0.{number}.1"
            self.sign_in_as(self.bob.pk, address=address, client=browser)
            for _try in range(MAX_FAILURES_PER_CLIENT):
                answer = browser.post("/login/code/", {"code": "000000"}, REMOTE_ADDR=address)
                tried += answer.status_code == 200
        self.assertEqual(tried, MAX_FAILURES_PER_CLIENT)

    def test_old_passwords_are_counted_from_all_networks_together(self):
        data = {"old_password": "wrong", "password": "new-pass-99", "password2": "new-pass-99"}
        self.client.force_login(self.bob, backend=BACKENDS[Mailbox])
        statuses = [
            self.client.post("/account/password/", data, REMOTE_ADDR=f"203.0.{n}.1").status_code
            for n in range(MAX_FAILURES_PER_CLIENT + 1)
        ]
        self.assertEqual(statuses, [422] * MAX_FAILURES_PER_CLIENT + [429])


class FailureRowTests(SignIn):
    def test_a_throttled_network_writes_no_rows(self):
        self.sign_in_as("nobody@example.org", "wrong", STRANGE)
        network = LoginFailure.objects.filter(pk=f"network:{networks.get_client_network(STRANGE)}")
        network.update(failures=MAX_FAILURES_PER_NETWORK + 1)
        before = LoginFailure.objects.count()
        for number in range(5):
            answer = self.sign_in_as(f"name{number}@example.org", "wrong", STRANGE)
            self.assertEqual(answer.status_code, 429)
        self.assertEqual(LoginFailure.objects.count(), before)

    def test_successful_sign_ins_do_not_count_towards_the_throttle(self):
        for _time in range(MAX_FAILURES_PER_CLIENT + 2):
            self.sign_in_as(self.bob.pk)
        self.assertEqual(self.sign_in_as(self.bob.pk, "typo").status_code, 200)


class TimeTests(SignIn):
    """A sign-in costs the same whether the account exists, and whatever its hash is."""

    def work(self, name):
        """Return how often a hash of the configured scheme is computed for an attempt."""
        done = []
        spend = passwords.simulate_verify
        with mock.patch.object(
            passwords, "simulate_verify", side_effect=lambda p: done.append(spend(p))
        ):
            self.sign_in_as(name, "wrong")
        return len(done)

    def test_a_hash_with_other_rounds_costs_the_configured_work_too(self):
        for scheme, rounds in (("SHA512-CRYPT", 20000), ("PBKDF2", 20000), ("SHA256-CRYPT", 9000)):
            with self.subTest(scheme), override_settings(MAILADMIN_PASSWORD_SCHEME=scheme):
                with override_settings(MAILADMIN_PASSWORD_ROUNDS=5000):
                    stored = passwords.make_hash(PASSWORD)
                Mailbox.objects.filter(pk=self.bob.pk).update(password=stored)
                with override_settings(MAILADMIN_PASSWORD_ROUNDS=rounds):
                    self.assertEqual(self.work(self.bob.pk), 2)
                with override_settings(MAILADMIN_PASSWORD_ROUNDS=5000):
                    self.assertEqual(self.work(self.bob.pk), 1)

    def test_the_configured_cost_is_spent_for_every_other_hash(self):
        self.assertEqual(self.work("nobody@example.org"), 2)
        self.assertEqual(self.work(self.bob.pk), 1)  # the other one is of the stored hash
        for stored in (
            "$1$abcdefgh$" + "a" * 22,
            "{SHA512-CRYPT}$6$abcdefgh$" + "a" * 86,
            "{NO-SUCH-SCHEME}x",
            "$2y$10$broken",
            "$2y$05$" + "a" * 53,
            "",
            "{PLAIN}secret",
        ):
            with self.subTest(stored=stored):
                Mailbox.objects.filter(pk=self.bob.pk).update(password=stored)
                self.assertEqual(self.work(self.bob.pk), 2)


@override_settings(MAILADMIN_PASSWORD_REHASH=True, MAILADMIN_PASSWORD_SCHEME="SHA512-CRYPT")
class RehashTests(SignIn):
    def test_a_hash_is_upgraded_also_when_a_code_is_required(self):
        Mailbox.objects.filter(pk=self.bob.pk).update(totp_secret=SECRET)
        browser = Client()
        self.assertRedirects(self.sign_in_as(self.bob.pk, client=browser), "/login/code/")
        browser.post("/login/code/", {"code": code()})
        self.assertEqual(browser.get("/").status_code, 200)
        self.assertTrue(Mailbox.objects.get(pk=self.bob.pk).password.startswith("$6$"))


class CodeTests(SignIn):
    def enter(self, offset):
        browser = Client()
        self.sign_in_as(self.bob.pk, client=browser)
        browser.post("/login/code/", {"code": code(offset)}, REMOTE_ADDR=HOME)
        return browser.get("/").status_code == 200

    def test_a_code_of_an_earlier_step_is_refused_after_a_newer_one(self):
        Mailbox.objects.filter(pk=self.bob.pk).update(totp_secret=SECRET)
        with mock.patch("mailadmin.accounts.totp.time.time", return_value=time.time()):
            self.assertTrue(self.enter(0))
            self.assertFalse(self.enter(-1))
            self.assertFalse(self.enter(0))
            self.assertTrue(self.enter(1))


class DeactivationTests(World):
    """A user who was deactivated and reactivated has to sign in again."""

    def is_in(self, client):
        return client.get("/").status_code == 200

    def signed_in(self, person):
        client = Client()
        client.force_login(person, backend=BACKENDS[type(person)])
        self.assertTrue(self.is_in(client))
        return client

    def test_an_admins_sessions_and_tokens_end(self):
        for service, *arguments in (
            (set_admins, [self.alice.pk], "active", False),
            (edit_admin, self.alice.pk, {"active": False}),
        ):
            client, token = self.signed_in(self.alice), self.token(self.alice)
            self.perform(self.root, service, *arguments)
            self.perform(self.root, set_admins, [self.alice.pk], "active", True)
            self.assertFalse(self.is_in(client))
            self.assertEqual(ApiClient(token).get("domains").status_code, 401)
            self.assertFalse(Token.objects.filter(owner=self.alice).exists())
            self.alice = Admin.objects.get(pk=self.alice.pk)
            self.assertTrue(self.is_in(self.signed_in(self.alice)))
        self.assertEqual(Change.objects.filter(table="token", verb="delete").count(), 2)

    def test_a_mailbox_owners_sessions_end(self):
        for service, *arguments in (
            (set_mailboxes, [self.bob.pk], "active", False),
            (edit_mailbox, self.bob.pk, {"active": False}),
        ):
            client = self.signed_in(self.bob)
            self.perform(self.alice, service, *arguments)
            self.perform(self.alice, set_mailboxes, [self.bob.pk], "active", True)
            self.assertFalse(self.is_in(client))
            self.bob = Mailbox.objects.get(pk=self.bob.pk)

    def test_a_recreated_account_with_the_same_hash_inherits_no_session(self):
        client, domain = self.signed_in(self.bob), self.bob.domain
        row = {"local_part": "bob", "domain": domain, "password": self.bob.password, "quota": 1}
        self.perform(self.alice, delete_mailboxes, [self.bob.pk])
        self.perform(self.alice, create_mailboxes, [row])
        self.assertFalse(self.is_in(client))

    def test_a_recreated_domain_inherits_no_session(self):
        def delete_by_a_job(domain):
            self.perform(self.root, start_domain_deletion, [domain])
            run_job(leases.claim_job("worker"))

        def delete_at_once(domain):
            self.perform(self.root, delete_domains, [domain])

        for delete in (delete_at_once, delete_by_a_job):
            client = self.signed_in(self.bob)
            delete("example.org")
            self.perform(self.root, create_domains, [{"domain": "example.org"}])
            row = {"local_part": "bob", "domain": Domain.objects.get(pk="example.org")}
            row |= {"password": self.bob.password, "quota": 1}
            self.perform(self.root, create_mailboxes, [row])
            self.assertFalse(self.is_in(client), delete)
            self.bob = Mailbox.objects.get(pk=self.bob.pk)

    def test_other_sessions_do_not_end(self):
        client, token = self.signed_in(self.bob), self.token(self.root)
        self.perform(self.root, set_admins, [self.alice.pk], "active", False)
        self.assertTrue(self.is_in(client))
        self.assertEqual(ApiClient(token).get("domains").status_code, 200)

    def test_a_signed_in_request_runs_two_queries(self):
        client = self.signed_in(self.bob)
        with self.assertNumQueries(2):  # the session, and the user with the epoch of their sessions
            client.get("/account/")

    def test_old_session_ends_are_purged(self):
        self.perform(self.root, set_mailboxes, [self.bob.pk], "active", False)
        purge_expired()
        self.assertTrue(SessionEpoch.objects.exists())
        SessionEpoch.objects.update(at=timezone.now() - timezone.timedelta(days=8))
        purge_expired()
        self.assertFalse(SessionEpoch.objects.exists())
