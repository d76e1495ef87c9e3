"""The API: its description."""

import json

from django.conf import settings

from mailadmin.api.document import OPENAPI_PATH
from mailadmin.api.openapi import render_openapi_document
from tests.base import World


class SchemaTests(World):
    def test_the_schema_matches_the_forms(self):
        self.assertEqual(
            OPENAPI_PATH.read_text(),
            render_openapi_document(),
            "regenerate it: manage.py api-document",
        )

    def test_the_schema_is_public_and_reveals_nothing_of_the_installation(self):
        answer = self.client.get("/api/v1/openapi.json")
        document = json.loads(b"".join(answer.streaming_content))
        self.assertEqual(document["openapi"], "3.1.0")
        self.assertNotIn(settings.SECRET_KEY, OPENAPI_PATH.read_text())

    def test_the_schema_is_rendered_as_a_page(self):
        self.sign_in(self.alice)
        page = self.client.get("/account/api/")
        for text in ("/api/v1/mailboxes/{key}", "Idempotency-Key", "password_hash", "If-Match"):
            self.assertContains(page, text)
        self.assertNotContains(page, "https://cdn")

    def test_a_client_that_knows_fewer_columns_keeps_working(self):
        """It ignores unknown columns and does not send them."""
        program = self.api(self.alice)
        known = ("username", "name", "quota", "active")
        row = program.get("mailboxes/bob@example.org").json()
        own = {name: row[name] for name in known} | {"name": "Robert"}
        self.assertEqual(program.patch("mailboxes/bob@example.org", own).status_code, 200)
        row = program.get("mailboxes/bob@example.org").json()
        self.assertEqual((row["name"], row["smtp_active"]), ("Robert", True))
