"""Lockout: what counts as a failure, time, and accounts that change."""

import time
from unittest import mock

from django.test import Client, override_settings
from django.utils import timezone

from domains.models import Admin, Domain
from domains.services.admins import edit_admin, set_admins
from mailadmin import passwords
from mailadmin.accounts import networks
from mailadmin.accounts.models import LoginFailure, SessionEpoch
from mailadmin.accounts.throttling import (
    MAX_FAILURES_PER_CLIENT,
    MAX_FAILURES_PER_NETWORK,
)
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
from tests.mailadmin.sign_in import HOME, SECRET, STRANGE, SignIn, code


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
        with mock.patch("mailadmin.accounts.factors.totp.time.time", return_value=time.time()):
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
