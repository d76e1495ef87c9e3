"""Metrics, and who may read them."""

import ipaddress
import time
from unittest import mock

from django.core.management import call_command
from django.db import OperationalError, connections
from django.test import TransactionTestCase, override_settings
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from mailadmin.accounts.models import LoginFailure
from mailadmin.accounts.throttling import LONGEST_WINDOW
from mailadmin.changes.perform import Actor
from mailadmin.housekeeping import purge_expired
from mailadmin.jobs import leases
from mailadmin.jobs.models import Job, WorkerHeartbeat
from mailadmin.jobs.services import start_job
from tests.base import World
from tests.mailadmin.mails.queued import add_mail

EXECUTE = "django.db.backends.utils.CursorWrapper._execute"


PROXY = {"REMOTE_ADDR": "192.0.2.80"}


BEHIND_PROXY = override_settings(MAILADMIN_TRUSTED_PROXIES=(ipaddress.ip_network("192.0.2.80"),))


class MetricTests(World):
    def numbers(self, **headers):
        """name{labels} → value"""
        response = self.client.get("/metrics", **{"HTTP_HOST": "localhost"} | headers)
        self.assertEqual(response.status_code, 200)
        lines = [li for li in response.content.decode().splitlines() if not li.startswith("#")]
        return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}

    def requests(self, view, method="GET", status="2xx"):
        labels = f'{{method="{method}",status="{status}",view="{view}"}}'
        return self.numbers().get(f"mailadmin_request_seconds_count{labels}", 0)

    def test_requests_are_counted_by_page_method_and_outcome(self):
        self.sign_in(self.alice)
        before, refused = self.requests("mailboxes-list"), self.requests("home", status="4xx")
        self.client.get("/mailboxes/")
        self.client.get("/mailboxes/?q=bob")
        self.assertEqual(self.requests("mailboxes-list"), before + 2)
        self.client.get("/nowhere/at/all")
        self.assertEqual(self.requests("home", status="4xx"), refused)

    def test_queries_of_a_page_are_counted(self):
        self.sign_in(self.alice)
        name = 'mailadmin_queries_total{view="mailboxes-list"}'
        before = self.numbers().get(name, 0)
        self.client.get("/mailboxes/")
        self.assertGreater(self.numbers()[name], before + 2)
        self.assertGreater(
            self.numbers()['mailadmin_query_seconds_total{view="mailboxes-list"}'], 0
        )

    def test_an_unknown_method_creates_no_new_metric(self):
        self.client.generic("BREW", "/login/")
        self.assertNotIn(
            "BREW", self.client.get("/metrics", HTTP_HOST="localhost").content.decode()
        )

    def test_refused_logins_are_counted(self):
        name = 'mailadmin_login_failures_total{reason="password"}'
        before = self.numbers().get(name, 0)
        self.client.post("/login/", {"username": "bob@example.org", "password": "wrong"})
        self.assertEqual(self.numbers()[name], before + 1)

    def test_errors_of_the_database_are_counted(self):
        name = 'mailadmin_database_errors_total{code="1213"}'
        before = self.numbers().get(name, 0)
        deadlock = OperationalError(1213, "deadlock")
        self.client.get("/login/")  # from now on this thread's queries are counted
        failing = mock.patch(EXECUTE, side_effect=deadlock)
        with failing, self.assertRaises(OperationalError):
            Job.objects.count()
        self.assertEqual(self.numbers()[name], before + 1)

    def test_jobs_and_workers_are_shown(self):
        job = start_job(Actor.console(), "welcome", "", {}, 1)
        Job.objects.filter(pk=job.pk).update(created=job.created - leases.LEASE_DURATION)
        call_command("worker", once=True)
        numbers = self.numbers()
        self.assertEqual(numbers['mailadmin_jobs{state="waiting"}'], 0)
        start_job(Actor.console(), "welcome", "", {}, 1)
        leases.send_heartbeat()
        numbers = self.numbers()
        self.assertEqual(numbers['mailadmin_jobs{state="waiting"}'], 1)
        self.assertGreaterEqual(numbers["mailadmin_job_waiting_seconds"], 0)
        machine = WorkerHeartbeat.objects.get().machine
        seen = numbers[f'mailadmin_worker_seen_timestamp_seconds{{machine="{machine}"}}']
        self.assertLess(abs(seen - time.time()), 60)

    def test_mails_are_counted(self):
        add_mail()
        numbers = self.numbers()
        self.assertEqual(numbers['mailadmin_mails{state="waiting"}'], 1)
        self.assertEqual(numbers['mailadmin_mails{state="failed"}'], 0)
        self.assertGreaterEqual(numbers["mailadmin_mail_waiting_seconds"], 0)

    def test_an_unreachable_database_is_a_metric_too(self):
        gone = OperationalError(2002, "away")
        with mock.patch.object(type(connections["default"]), "_cursor", side_effect=gone):
            self.assertEqual(self.numbers()["mailadmin_database_up"], 0)
        self.assertEqual(self.numbers()["mailadmin_database_up"], 1)

    def test_no_metric_names_a_domain_or_a_user(self):
        self.sign_in(self.alice)
        self.client.get("/domains/example.org/")
        self.client.get("/mailboxes/bob@example.org/edit/")
        self.assertNotIn(
            "example.org", self.client.get("/metrics", HTTP_HOST="localhost").content.decode()
        )


