"""Explanation of routes on the page, by the command and as JSON."""

import json
from io import StringIO

from django.core.management import CommandError, call_command

from mailboxes.models import Alias
from mailboxes.postfix.explain import explain
from tests.base import World


class InterfaceTests(World):
    """The page, the command, the API."""

    def test_owners_and_anonymous_visitors_have_no_access(self):
        self.assertRedirects(self.client.get("/explain/"), "/login/?next=/explain/")
        self.assertEqual(
            self.client.get("/api/v1/explain?address=bob@example.org").status_code, 401
        )
        self.sign_in(self.bob)
        self.assertEqual(self.client.get("/explain/").status_code, 403)
        self.assertEqual(self.client.get("/mailserver/").status_code, 403)
        self.sign_in(self.alice)
        self.assertEqual(self.client.get("/explain/").status_code, 200)
        self.assertEqual(self.client.get("/mailserver/").status_code, 403)
        self.assertEqual(self.client.get("/mailboxes/bob@example.org/seen/").status_code, 403)

    def test_the_page_shows_the_route(self):
        self.sign_in(self.root)
        page = self.client.get("/explain/", {"address": "info@example.org", "sender": "x@y.test"})
        self.assertContains(page, 'Delivered to the mailbox <a href="/mailboxes/bob@example.org/">')
        self.assertContains(page, 'href="/aliases/info@example.org/edit/"')
        self.assertContains(page, "not owned by user x@y.test")

    def test_invalid_addresses_are_refused_without_an_error_page(self):
        self.sign_in(self.alice)
        token = {"Authorization": f"Bearer {self.token(self.alice)}"}
        for text in (
            "",
            "bob",
            "@",
            "a@",
            "@b",
            "a b@c",
            "<script>@x",
            "a@" + "x" * 300,
            "ж@ж",
            "\0@a",
        ):
            for url in ("/explain/", "/api/v1/explain"):
                answer = self.client.get(url, {"address": text}, headers=token)
                self.assertIn(answer.status_code, (200, 422), text)
                self.assertNotIn(b"<script>@x", answer.content)

    def test_an_alias_with_very_many_targets_is_given_up_on_the_page(self):
        goto = ",".join(f"x{n}@far{n}.test" for n in range(900))
        Alias.objects.filter(pk="info@example.org").update(goto=goto)
        self.sign_in(self.alice)
        with self.assertNumQueries(FewerThan(2200)):
            page = self.client.get("/explain/", {"address": "info@example.org"})
        self.assertContains(page, "more than 2000 lookups")
        self.assertLess(len(page.content), 200_000)
        self.assertEqual(len(explain(self.root, "info@example.org")["deliveries"]), 900)

    def test_the_api_returns_the_same_and_its_errors_name_the_field(self):
        program = self.api(self.alice)
        explanation = program.get("explain", address="info@example.org").json()
        self.assertEqual(
            explanation, json.loads(json.dumps(explain(self.alice, "info@example.org")))
        )
        refused = program.get("explain", address="carol@example.com")
        self.assertEqual(refused["Content-Type"], "application/problem+json")
        self.assertEqual(
            (refused.status_code, refused.json()["errors"]),
            (422, {"address": ["This address is not in one of your domains."]}),
        )

    def test_the_command_prints_the_route(self):
        printed = StringIO()
        call_command("explain", "info@example.org", "--sender", "x@y.test", stdout=printed)
        for text in (
            "info@example.org: Delivered to a mailbox here.",
            "virtual_alias                  info@example.org → bob@example.org",
            "Delivered to the mailbox bob@example.org (0 MB of 100 MB used).",
            "  Folder: example.org/bob/",
            "May send as info@example.org: bob@example.org",
            "not owned by user x@y.test",
        ):
            self.assertIn(text, printed.getvalue())

    def test_an_invalid_folder_is_an_error(self):
        with self.assertRaisesMessage(CommandError, "/nonexistent/main.cf"):
            call_command("explain", "bob@example.org", "--postfix", "/nonexistent")

    def test_the_command_prints_json_and_refuses_garbage(self):
        printed = StringIO()
        call_command("explain", "info@example.org", "--json", stdout=printed)
        self.assertTrue(json.loads(printed.getvalue())["accepted"])
        with self.assertRaisesMessage(CommandError, "“garbage” is not a valid email address."):
            call_command("explain", "garbage")


class FewerThan(int):
    """A number of queries that is not exact."""

    def __eq__(self, other):
        return other < int(self)

    __hash__ = int.__hash__
