"""The API: tokens, rows, idempotency, many rows, the schema."""

import contextlib
import dataclasses
import datetime
import json
import logging
from unittest import mock

from django.conf import settings
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError
from django.test import Client, override_settings
from django.utils import timezone

from domains.models import Admin, Domain
from domains.services.admins import edit_admin
from mailadmin.api.document import OPENAPI_PATH
from mailadmin.api.models import RequestCount, StoredResponse, Token
from mailadmin.api.openapi import render_openapi_document
from mailadmin.api.tokens import (
    TOKEN_PREFIX,
    TokenPrincipal,
    create_token,
    delete_token,
    generate_token,
)
from mailadmin.changes.models import Change, Log
from mailadmin.changes.perform import Actor, perform
from mailadmin.housekeeping import RESPONSE_TTL, purge_expired
from mailadmin.jobs.models import Job
from mailadmin.tables.forms import TableForm
from mailadmin.wsgi import application
from mailboxes.models import Alias, Mailbox
from mailboxes.services import mailboxes
from mailboxes.services.mailboxes import delete_mailboxes
from mailboxes.tables import MailboxTable
from tests.base import PASSWORD, ApiClient, World

DAVE = {"local_part": "dave", "domain": "example.org", "password": PASSWORD, "quota": 100}


class TokenTests(World):
    def test_a_token_is_stored_as_a_hash_and_shown_once(self):
        self.sign_in(self.alice)
        page = self.client.post("/account/tokens/", {"name": "backup", "verbs": ["read"]})
        text = page.context["new"]
        self.assertTrue(text.startswith(TOKEN_PREFIX))
        self.assertContains(page, text)
        self.assertNotContains(self.client.get("/account/tokens/"), text)
        token = Token.objects.get()
        self.assertEqual(token.hint, text[:16])
        self.assertNotIn(text, json.dumps(Token.objects.values().get(), default=str))
        self.assertEqual(token.owner_id, "alice@example.org")
        self.assertNotIn(text, json.dumps(list(Change.objects.values()), default=str))
        self.assertNotIn(token.digest, json.dumps(list(Change.objects.values()), default=str))
        self.assertEqual(self.logged(), [("create_token", "", "alice@example.org backup")])
        self.assertEqual(ApiClient(text).get("mailboxes").status_code, 200)

    def test_a_token_has_no_more_rights_than_its_owner(self):
        program = self.api(self.alice)
        self.assertEqual(program.get("admins").status_code, 403)
        self.assertEqual(program.post("domains", {"domain": "new.example"}).status_code, 403)
        with self.assertRaises(ValidationError):
            self.token(self.alice, domains=["example.com"])
        self.sign_in(self.alice)
        page = self.client.post("/account/tokens/", {"name": "x", "domains": "example.com"})
        self.assert_refused(page, "You do not manage the domain example.com")
        page = self.client.post("/account/tokens/", {"name": "x", "tables": ["admins"]})
        self.assertEqual(page.status_code, 422)
        self.assertFalse(Token.objects.filter(name="x").exists())

    def test_token_rights_follow_the_owner(self):
        program = self.api(self.alice)
        self.perform(self.root, edit_admin, self.alice.pk, {"domains": ["example.com"]})
        self.assertEqual(program.get("mailboxes/bob@example.org").status_code, 404)
        self.assertEqual(program.get("mailboxes/carol@example.com").status_code, 200)
        self.perform(self.root, edit_admin, self.alice.pk, {"active": False})
        self.assertEqual(program.get("mailboxes").status_code, 401)

    def test_a_superadmins_token_with_domains_is_not_a_superadmin(self):
        program = self.api(self.root, domains=["example.org"])
        self.assertEqual(program.get("admins").status_code, 403)
        self.assertEqual(program.get("domains/example.com").status_code, 404)
        self.assertEqual(program.get("domains/example.org").status_code, 200)
        self.assertNotIn("maildir", program.get("mailboxes/bob@example.org").json())
        answer = program.post("mailboxes", DAVE | {"domain": "example.com"})
        self.assertEqual((answer.status_code, list(answer.json()["errors"])), (422, ["domain"]))
        self.perform(self.root, edit_admin, self.root.pk, {"domains": ["example.com"]})
        self.assertEqual(program.get("domains/example.com").status_code, 404)

    def test_a_token_loses_domains_that_its_owner_loses(self):
        program = self.api(self.alice, domains=["example.org"])
        self.assertEqual(program.get("mailboxes/bob@example.org").status_code, 200)
        self.perform(self.root, edit_admin, self.alice.pk, {"domains": ["example.com"]})
        self.assertEqual(program.get("mailboxes").json()["items"], [])

    def test_a_token_is_limited_by_tables_and_verbs(self):
        program = self.api(self.root, tables=["mailboxes"], verbs=["read", "create"])
        self.assertEqual(program.get("mailboxes").status_code, 200)
        self.assertEqual(program.get("aliases").status_code, 403)
        self.assertEqual(program.get("explain", address="bob@example.org").status_code, 403)
        self.assertEqual(program.post("mailboxes", DAVE).status_code, 201)
        self.assertEqual(
            program.patch("mailboxes/dave@example.org", {"name": "D"}).status_code, 403
        )
        self.assertEqual(program.patch("mailboxes", [{}]).status_code, 403)
        self.assertEqual(program.delete("mailboxes/dave@example.org").status_code, 403)

    def test_a_token_is_limited_by_networks(self):
        program = self.api(self.alice, networks=["192.0.2.0/24", "2001:db8::/32"])
        self.assertEqual(program.get("mailboxes").status_code, 401)
        for address in ("192.0.2.9", "2001:db8::1", "::ffff:192.0.2.9"):
            answer = program.client.get("/api/v1/mailboxes", REMOTE_ADDR=address)
            self.assertEqual(answer.status_code, 200, address)

    def test_a_recreated_admin_does_not_inherit_tokens(self):
        """PostfixAdmin deletes an admin and later creates another of that name."""
        program = self.api(self.alice)
        later = timezone.now() + datetime.timedelta(seconds=2)
        Admin.objects.filter(pk=self.alice.pk).update(created=later)
        self.assertEqual(program.get("mailboxes").status_code, 401)

    def test_the_number_of_tokens_is_limited(self):
        with mock.patch("mailadmin.api.tokens.MAX_TOKENS", 1):
            self.token(self.alice)
            with self.assertRaises(ValidationError):
                self.token(self.alice)

    def test_a_token_that_expires_during_a_request_writes_nothing(self):
        self.token(self.root)
        for change in ({"expires": timezone.now()}, {"expires": None}):
            holder = TokenPrincipal(Token.objects.get())
            Token.objects.update(**change)
            Admin.objects.filter(pk=self.root.pk).update(active=bool(change["expires"]))
            with self.assertRaises(PermissionDenied):
                perform(Actor(holder, holder.username, "-"), delete_mailboxes, ["bob@example.org"])

    def test_full_access_has_to_be_asked_for(self):
        self.sign_in(self.alice)
        form = self.client.get("/account/tokens/").context["form"]
        days = form["expires"].value() - timezone.localdate()
        self.assertEqual(days, datetime.timedelta(days=90))
        url, data = "/account/tokens/", {"name": "x"}
        self.assert_refused(self.client.post(url, data), "Select full access, or limit")
        data |= {"full_access": "on"}
        both = data | {"verbs": ["read"]}
        self.assert_refused(self.client.post(url, both), "Remove the limits")
        self.assertEqual(self.client.post(url, data).status_code, 200)
        self.assertTrue(Token.objects.filter(name="x").exists())

    def test_a_token_is_valid_until_the_end_of_its_last_day(self):
        over = timezone.now() - datetime.timedelta(seconds=1)
        self.assertEqual(self.api(self.alice, expires=over).get("mailboxes").status_code, 401)
        self.sign_in(self.alice)
        today = timezone.localdate()
        page = self.client.post(
            "/account/tokens/", {"name": "today", "full_access": "on", "expires": today.isoformat()}
        )
        self.assertEqual(ApiClient(page.context["new"]).get("mailboxes").status_code, 200)
        midnight = datetime.datetime.combine(today + datetime.timedelta(days=1), datetime.time())
        self.assertEqual(Token.objects.get(name="today").expires, timezone.make_aware(midnight))
        yesterday = (today - datetime.timedelta(days=1)).isoformat()
        page = self.client.post("/account/tokens/", {"name": "past", "expires": yesterday})
        self.assert_refused(page, "in the past")

    def test_a_revoked_token_is_rejected(self):
        text = self.token(self.alice)
        self.sign_in(self.alice)
        self.client.post(f"/account/tokens/{Token.objects.get().pk}/delete/")
        self.assertEqual(ApiClient(text).get("mailboxes").status_code, 401)
        self.assertEqual(self.logged()[-1][0], "delete_token")

    def test_a_token_revoked_during_a_request_writes_nothing(self):
        self.token(self.root)
        holder = TokenPrincipal(Token.objects.get())
        self.perform(self.root, delete_token, holder.token.pk)
        with self.assertRaises(PermissionDenied):
            perform(Actor(holder, holder.username, "-"), delete_mailboxes, ["bob@example.org"])
        self.assertTrue(Mailbox.objects.filter(pk="bob@example.org").exists())

    def test_alice_cannot_see_tokens_of_others(self):
        self.token(self.root, name="of root alone")
        number = Token.objects.get().pk
        self.sign_in(self.alice)
        self.assertNotContains(self.client.get("/account/tokens/"), "of root alone")
        self.assertEqual(self.client.post(f"/account/tokens/{number}/delete/").status_code, 404)
        with self.assertRaises(ValidationError):
            self.perform(self.alice, delete_token, number)
        self.sign_in(self.bob)
        self.assertEqual(self.client.get("/account/tokens/").status_code, 403)

    def test_a_token_cannot_create_tokens(self):
        self.token(self.root)
        holder = TokenPrincipal(Token.objects.get())
        values = {"name": "another", "domains": []}
        actor = self.actor(self.root)
        with self.assertRaises(PermissionDenied):
            perform(
                Actor(holder, actor.name, "-"), create_token, self.root, values, generate_token()
            )

    def test_a_token_cannot_change_its_owners_rights(self):
        self.perform(self.root, edit_admin, self.alice.pk, {"superadmin": True})
        program = self.api(self.root)
        for answer in (
            program.delete(f"admins/{self.root.pk}"),
            program.patch(f"admins/{self.root.pk}", {"superadmin": False}),
            program.patch(f"admins/{self.root.pk}", {"active": False}),
        ):
            self.assertEqual(answer.status_code, 422)
        self.assertTrue(Admin.objects.get(pk=self.root.pk).superadmin)

    def test_malformed_tokens_are_rejected_and_not_logged(self):
        text = self.token(self.alice)
        with self.assertLogs("mailadmin.api", logging.WARNING) as logged:
            for header in (
                f"Bearer {text}x",
                f"Basic {text}",
                "Bearer",
                "Bearer \x00",
                "Bearer ж".encode().decode("latin1"),
                f"Bearer {TOKEN_PREFIX}",
                "",
            ):
                answer = Client(headers={"Authorization": header}).get("/api/v1/mailboxes")
                self.assertEqual(answer.status_code, 401, header)
                self.assertIn("Bearer", answer["WWW-Authenticate"])
        self.assertNotIn(text[12:], "".join(logged.output))

    def test_a_session_does_not_authenticate_api_requests(self):
        self.sign_in(self.root)
        self.assertEqual(self.client.get("/api/v1/mailboxes").status_code, 401)
        self.assertEqual(self.client.delete("/api/v1/domains/example.org").status_code, 401)

    def test_the_last_use_is_recorded_and_shown(self):
        self.api(self.alice).get("mailboxes")
        token = Token.objects.get()
        self.assertEqual(token.last_address, "127.0.0.1")
        self.sign_in(self.alice)
        self.assertContains(self.client.get("/account/tokens/"), "127.0.0.1")

    @override_settings(MAILADMIN_API_RATE=3)
    def test_too_many_requests_are_throttled(self):
        program, other = self.api(self.alice), self.api(self.root)
        self.assertEqual([program.get("log").status_code for _ in range(4)], [200, 200, 200, 429])
        self.assertEqual(other.get("log").status_code, 200)
        answer = program.get("log")
        self.assertTrue(50 < int(answer["Retry-After"]) <= 61)
        self.assertEqual(
            program.get("admins").status_code, 429
        )  # a forbidden request counts as well
        self.assertEqual(answer["Content-Type"], "application/problem+json")
        own = RequestCount.objects.filter(owner=self.alice.pk)
        own.update(window_start=timezone.now() - datetime.timedelta(seconds=61))
        self.assertEqual(program.get("log").status_code, 200)

    @override_settings(MAILADMIN_API_RATE=100)
    def test_each_row_of_a_request_counts_towards_the_rate(self):
        program = self.api(self.alice)
        rows = [{"local_part": f"a{n}", "domain": "example.org", "goto": []} for n in range(150)]
        self.assertEqual(program.post("aliases", rows).status_code, 422)
        self.assertEqual(program.get("log").status_code, 429)

    def test_the_log_names_the_token(self):
        self.api(self.alice).post("mailboxes", DAVE)
        number = Token.objects.get().pk
        line = Log.objects.get(action="create_mailbox")
        self.assertEqual(line.username, f"alice@example.org (127.0.0.1, token {number})")


