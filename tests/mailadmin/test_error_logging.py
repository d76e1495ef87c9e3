"""Logging of refused and failed requests."""

import logging
from unittest import mock

from django.test import Client

from tests.base import World


class RefusalTests(World):
    def logged(self, ask):
        with self.assertLogs(logging.getLogger("django"), "WARNING") as logs:
            ask()
        return logs.records

    def test_a_refused_or_missing_page_is_one_line_without_addresses(self):
        self.client.raise_request_exception = False
        self.sign_in(self.bob)
        for page in (
            "/mailboxes/carol@example.com/edit/",
            "/domains/",
            "/nothing/carol@example.com/",
            "/mailboxes/carol@example.com/toggle/",
        ):
            records = self.logged(lambda page=page: self.client.get(page))
            self.assertEqual(len(records), 1)
            self.assertNotIn("carol", records[0].getMessage())
            self.assertIsNone(records[0].exc_info)

    def test_an_error_is_logged_with_traceback_and_without_path(self):
        self.client.raise_request_exception = False
        self.sign_in(self.root)
        with mock.patch("mailadmin.tables.views.edit.TableEditView.get", side_effect=KeyError("x")):
            records = self.logged(lambda: self.client.get("/mailboxes/bob@example.org/edit/"))
        self.assertIsNotNone(records[-1].exc_info)
        self.assertEqual(records[-1].getMessage(), "GET mailboxes-edit: 500")


class CsrfTests(World):
    def test_a_refused_form_is_logged_with_its_reason_and_no_path(self):
        client = Client(enforce_csrf_checks=True)
        with self.assertLogs("django.security.csrf", "WARNING") as logs:
            client.post("/login/?next=/mailboxes/bob@example.org/", {"username": "x"})
        self.assertIn("POST login: 403 (CSRF cookie not set.)", logs.records[0].getMessage())
        self.assertNotIn("bob", logs.records[0].getMessage())
