"""Outages of the database on pages, in the API and in health checks."""

import errno
import json
import logging
from contextlib import contextmanager
from unittest import mock

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import (
    DataError,
    IntegrityError,
    InternalError,
    OperationalError,
    connection,
    connections,
)
from django.test import Client, TransactionTestCase

from domains.models import Admin
from mailadmin.db.mysql.errors import CommitOutcomeUnknown
from mailadmin.observability import readiness
from tests.base import ApiClient, World, build_world

OUTAGES = {
    "gone": (OperationalError(2006, "Server has gone away"), "does not answer"),
    "no new connection": (OperationalError(2002, "Can't connect"), "does not answer"),
    "restarting": (OperationalError(1053, "Server shutdown in progress"), "does not answer"),
    "too many connections": (OperationalError(1040, "Too many connections"), "is busy"),
    "too many of one user": (OperationalError(1203, "max_user_connections"), "is busy"),
    "locked": (OperationalError(1205, "Lock wait timeout exceeded"), "is busy"),
    "too slow": (OperationalError(1969, "max_statement_time exceeded"), "is busy"),
    "read-only": (OperationalError(1290, "--read-only"), "is read-only"),
    "read-only transaction": (InternalError(1792, "READ ONLY transaction"), "is read-only"),
    "table full": (OperationalError(1114, "The table 'log' is full"), "database is full"),
    "disk full": (OperationalError(1021, "Disk full"), "database is full"),
    "no space": (OperationalError(1030, 'Got error 28 "No space left on device"'), "is full"),
    "no space for a file": (InternalError(3, "Error writing file (Errcode: 28)"), "is full"),
    "lost at the commit": (
        CommitOutcomeUnknown(2013, "Lost connection"),
        ("it is not known whether"),
    ),
    "SQLite locked": (OperationalError("database is locked"), "is busy"),
    "SQLite full": (OperationalError("database or disk is full"), "database is full"),
    "SQLite read-only": (OperationalError("attempt to write a readonly database"), "is read-only"),
    "the panel's disk": (OSError(errno.ENOSPC, "No space left on device"), "of the panel is full"),
    "the panel's quota": (OSError(errno.EDQUOT, "Quota exceeded"), "of the panel is full"),
}


class OutageTests(World):
    def setUp(self):
        self.client.raise_request_exception = False

    @contextmanager
    def failing(self, error):
        logger = logging.getLogger("mailadmin")
        with (
            mock.patch("mailadmin.tables.views.list.TableListView.get", side_effect=error),
            mock.patch("mailadmin.api.resources.parse_limit", side_effect=error),
            self.assertLogs(logger, "ERROR"),
        ):
            yield

    def test_a_page_shows_the_problem_and_when_to_retry(self):
        self.sign_in(self.root)
        for name, (error, words) in OUTAGES.items():
            with self.subTest(name), self.failing(error):
                answer = self.client.get("/domains/")
                self.assertContains(answer, words, status_code=503)
                self.assertGreater(int(answer["Retry-After"]), 0)

    def test_the_api_returns_an_outage_as_a_problem(self):
        program = self.api(self.root)
        for name, (error, words) in OUTAGES.items():
            with self.subTest(name), self.failing(error):
                answer = program.get("domains")
                self.assertEqual(answer.status_code, 503, answer.content)
                self.assertEqual(answer["Content-Type"], "application/problem+json")
                self.assertGreater(int(answer["Retry-After"]), 0)
                expected = "the outcome is unknown" if "whether" in words else words
                self.assertIn(expected, json.loads(answer.content)["title"])

    def test_a_statement_error_is_not_an_outage(self):
        self.sign_in(self.root)
        for error in (
            OperationalError(1064, "syntax"),
            OperationalError("no such column: x"),
            DataError(1264, "Out of range value for column 'quota'"),
            OSError(errno.EACCES, "Permission denied"),
        ):
            with mock.patch("mailadmin.tables.views.list.TableListView.get", side_effect=error):
                self.assertEqual(self.client.get("/domains/").status_code, 500, error)

    def test_a_duplicate_is_a_conflict_and_other_integrity_errors_are_errors(self):
        """A missing column of the panel must not look like a client's conflict."""
        for error, status in (
            (IntegrityError(1062, "Duplicate entry"), 409),
            (IntegrityError("UNIQUE constraint failed: alias.address"), 409),
            (IntegrityError(1048, "Column 'x' cannot be null"), 500),
            (IntegrityError(1364, "Field 'x' doesn't have a default value"), 500),
            (IntegrityError("NOT NULL constraint failed: alias.goto"), 500),
            (DataError(1264, "Out of range value"), 500),
        ):
            program = self.api(self.root)
            program.client.raise_request_exception = False
            with mock.patch("mailadmin.api.resources.parse_limit", side_effect=error):
                self.assertEqual(program.get("domains").status_code, status, error)

    def test_an_upload_that_does_not_fit_on_the_disk_is_refused_with_a_message(self):
        self.sign_in(self.root)
        file = SimpleUploadedFile("rows.csv", b"x" * 3_000_000)
        full = OSError(errno.ENOSPC, "No space left on device")
        with (
            mock.patch("django.core.files.uploadedfile.TemporaryUploadedFile", side_effect=full),
            mock.patch("django.core.files.uploadhandler.TemporaryUploadedFile", side_effect=full),
            self.assertLogs("mailadmin.views", "ERROR"),
        ):
            answer = self.client.post("/import/", {"format": "csv", "file": file})
        self.assertContains(answer, "disk of the panel is full", status_code=503)

    def test_readiness_reports_why_the_panel_is_not_ready(self):
        for error, status in (
            (OperationalError(2002, "away"), "no database"),
            (OperationalError(1040, "Too many connections"), "database is busy"),
            (OperationalError(1114, "The table is full"), "database disk is full"),
            (OperationalError(1290, "--read-only"), "database is read only"),
        ):
            with (
                mock.patch.object(readiness, "check_migrations", side_effect=error),
                self.assertLogs("mailadmin.checks", "ERROR"),
            ):
                answer = self.client.get("/readyz")
            self.assertEqual((answer.status_code, answer.json()["status"]), (503, status))