class RowTests(World):
    def setUp(self):
        self.program = self.api(self.alice)

    def test_missing_fields_get_the_form_defaults(self):
        answer = self.program.post("mailboxes", DAVE)
        self.assertEqual(answer.status_code, 201, answer.content)
        told = answer.json()
        self.assertEqual((told["active"], told["smtp_active"], told["quota"]), (True, True, 100))
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
                told = panel.call_args[0][0]["CONTENT_TYPE"]
                self.assertNotIn("charset", told.lower())
                self.assertTrue(told.startswith("text/plain"))

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


class IdempotencyTests(World):
    def setUp(self):
        self.program = self.api(self.alice)
        self.key = {"Idempotency-Key": "8e03978e-40d5-43dd-bc93-6894a57f9324"}

    def test_a_repeated_request_is_performed_once(self):
        first = self.program.post("mailboxes", DAVE, headers=self.key)
        again = self.program.post("mailboxes", DAVE, headers=self.key)
        self.assertEqual((first.status_code, again.status_code), (201, 201))
        self.assertEqual(again.json(), first.json())
        self.assertEqual((again["ETag"], again["Location"]), (first["ETag"], first["Location"]))
        self.assertEqual(again["Idempotent-Replayed"], "true")
        self.assertEqual(Log.objects.filter(action="create_mailbox").count(), 1)

    def test_a_list_response_is_replayed_too(self):
        rows = [DAVE, DAVE | {"local_part": "erin"}]
        first = self.program.post("mailboxes", rows, headers=self.key)
        again = self.program.post("mailboxes", rows, headers=self.key)
        self.assertEqual((again.status_code, again.json()), (201, first.json()))

    def test_a_replayed_warning_is_in_the_language_of_the_request(self):
        row = {"local_part": "list", "domain": "example.org", "goto": ["nobody@example.org"]}
        row |= {"description": '{"msgid": "Mailbox"}'}  # of a user: no text of the panel
        for language, words in (("en", "does not exist"), ("de", "existiert nicht")):
            headers = self.key | {"Accept-Language": language}
            answer = self.program.post("aliases", row, headers=headers).json()
            self.assertIn(words, answer["warnings"][0])
            self.assertEqual(answer["description"], row["description"])

    def test_another_request_with_the_same_key_is_refused(self):
        self.program.post("mailboxes", DAVE, headers=self.key)
        other = self.program.post("mailboxes", DAVE | {"name": "D"}, headers=self.key)
        self.assertEqual(other.status_code, 422)
        elsewhere = self.program.post("aliases", DAVE, headers=self.key)
        self.assertEqual(elsewhere.status_code, 422)

    def test_a_refused_request_may_be_retried(self):
        bad = self.program.post("mailboxes", DAVE | {"password": "x"}, headers=self.key)
        self.assertEqual(bad.status_code, 422)
        self.assertFalse(StoredResponse.objects.exists())
        self.assertEqual(self.program.post("mailboxes", DAVE, headers=self.key).status_code, 201)

    def test_idempotency_keys_are_per_token(self):
        self.program.post("mailboxes", DAVE, headers=self.key)
        other = self.api(self.alice).post("mailboxes", DAVE, headers=self.key)
        self.assertEqual(other.status_code, 409)
        capitals = {"Idempotency-Key": self.key["Idempotency-Key"].upper()}
        self.assertEqual(self.program.post("mailboxes", DAVE, headers=capitals).status_code, 409)

    def test_an_idempotency_key_has_a_maximum_length(self):
        for key in ("", "x" * 256, "\x01", "ж"):
            answer = self.program.post("mailboxes", DAVE, headers={"Idempotency-Key": key})
            self.assertEqual(answer.status_code, 400, key)

    def test_stored_responses_are_purged_after_a_day(self):
        self.program.post("mailboxes", DAVE, headers=self.key)
        purge_expired()
        self.assertTrue(StoredResponse.objects.exists())
        StoredResponse.objects.update(
            at=timezone.now() - RESPONSE_TTL - datetime.timedelta(seconds=1)
        )
        purge_expired()
        self.assertFalse(StoredResponse.objects.exists())


