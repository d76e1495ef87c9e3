"""The API: one row."""

import contextlib
import dataclasses
import datetime
import json
from unittest import mock

from django.db import IntegrityError
from django.test import override_settings
from django.utils import timezone

from mailadmin.api.models import StoredResponse
from mailadmin.jobs.models import Job
from mailadmin.tables.forms import TableForm
from mailadmin.wsgi import application
from mailboxes.models import Alias, Mailbox
from mailboxes.services import mailboxes
from mailboxes.tables import MailboxTable
from tests.base import PASSWORD, ApiClient, World
from tests.mailadmin.api_rows import DAVE


class RowTests(World):
    def setUp(self):
        self.program = self.api(self.alice)

    def test_missing_fields_get_the_form_defaults(self):
        answer = self.program.post("mailboxes", DAVE)
        self.assertEqual(answer.status_code, 201, answer.content)
        mailbox = answer.json()
        self.assertEqual(
            (mailbox["active"], mailbox["smtp_active"], mailbox["quota"]), (True, True, 100)
        )
        self.assertFalse(Job.objects.filter(kind="welcome").exists())
        self.assertTrue(Mailbox.objects.get(pk="dave@example.org").check_password(PASSWORD))

    def test_passwords_are_never_returned(self):
        stored = Mailbox.objects.get(pk="bob@example.org").password
        root = self.api(self.root)
        for answer in (
            root.get("mailboxes"),
            root.get("mailboxes/bob@example.org"),
            root.get("admins"),
            root.patch("mailboxes/bob@example.org", {"password": "another-horse-43"}),
            root.post("mailboxes", DAVE, headers={"Idempotency-Key": "a"}),
        ):
            self.assertLess(answer.status_code, 300)
            self.assertNotIn('password"', answer.content.decode())
            self.assertNotContains(answer, stored, status_code=answer.status_code)
        self.assertNotIn("horse", json.dumps(list(StoredResponse.objects.values()), default=str))

    def test_only_superadmins_may_set_a_password_hash(self):
        stored = Mailbox.objects.get(pk="bob@example.org").password
        row = {"local_part": "eve", "domain": "example.org", "password_hash": stored, "quota": 1}
        refused = self.program.post("mailboxes", row)
        self.assertEqual(
            (refused.status_code, set(refused.json()["errors"])),
            (422, {"password_hash", "password"}),
        )
        root = self.api(self.root)
        self.assertEqual(root.post("mailboxes", row).status_code, 201)
        self.assertEqual(Mailbox.objects.get(pk="eve@example.org").password, stored)
        for change in (
            {"password_hash": "plain"},
            {"password_hash": "{BLF-CRYPT}$2y$…"},
            {"password_hash": "{BLF-CRYPT}$2y$10$abc"},
            {"password_hash": stored, "password": PASSWORD},
        ):
            answer = root.patch("mailboxes/eve@example.org", change)
            self.assertEqual(answer.status_code, 422, change)
        self.assertEqual(Mailbox.objects.get(pk="eve@example.org").password, stored)

    def test_an_empty_password_on_a_new_row_is_refused(self):
        for row in (DAVE | {"password": ""}, {k: v for k, v in DAVE.items() if k != "password"}):
            self.assertEqual(self.program.post("mailboxes", row).status_code, 422)

    def test_wrong_json_types_are_refused_first(self):
        wrong = {"active": "yes", "name": 7, "quota": "many"}
        answer = self.program.patch("mailboxes/bob@example.org", wrong)
        self.assertEqual((answer.status_code, set(answer.json()["errors"])), (422, set(wrong)))
        for value in (True, None, [], {}, 1.5e300, "1", -5):
            answer = self.program.patch("mailboxes/bob@example.org", {"quota": value})
            self.assertEqual(answer.status_code, 422, value)
        for goto in ("bob@example.org", [1], [["x@y.test"]], [None], {}, [""]):
            answer = self.program.patch("aliases/info@example.org", {"goto": goto})
            self.assertEqual(answer.status_code, 422, goto)
        self.assertEqual(Mailbox.objects.get(pk="bob@example.org").name, "Bob")

    def test_a_row_must_be_an_object(self):
        for body in ("", "{", "7", "null", '"x"', "[7]", "[[]]", "[]", '{"a": NaN}', b"\xff"):
            answer = self.program.post("mailboxes", body)
            self.assertIn(answer.status_code, (400, 422), body)
            self.assertEqual(answer["Content-Type"], "application/problem+json")
        self.assertEqual(self.program.patch("mailboxes/bob@example.org", "[]").status_code, 400)
        answer = self.program.client.post("/api/v1/mailboxes", DAVE)
        self.assertEqual(answer.status_code, 415)

    def test_a_body_that_is_too_large_or_too_deep_is_refused(self):
        deep = "[" * 200_000 + "]" * 200_000
        self.assertEqual(self.program.post("mailboxes", deep).status_code, 400)
        large = json.dumps([DAVE | {"name": "x" * 11_000_000}])
        for method, place in (("post", "mailboxes"), ("patch", "mailboxes/bob@example.org")):
            answer = self.program.request(method, place, large)
            self.assertEqual(answer.status_code, 413)
            self.assertEqual(answer["Content-Type"], "application/problem+json")

    def test_a_change_of_one_column_overwrites_no_other(self):
        Mailbox.objects.filter(pk="bob@example.org").update(quota=1234567)
        self.program.patch("mailboxes/bob@example.org", {"name": "Robert"})
        bob = Mailbox.objects.get(pk="bob@example.org")
        self.assertEqual((bob.name, bob.quota), ("Robert", 1234567))

    def test_a_concurrent_change_is_not_lost(self):
        """Another column is changed between the client's read and write."""
        with overtaken_once():
            answer = self.program.patch("mailboxes/bob@example.org", {"quota": 5})
        self.assertEqual(answer.status_code, 200, answer.content)
        self.assertEqual((answer.json()["name"], answer.json()["quota"]), ("Changed meanwhile", 5))

    def test_an_outdated_if_match_fails_the_precondition(self):
        place = "mailboxes/bob@example.org"
        tag = {"If-Match": self.program.get(place)["ETag"]}
        with overtaken_once(password="x"):  # which no response shows, but its date does
            answer = self.program.patch(place, {"quota": 5}, headers=tag)
        self.assertEqual(answer.status_code, 412, answer.content)
        self.assertEqual(Mailbox.objects.get(pk="bob@example.org").quota, self.bob.quota)

    def test_a_deletion_checks_if_match_under_the_lock(self):
        tag = {"If-Match": self.program.get("mailboxes/bob@example.org")["ETag"]}
        delete = mailboxes.delete_mailboxes

        def overtaken(changes, keys):
            Mailbox.objects.filter(pk="bob@example.org").update(name="Changed meanwhile")
            return delete(changes, keys)

        services = dataclasses.replace(MailboxTable.services, delete=overtaken)
        with mock.patch.object(MailboxTable, "services", services):
            answer = self.program.delete("mailboxes/bob@example.org", headers=tag)
        self.assertEqual(answer.status_code, 412, answer.content)
        self.assertTrue(Mailbox.objects.filter(pk="bob@example.org").exists())

    def test_a_password_change_changes_the_etag(self):
        place = "mailboxes/bob@example.org"
        tag = {"If-Match": self.program.get(place)["ETag"]}
        for password, status in (("new-horse-77", 200), ("other-horse-78", 412)):
            answer = self.program.patch(place, {"password": password}, headers=tag)
            self.assertEqual(answer.status_code, status)

    def test_a_concurrently_created_row_is_a_conflict(self):
        error = IntegrityError(1062, "Duplicate entry")
        with mock.patch("mailboxes.services.aliases.refuse_loops", side_effect=error):
            row = {"local_part": "x", "domain": "example.org", "goto": ["x@y.test"]}
            self.assertEqual(self.program.post("aliases", row).status_code, 409)

    def test_a_charset_that_is_not_a_text_encoding_is_refused(self):
        """Django looks it up while it creates the request, before any error handling."""
        with mock.patch("mailadmin.wsgi.django_application") as panel:
            for given in ("text/plain; charset=zlib", 'text/plain;x=1 ; CHARSET = "rot13"'):
                application({"CONTENT_TYPE": given}, None)
                content_type = panel.call_args[0][0]["CONTENT_TYPE"]
                self.assertNotIn("charset", content_type.lower())
                self.assertTrue(content_type.startswith("text/plain"))

    def test_a_domain_being_deleted_accepts_no_new_rows(self):
        program = self.api(self.root)
        with mock.patch("mailboxes.services.domain_deletion.LARGE_DOMAIN_MAILBOXES", 0):
            number = program.delete("domains/example.org").json()["job"]
            again = program.delete("domains/example.org")
        for answer in (
            again,
            program.post("mailboxes", DAVE),
            program.patch("domains/example.org", {"active": True}),
        ):
            self.assertEqual(answer.status_code, 422)
            self.assertIn(f"is being deleted (job {number})", answer.json()["title"])
        self.assertEqual(Job.objects.count(), 1)

    def test_addresses_are_normalized(self):
        program = self.api(self.root)
        program.post("domains", {"domain": "Bücher.example"})
        self.assertEqual(program.get("domains/bücher.example").status_code, 200)
        row = {"local_part": "*", "domain": "example.org", "goto": ["bob@example.org"]}
        program.post("aliases", row)
        self.assertEqual(program.get("aliases/*@example.org").status_code, 200)

    def test_unknown_filters_are_refused(self):
        for query in ({"domian": "example.org"}, {"active": "true"}, {"active": ""}):
            answer = self.program.get("mailboxes", **query)
            self.assertEqual((answer.status_code, set(answer.json()["errors"])), (422, set(query)))
        for query in ({"from": "yesterday"}, {"until": "2026-13-01"}, {"active": "1"}):
            self.assertEqual(self.program.get("log", **query).status_code, 422)

    def test_changes_to_read_only_fields_are_reported(self):
        program = self.program
        for place, change in (
            ("mailboxes/bob@example.org", {"username": "robert@example.org"}),
            ("mailboxes/bob@example.org", {"domain": "example.com"}),
            ("mailboxes/bob@example.org", {"maildir": "x/"}),
            ("aliases/bob@example.org", {"active": False}),
            ("aliases/info@example.org", {"goto_mailbox": True}),
            ("mailboxes/bob@example.org", {"created": "2001-01-01T00:00:00Z"}),
        ):
            answer = program.patch(place, change)
            self.assertEqual((answer.status_code, set(answer.json()["errors"])), (422, set(change)))

    def test_the_forwarding_of_a_mailbox_is_its_alias(self):
        change = {"goto": ["away@elsewhere.example"], "goto_mailbox": False}
        answer = self.program.patch("aliases/bob@example.org", change)
        self.assertEqual(answer.status_code, 200, answer.content)
        self.assertEqual(Alias.objects.get(pk="bob@example.org").goto, "away@elsewhere.example")

    def test_a_matching_etag_allows_the_change(self):
        place = "mailboxes/bob@example.org"
        first = self.program.get(place)
        again = self.program.get(place, headers={"If-None-Match": first["ETag"]})
        self.assertEqual((again.status_code, again.content), (304, b""))
        answer = self.program.patch(place, {"name": "B"}, headers={"If-Match": first["ETag"]})
        self.assertEqual(answer.status_code, 200)
        self.assertEqual(answer["ETag"], self.program.get(place)["ETag"])
        for tag in ('"x"', first["ETag"], "", "W/x"):
            answer = self.program.patch(place, {"name": "C"}, headers={"If-Match": tag})
            self.assertEqual(answer.status_code, 412, tag)
        answer = self.program.patch(place, {"name": "C"}, headers={"If-Match": "*"})
        self.assertEqual(answer.status_code, 200)

    def test_lists_are_paginated_by_cursor(self):
        for n in range(5):
            self.program.post(
                "aliases", {"local_part": f"a{n}", "domain": "example.org", "goto": ["x@y.test"]}
            )
        found, after = [], None
        while True:
            query = {"limit": 2, "domain": "example.org"} | ({"after": after} if after else {})
            answer = self.program.get("aliases", **query).json()
            found += [item["address"] for item in answer["items"]]
            after = answer["next"]
            if after is None:
                break
        self.assertEqual(found, [*(f"a{n}@example.org" for n in range(5)), "info@example.org"])
        for limit in ("0", "1001", "x", "-1", "٣", "9" * 30):
            self.assertEqual(self.program.get("aliases", limit=limit).status_code, 422, limit)

    def test_the_newest_lines_of_the_log_are_first(self):
        for n in range(3):
            self.program.patch("mailboxes/bob@example.org", {"name": f"B{n}"})
        page = self.program.get("log", limit=2).json()
        numbers = [item["id"] for item in page["items"]]
        self.assertEqual(numbers, sorted(numbers, reverse=True))
        following = self.program.get("log", after=page["next"]).json()["items"]
        self.assertTrue(all(item["id"] < min(numbers) for item in following))
        self.assertEqual(self.program.get("log", after="x").status_code, 404)

    def test_an_invalid_address_is_a_problem(self):
        for place in (
            "nothing",
            "mailboxes/",
            "v2",
            "mailboxes/nobody@example.org",
            "mailboxes/a/b",
        ):
            for method in ("get", "post", "patch", "delete", "put"):
                answer = self.program.request(method, place)
                self.assertIn(answer.status_code, (404, 405), (method, place))
                self.assertEqual(answer["Content-Type"], "application/problem+json")

    def test_a_large_domain_is_deleted_by_a_job_that_the_token_can_read(self):
        program = self.api(self.root)
        with mock.patch("mailboxes.services.domain_deletion.LARGE_DOMAIN_MAILBOXES", 0):
            answer = program.delete("domains/example.org")
        self.assertEqual(answer.status_code, 202)
        job = ApiClient.request(program, "get", f"jobs/{answer.json()['job']}")
        self.assertEqual((job.status_code, job.json()["state"]), (200, "waiting"))
        self.assertEqual(answer["Location"], f"/api/v1/jobs/{job.json()['id']}")
        for language, title in (("en", "Delete example.org"), ("de", "example.org löschen")):
            headers = {"accept-language": language}
            job = program.request("get", f"jobs/{answer.json()['job']}", headers=headers)
            self.assertEqual(job.json()["title"], title)
        self.assertEqual(self.api(self.root).get(f"jobs/{job.json()['id']}").status_code, 404)
        self.assertEqual(self.program.get(f"jobs/{job.json()['id']}").status_code, 404)

    def test_a_domain_with_inbound_references_is_not_deleted(self):
        program = self.api(self.root)
        mirror = {"alias_domain": "example.com", "target_domain": "example.org"}
        self.assertEqual(program.post("alias-domains", mirror).status_code, 201)
        answer = program.delete("domains/example.org")
        self.assertEqual(answer.status_code, 422)
        self.assertIn("Delete that alias domain first", answer.json()["title"])

    @override_settings(MAILADMIN_ALIAS_DOMAIN=False)
    def test_a_table_outside_the_api_is_not_found(self):
        self.assertEqual(self.api(self.root).get("alias-domains").status_code, 403)


@contextlib.contextmanager
def overtaken_once(**values):
    """Let another user change bob after the client has read the row and before it writes."""
    valid, done = TableForm.is_valid, []

    def overtaking(form):
        if not done:
            done.append(True)
            changed = values or {"name": "Changed meanwhile"}
            modified = timezone.now() + datetime.timedelta(seconds=5)
            Mailbox.objects.filter(pk="bob@example.org").update(modified=modified, **changed)
        return valid(form)

    with mock.patch.object(TableForm, "is_valid", overtaking):
        yield