class RealOutageTests(TransactionTestCase):
    """The same with the real database."""

    def setUp(self):
        build_world()
        self.client = Client(raise_request_exception=False)
        root = Admin.objects.get(pk="root@example.net")
        self.client.force_login(root, backend="mailadmin.accounts.backends.AdminBackend")

    def create(self, name="sales"):
        """Create an alias with many targets, to fill a disk."""
        targets = "\n".join(f"{name}{number}@example.net" for number in range(200))
        data = {"local_part": name, "domain": "example.org", "goto": targets, "active": "on"}
        return self.client.post("/aliases/create/", data)

    def assert_works_again(self):
        self.assertEqual(self.client.get("/readyz").json(), {"status": "ok"})
        self.assertEqual(self.client.get("/domains/").status_code, 200)

    @pytest.mark.sqlite
    def test_a_locked_sqlite_database_is_reported(self):
        connection.close()
        with (
            mock.patch.dict(connection.settings_dict["OPTIONS"], timeout=0.2),
            mock.patch.object(readiness, "PROBE_SECONDS", 0.2),
            locked(connection.settings_dict["NAME"]),
            self.assertLogs("mailadmin", "ERROR"),
        ):
            self.assertContains(self.create(), "database is busy", status_code=503)
            self.assertEqual(self.client.get("/readyz").json()["status"], "database is busy")
        connection.close()
        self.assert_works_again()

    @pytest.mark.sqlite
    def test_a_full_sqlite_database_is_reported(self):
        with connection.cursor() as cursor:
            cursor.execute("VACUUM")
            cursor.execute("PRAGMA page_count")
            cursor.execute(f"PRAGMA max_page_count = {cursor.fetchone()[0]}")
        with self.assertLogs("mailadmin", "ERROR"):
            answers = [self.create(f"a{number}") for number in range(80)]
        self.assertContains(answers[-1], "disk of the database is full", status_code=503)
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA max_page_count = 1073741823")
        self.assert_works_again()

    @pytest.mark.sqlite
    def test_a_read_only_sqlite_database_is_reported(self):
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA query_only = ON")
        with self.assertLogs("mailadmin", "ERROR"):
            self.assertContains(self.create(), "database is read-only", status_code=503)
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA query_only = OFF")
        self.assert_works_again()

    @pytest.mark.mariadb
    def test_a_connection_ended_by_the_server_is_reported(self):
        """A cursor that cannot be closed neither hides the error nor raises another."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT CONNECTION_ID()")
            number = cursor.fetchone()[0]
        other = connection.copy()
        with other.cursor() as cursor:
            cursor.execute(f"KILL {number}")
        other.close()
        self.assertEqual(self.create().status_code, 302)
        self.assert_works_again()

    @pytest.mark.mariadb
    def test_closing_a_cursor_of_a_lost_connection_does_not_raise(self):
        with connection.cursor() as cursor:
            gone = connection.Database.OperationalError(2006, "Server has gone away")
            with mock.patch.object(cursor.cursor, "cursor") as raw:
                raw.close.side_effect = gone
                cursor.cursor.close()

    @pytest.mark.mariadb
    def test_a_locked_table_is_reported(self):
        other = connection.copy()
        with (
            mock.patch.dict(connections.settings["default"]["OPTIONS"]),
            self.assertLogs("mailadmin", "ERROR"),
            other.cursor() as cursor,
        ):
            cursor.execute("LOCK TABLES alias WRITE")
            connection.close()
            options = connection.settings_dict["OPTIONS"]
            options["init_command"] += ", lock_wait_timeout=1, innodb_lock_wait_timeout=1"
            with mock.patch("mailadmin.db.retry.MAX_RETRY_SECONDS", 0):
                answer = self.create()
            cursor.execute("UNLOCK TABLES")
            self.assertContains(answer, "database is busy", status_code=503)
        other.close()
        connection.close()
        self.assert_works_again()

    def test_the_api_returns_a_real_outage_as_a_problem(self):
        from mailadmin.api.tokens import create_token, generate_token
        from mailadmin.changes.perform import Actor, perform
        from mailboxes.services.domains import create_domains

        text = generate_token()
        root = Admin.objects.get(pk="root@example.net")
        perform(Actor.console(), create_token, root, {"name": "t", "domains": []}, text)
        full = OperationalError(1114, "The table 'log' is full")
        with (
            mock.patch("mailadmin.changes.perform.insert_rows", side_effect=full),
            self.assertLogs("mailadmin.api", "ERROR"),
        ):
            answer = ApiClient(text).post("domains", {"domain": "new.example"})
        self.assertEqual(answer.status_code, 503, answer.content)
        perform(Actor.console(), create_domains, [{"domain": "new.example"}])  # nothing was stored


@contextmanager
def locked(name):
    """Hold SQLite's write lock, as another process would."""
    import sqlite3

    other = sqlite3.connect(name, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.rollback()
        other.close()
