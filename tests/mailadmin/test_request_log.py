"""Ids of requests, and the log as JSON."""

import json
import logging
import time
from unittest import mock

import pytest
from django.db.backends.utils import CursorWrapper
from django.test import override_settings

from mailadmin.observability import log_records
from mailadmin.observability.slow_queries import redact_statement
from tests.base import World
from tests.mailadmin.test_metrics import BEHIND_PROXY, EXECUTE, PROXY


class RequestIdTests(World):
    def given(self, name, **meta):
        return self.client.get("/login/", HTTP_X_REQUEST_ID=name, **meta)["X-Request-ID"]

    def test_each_request_has_its_own_id(self):
        names = {self.client.get("/login/")["X-Request-ID"] for _request in range(3)}
        self.assertEqual(len(names), 3)

    @BEHIND_PROXY
    def test_a_valid_id_of_a_trusted_proxy_is_kept(self):
        self.assertEqual(self.given("4711-abcdef", **PROXY), "4711-abcdef")
        for bad in ("short", "x" * 65, "two\nlines-of-it", "with space in it", "é" * 10):
            self.assertNotEqual(self.given(bad, **PROXY), bad)

    @BEHIND_PROXY
    def test_an_id_of_an_untrusted_client_is_ignored(self):
        self.assertNotEqual(self.given("4711-abcdef", REMOTE_ADDR="198.51.100.7"), "4711-abcdef")


class JsonLogTests(World):
    """The log in JSON."""

    def lines(self, action):
        stream = logging.StreamHandler(written := LineCollector())
        stream.setFormatter(log_records.JsonFormatter())
        stream.addFilter(log_records.LogContextFilter())
        logger = logging.getLogger("mailadmin")
        logger.addHandler(stream)
        try:
            answer = action()
        finally:
            logger.removeHandler(stream)
        return answer, [json.loads(line) for line in written]

    @override_settings(MAILADMIN_LOG_FORMAT="json")
    def test_each_request_is_logged_with_user_and_cost(self):
        self.sign_in(self.alice)
        answer, lines = self.lines(lambda: self.client.get("/mailboxes/?q=bob@example.org"))
        line = next(line for line in lines if line["logger"] == "mailadmin.access")
        self.assertEqual(line["page"], "mailboxes-list")
        self.assertEqual(line["status"], 200)
        self.assertEqual(line["person"], "alice@example.org")
        self.assertEqual(line["request_id"], answer["X-Request-ID"])
        self.assertGreater(line["queries"], 2)
        self.assertGreater(line["ms"], line["query_ms"])
        self.assertNotIn("bob", json.dumps(line))

    def test_without_the_setting_no_request_is_logged(self):
        _answer, lines = self.lines(lambda: self.client.get("/login/"))
        self.assertEqual(lines, [])

    @override_settings(MAILADMIN_LOG_FORMAT="json")
    def test_all_log_lines_of_a_request_have_its_id(self):
        wrong = {"username": "bob@example.org", "password": "wrong"}
        answer, lines = self.lines(lambda: self.client.post("/login/", wrong))
        self.assertEqual([line["logger"] for line in lines], ["mailadmin.auth", "mailadmin.access"])
        self.assertEqual({line["request_id"] for line in lines}, {answer["X-Request-ID"]})

    @override_settings(MAILADMIN_SLOW_QUERY_MS=1)
    def test_a_slow_statement_is_logged_with_its_page_and_without_values(self):
        real, slept = CursorWrapper._execute, []

        def slow(cursor, sql, params, *rest):
            if "mailbox" in sql and params and not slept:
                slept.append(time.sleep(0.02))
            return real(cursor, sql, params, *rest)

        self.sign_in(self.alice)
        with mock.patch(EXECUTE, slow):
            _answer, lines = self.lines(lambda: self.client.get("/mailboxes/?q=carol"))
        line = next(line for line in lines if line.get("ms", 0) >= 20)
        self.assertEqual(line["page"], "mailboxes-list")
        self.assertIn("%s", line["statement"])
        self.assertNotIn("example.org", json.dumps(line))
        self.assertNotIn("carol", json.dumps(line))

    @override_settings(MAILADMIN_SLOW_QUERY_MS=0)
    def test_slow_statements_are_not_logged_when_disabled(self):
        self.sign_in(self.alice)
        _answer, lines = self.lines(lambda: self.client.get("/mailboxes/"))
        self.assertEqual(lines, [])

    def test_an_error_is_logged_with_its_traceback(self):
        def fail():
            try:
                raise RuntimeError("out of cheese")
            except RuntimeError:
                logging.getLogger("mailadmin.x").exception("it failed")

        _answer, (line,) = self.lines(fail)
        self.assertIn("RuntimeError: out of cheese", line["error"])
        self.assertEqual(line["level"], "ERROR")


class LineCollector(list):
    def write(self, text):
        self.extend(line for line in text.splitlines() if line)

    def flush(self):
        pass


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        (
            "SELECT a FROM t WHERE b = 'it''s \\' secret' AND c = 12",
            "SELECT a FROM t WHERE b = ? AND c = ?",
        ),
        (
            "SELECT a1 FROM `t2` WHERE x IN (%s, %s, %s, %s)",
            "SELECT a1 FROM `t2` WHERE x IN (%s, …)",
        ),
        ("INSERT INTO t VALUES (%s, %s), (%s, %s), (%s, %s)", "INSERT INTO t VALUES (%s, %s), …"),
        ("SELECT 0xDEADBEEF,\n   -1.5", "SELECT ?, -?"),
    ],
)
def test_a_statement_is_logged_without_values(statement, expected):
    assert redact_statement(statement) == expected
