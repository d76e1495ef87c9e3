"""Concurrency: limits, the last superadmin, deadlocks."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from unittest import mock

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, OperationalError, connection
from django.test import TransactionTestCase

from domains.models import Admin, Domain, DomainAdmin, DomainState
from domains.services.admins import create_admins, edit_admin, set_admins
from mailadmin.accounts import throttling
from mailadmin.accounts.models import LoginFailure
from mailadmin.api.tokens import create_token, generate_token
from mailadmin.changes.models import Change, Log
from mailadmin.changes.perform import Actor, perform
from mailadmin.db.retry import MAX_ATTEMPTS
from mailboxes.models import Alias, Mailbox
from mailboxes.services.aliases import create_aliases
from mailboxes.services.domains import delete_domains
from mailboxes.services.mailboxes import create_mailboxes
from tests.base import ApiClient, build_world

pytestmark = pytest.mark.mysql

CROWD = 20


def at_once(calls):
    """Run these concurrently, each on its own connection; return each result or error."""
    start = threading.Barrier(len(calls))

    def run(call):
        connection.ensure_connection()
        start.wait()
        try:
            return call()
        except (ValidationError, PermissionDenied) as refusal:
            return refusal
        finally:
            connection.close()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def refused(results):
    return [r for r in results if isinstance(r, (ValidationError, PermissionDenied))]


class ConcurrencyTests(TransactionTestCase):
    def setUp(self):
        build_world()
        self.org = Domain.objects.get(pk="example.org")

    def limit(self, **limits):
        Domain.objects.filter(pk="example.org").update(**limits)

    def create_mailbox(self, name, quota=10):
        row = {"local_part": name, "domain": self.org, "password": "x", "quota": quota}
        return lambda: perform(Actor.console(), create_mailboxes, [row])

    def create_alias(self, name):
        row = {"local_part": name, "domain": self.org, "goto": ["bob@example.org"]}
        return lambda: perform(Actor.console(), create_aliases, [row])

    # The API

    def test_a_request_sent_twice_at_the_same_moment_is_done_once(self):
        root, text = Admin.objects.get(pk="root@example.net"), generate_token()
        perform(Actor.console(), create_token, root, {"name": "twice", "domains": []}, text)
        row = {"local_part": "sales", "domain": "example.org", "goto": ["bob@example.org"]}
        key = {"Idempotency-Key": "sales"}
        results = at_once([lambda: ApiClient(text).post("aliases", row, headers=key)] * 6)
        self.assertEqual([answer.status_code for answer in results], [201] * 6)
        # The same values; MySQL stores the keys of JSON in its own order.
        first, *others = (answer.json() for answer in results)
        self.assertEqual(others, [first] * 5)
        self.assertEqual(
            Log.objects.filter(action="create_alias", data="sales@example.org").count(), 1
        )

    # Limits

    def test_concurrent_mailboxes_respect_the_limit(self):
        self.limit(mailboxes=10)  # bob is one of them
        results = at_once([self.create_mailbox(f"m{n}") for n in range(CROWD)])
        self.assertEqual(len(refused(results)), CROWD - 9)
        self.assertEqual(Mailbox.objects.filter(domain="example.org").count(), 10)
        self.assertEqual(Alias.objects.filter(pk__startswith="m").count(), 9)
        self.assertEqual(DomainState.objects.get(pk="example.org").mailboxes, 10)

    def test_concurrent_aliases_respect_the_limit(self):
        self.limit(aliases=10)  # info is one of them
        results = at_once([self.create_alias(f"a{n}") for n in range(CROWD)])
        self.assertEqual(len(refused(results)), CROWD - 9)
        self.assertEqual(Alias.objects.filter(pk__startswith="a").count(), 9)
        self.assertEqual(DomainState.objects.get(pk="example.org").aliases, 10)

    def test_concurrent_quotas_respect_the_sum(self):
        self.limit(quota=1000)  # bob has 100 of them
        results = at_once([self.create_mailbox(f"m{n}", quota=100) for n in range(CROWD)])
        self.assertEqual(len(refused(results)), CROWD - 9)
        sizes = Mailbox.objects.filter(domain="example.org").values_list("quota", flat=True)
        self.assertEqual(sum(sizes), 1000 * 1024000)
        self.assertEqual(DomainState.objects.get(pk="example.org").quota_assigned, sum(sizes))

    def test_only_one_of_many_concurrent_creations_of_an_address_succeeds(self):
        calls = [self.create_mailbox("same"), self.create_alias("same")] * 5
        results = at_once(calls)
        self.assertEqual(len(refused(results)), len(calls) - 1)
        self.assertLessEqual(Mailbox.objects.filter(pk="same@example.org").count(), 1)
        self.assertEqual(Alias.objects.filter(pk="same@example.org").count(), 1)

    def test_changes_are_logged_and_recorded_but_refusals_are_not(self):
        self.limit(mailboxes=3)
        lines, records = Log.objects.count(), Change.objects.count()
        at_once([self.create_mailbox(f"m{n}") for n in range(CROWD)])
        self.assertEqual(Log.objects.count(), lines + 2)
        self.assertEqual(Change.objects.count(), records + 4)  # a mailbox and its alias, each

    def test_nothing_is_created_in_a_domain_being_deleted(self):
        calls = [self.create_mailbox(f"m{n}") for n in range(8)]
        at_once([*calls, lambda: perform(Actor.console(), delete_domains, ["example.org"])])
        self.assertFalse(Domain.objects.filter(pk="example.org").exists())
        self.assertFalse(Mailbox.objects.filter(domain_id="example.org").exists())
        self.assertFalse(Alias.objects.filter(domain_id="example.org").exists())

    # Superadmins

    def superadmins(self, *names):
        rows = [{"username": name, "password": "x", "superadmin": True} for name in names]
        perform(Actor.console(), create_admins, rows)
        Admin.objects.exclude(pk__in=names).filter(superadmin=True).delete()
        return [Actor(admin, admin.pk, "192.0.2.7") for admin in Admin.objects.filter(pk__in=names)]

    def test_two_superadmins_cannot_deactivate_each_other(self):
        one, two = self.superadmins("one@example.net", "two@example.net")
        results = at_once(
            [
                lambda: perform(one, set_admins, ["two@example.net"], "active", False),
                lambda: perform(two, set_admins, ["one@example.net"], "active", False),
            ]
        )
        self.assertEqual(len(refused(results)), 1)
        self.assertEqual(Admin.objects.filter(superadmin=True, active=True).count(), 1)

    def test_two_superadmins_cannot_demote_each_other(self):
        one, two = self.superadmins("one@example.net", "two@example.net")
        at_once(
            [
                lambda: perform(one, edit_admin, "two@example.net", {"superadmin": False}),
                lambda: perform(two, edit_admin, "one@example.net", {"superadmin": False}),
            ]
        )
        self.assertEqual(Admin.objects.filter(superadmin=True, active=True).count(), 1)

    def test_a_concurrent_assignment_and_deletion_leave_no_orphan(self):
        """Otherwise an admin of the old domain would administer its successor."""
        console, checked = Actor.console(), threading.Event()

        def assign():
            perform(console, edit_admin, "alice@example.org", {"domains": ["example.com"]})

        def delete():
            checked.wait(5)
            perform(console, delete_domains, ["example.com"])

        def linger(*arguments):
            """Wait between the check of the domain and the assignment."""
            checked.set()
            time.sleep(0.5)
            return []

        with mock.patch("domains.services.admins._find_surplus_assignments", linger):
            at_once([assign, delete])
        self.assertFalse(DomainAdmin.objects.filter(domain="example.com").exists())

    def test_concurrent_failed_sign_ins_are_all_counted(self):
        at_once(
            [lambda: throttling.increment_failures(dict.fromkeys("abc", 100), gate_key="a")] * 12
        )
        counts = LoginFailure.objects.values_list("failures", flat=True)
        self.assertEqual(list(counts), [12, 12, 12])


@pytest.mark.mariadb
class DeadlockTests(TransactionTestCase):
    def setUp(self):
        build_world()

    def test_a_deadlock_is_retried_transparently(self):
        """Two transactions lock the same two rows in opposite order; InnoDB aborts one."""
        met, attempts = threading.Barrier(2), []

        def rename(changes, *keys):
            attempts.append(keys)
            for key in keys:
                changes.update([changes.find_one(Mailbox, key)], name=f"by {keys[0]}")
                if len(attempts) <= 2 and key == keys[0]:
                    met.wait()
            changes.log("edit_mailbox", "example.org", keys[0])

        keys = ["bob@example.org", "carol@example.com"]
        lines = Log.objects.count()
        at_once(
            [
                lambda: perform(Actor.console(), rename, *keys),
                lambda: perform(Actor.console(), rename, *reversed(keys)),
            ]
        )
        self.assertEqual(len(attempts), 3)
        self.assertEqual(Log.objects.count(), lines + 2)
        self.assertEqual(len(set(Mailbox.objects.values_list("name", flat=True))), 1)

    def failing(self, error, times):
        """Return a service that fails this many times with a database error."""
        attempts = []

        def service(changes):
            attempts.append(changes)
            changes.log("edit_mailbox", "example.org", "bob@example.org")
            if len(attempts) <= times:
                raise error
            return "done"

        return service, attempts

    def test_retryable_mysql_errors_are_retried(self):
        for code in (1213, 1205, 1020):
            lines = Log.objects.count()
            service, attempts = self.failing(OperationalError(code, "try again"), 2)
            self.assertEqual(perform(Actor.console(), service), "done")
            self.assertEqual(len(attempts), 3)
            self.assertEqual(len({changes.batch for changes in attempts}), 3)
            self.assertEqual(Log.objects.count(), lines + 1)

    def test_retries_are_limited(self):
        service, attempts = self.failing(OperationalError(1213, "deadlock"), MAX_ATTEMPTS)
        with self.assertRaises(OperationalError):
            perform(Actor.console(), service)
        self.assertEqual(len(attempts), MAX_ATTEMPTS)

    def test_other_errors_are_not_retried(self):
        for error in (OperationalError(1054, "no column"), IntegrityError(1062, "twice")):
            service, attempts = self.failing(error, 1)
            with self.assertRaises(type(error)):
                perform(Actor.console(), service)
            self.assertEqual(len(attempts), 1)