class MetricAccessTests(World):
    def status(self, **meta):
        return self.client.get("/metrics", **{"HTTP_HOST": "localhost"} | meta).status_code

    def test_metrics_are_visible_from_this_machine_only(self):
        self.assertEqual(self.status(REMOTE_ADDR="127.0.0.1"), 200)
        self.assertEqual(self.status(REMOTE_ADDR="::1"), 200)
        self.assertEqual(self.status(REMOTE_ADDR="192.0.2.7"), 403)
        self.assertEqual(self.status(REMOTE_ADDR=""), 403)  # a local socket: a proxy's

    def test_a_client_of_a_local_proxy_is_not_local(self):
        for header in ("X_FORWARDED_FOR", "X_FORWARDED_PROTO", "X_REAL_IP", "FORWARDED", "VIA"):
            for address in ("127.0.0.1", "198.51.100.7"):
                with self.subTest(header=header, address=address):
                    self.assertEqual(self.status(**{f"HTTP_{header}": address}), 403)
        with override_settings(ALLOWED_HOSTS=["panel.example.org"]):  # one that adds no header
            self.assertEqual(self.status(HTTP_HOST="panel.example.org"), 403)

    @override_settings(MAILADMIN_METRICS_TOKEN="correct-horse")
    def test_another_machine_may_use_the_token(self):
        far = {"REMOTE_ADDR": "192.0.2.7"}
        self.assertEqual(self.status(**far, HTTP_AUTHORIZATION="Bearer correct-horse"), 200)
        for wrong in ("Bearer correct", "Bearer ", "Basic correct-horse", "Bearer kørrect-horse"):
            self.assertEqual(self.status(**far, HTTP_AUTHORIZATION=wrong), 401)

    def test_without_a_configured_token_every_token_is_refused(self):
        self.assertEqual(self.status(REMOTE_ADDR="192.0.2.7", HTTP_AUTHORIZATION="Bearer "), 403)

    def test_a_superadmin_of_another_machine_is_refused(self):
        self.sign_in(self.root)
        self.assertEqual(self.status(REMOTE_ADDR="192.0.2.7"), 403)


class HealthTests(World):
    def test_liveness_needs_no_database_even_with_a_session(self):
        self.sign_in(self.root)
        gone = OperationalError(2002, "away")
        with mock.patch.object(type(connections["default"]), "_cursor", side_effect=gone):
            self.assertEqual(self.client.get("/healthz").status_code, 200)
            self.assertEqual(self.client.get("/metrics", HTTP_HOST="localhost").status_code, 200)

    def test_a_missing_migration_is_reported(self):
        with mock.patch("mailadmin.observability.readiness.MigrationExecutor") as executor:
            executor.return_value.migration_plan.return_value = ["one", "two"]
            response = self.client.get("/readyz")
        self.assertEqual(response.status_code, 503)
        self.assertEqual(response.json(), {"status": "migrations missing", "count": 2})

    def test_a_node_outside_its_cluster_is_reported(self):
        gone = OperationalError(1047, "not prepared")
        with mock.patch.object(type(connections["default"]), "_cursor", side_effect=gone):
            response = self.client.get("/readyz")
        self.assertEqual(response.status_code, 503)
        self.assertIn("cluster", response.json()["status"])

    def test_database_errors_are_logged_and_not_shown(self):
        gone = OperationalError(1045, "Access denied for user 'mailadmin'@'db.internal'")
        with (
            mock.patch.object(type(connections["default"]), "_cursor", side_effect=gone),
            self.assertLogs("mailadmin.checks") as logs,
        ):
            response = self.client.get("/readyz")
        self.assertNotContains(response, "internal", status_code=503)
        self.assertIn("db.internal", logs.output[0])


class WorkerHeartbeatTests(TransactionTestCase):
    def test_a_stopped_worker_is_not_reported_as_missing(self):
        leases.send_heartbeat()
        leases.send_heartbeat()
        self.assertEqual(WorkerHeartbeat.objects.count(), 1)
        leases.remove_heartbeat()
        self.assertFalse(WorkerHeartbeat.objects.exists())

    def test_only_a_lasting_worker_has_a_heartbeat(self):
        call_command("worker", once=True)
        self.assertFalse(WorkerHeartbeat.objects.exists())


class PurgeTests(World):
    def test_expired_rows_are_purged_in_batches(self):
        now = timezone.now()
        for number in range(7):
            LoginFailure.objects.create(key=f"old{number}", since=now - LONGEST_WINDOW * 2)
        LoginFailure.objects.create(key="new", since=now)
        statements = 'DELETE FROM "mailadmin_login_failure"'.replace('"', quote())
        with (
            mock.patch("mailadmin.housekeeping.MAX_ROWS_PER_STATEMENT", 3),
            CaptureQueriesContext(connections["default"]) as captured,
        ):
            purge_expired()
        self.assertEqual(LoginFailure.objects.get().key, "new")
        queries = [query["sql"] for query in captured]
        self.assertEqual(len([sql for sql in queries if sql.startswith(statements)]), 3)


def quote():
    return connections["default"].ops.quote_name("x")[0]