class MultipleRowTests(World):
    def setUp(self):
        Domain.objects.update(mailboxes=0, aliases=0, quota=0, maxquota=0)
        self.program = self.api(self.alice)

    def rows(self, count):
        return [
            {"local_part": f"m{n}", "domain": "example.org", "goto": [f"x{n}@y.test"]}
            for n in range(count)
        ]

    def test_a_thousand_rows_are_created_by_one_request(self):
        answer = self.program.post("aliases", self.rows(1000))
        self.assertEqual(answer.status_code, 201)
        self.assertEqual([item["local_part"] for item in answer.json()["items"]][:2], ["m0", "m1"])
        self.assertEqual(Log.objects.filter(action="create_alias").count(), 1000)
        self.assertEqual(self.program.post("aliases", self.rows(1001)).status_code, 422)

    def test_errors_name_their_row_and_nothing_is_created(self):
        rows = self.rows(5)
        rows[1]["goto"] = []
        rows[3]["goto"] = ["not an IP address"]
        answer = self.program.post("aliases", rows)
        self.assertEqual(answer.status_code, 422)
        told = {item["index"]: item["errors"] for item in answer.json()["items"]}
        self.assertEqual(list(told), [3])
        self.assertEqual(list(told[3]), ["goto"])
        rows[3]["goto"] = ["x@y.test"]
        answer = self.program.post("aliases", rows)
        self.assertEqual([item["index"] for item in answer.json()["items"]], [1])
        self.assertFalse(Alias.objects.filter(pk="m0@example.org").exists())
        self.assertFalse(Log.objects.filter(action="create_alias").exists())

    def test_a_limit_applies_to_all_rows_together(self):
        Domain.objects.filter(pk="example.org").update(aliases=3)
        answer = self.program.post("aliases", self.rows(5))
        self.assertEqual([item["index"] for item in answer.json()["items"]], [2, 3, 4])
        self.assertFalse(Alias.objects.filter(pk="m0@example.org").exists())

    def test_no_password_is_hashed_for_existing_rows(self):
        rows = [DAVE | {"local_part": "bob"}, DAVE]
        with mock.patch("mailadmin.passwords.make_hash", side_effect=AssertionError):
            answer = self.program.post("mailboxes", rows)
        self.assertEqual([item["index"] for item in answer.json()["items"]], [0])

    def test_wrong_types_are_reported_by_index(self):
        rows = self.rows(3)
        rows[2] = {"local_part": 7}
        answer = self.program.post("aliases", rows)
        self.assertEqual([item["index"] for item in answer.json()["items"]], [2])

    def test_one_foreign_row_refuses_the_whole_request(self):
        for rows in (
            [
                {"username": "bob@example.org", "name": "B"},
                {"username": "carol@example.com", "name": "C"},
            ],
            [{"username": "bob@example.org", "name": "B"}, {"name": "C"}],
            [{"username": "bob@example.org", "name": "B"}, {"username": 7}],
            [{"username": "bob@example.org", "name": "B"}, {"username": "BOB@example.org"}],
        ):
            answer = self.program.patch("mailboxes", rows)
            self.assertEqual(answer.status_code, 422, answer.content)
            self.assertEqual([item["index"] for item in answer.json()["items"]], [1])
        self.assertEqual(Mailbox.objects.get(pk="bob@example.org").name, "Bob")

    def test_several_rows_are_changed_or_none(self):
        self.program.post("aliases", self.rows(3))
        changes = [{"address": f"m{n}@example.org", "description": f"d{n}"} for n in (2, 0)]
        answer = self.program.patch("aliases", changes)
        self.assertEqual(answer.status_code, 200, answer.content)
        self.assertEqual([item["description"] for item in answer.json()["items"]], ["d2", "d0"])
        changes[0]["description"] = "again"
        changes[1]["goto"] = ["m0@example.org"]
        answer = self.program.patch("aliases", changes)
        self.assertEqual([item["index"] for item in answer.json()["items"]], [1])
        self.assertEqual(Alias.objects.get(pk="m2@example.org").description, "d2")

    def test_if_match_is_refused_for_many_rows(self):
        rows = self.program.get("mailboxes").json()["items"]
        answer = self.program.patch("mailboxes", rows, headers={"If-Match": '"x"'})
        self.assertEqual(answer.status_code, 400)

    def test_a_concurrent_change_is_not_lost(self):
        with overtaken_once():
            answer = self.program.patch("mailboxes", [{"username": "bob@example.org", "quota": 5}])
        self.assertEqual(answer.status_code, 200, answer.content)
        self.assertEqual(answer.json()["items"][0]["name"], "Changed meanwhile")

    def test_rows_may_be_sent_back_unchanged(self):
        items = self.program.get("mailboxes").json()["items"]
        items[0]["name"] = "Robert"
        answer = self.program.patch("mailboxes", items)
        self.assertEqual(answer.status_code, 200, answer.content)
        self.assertEqual(Log.objects.filter(action="edit_mailbox").count(), 1)

    def test_domains_named_twice_are_refused(self):
        row = {"domain": "new.example"}
        answer = self.api(self.root).post("domains", [row, row])
        self.assertEqual([item["index"] for item in answer.json()["items"]], [1])


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
