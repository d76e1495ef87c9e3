"""The API: tokens."""

import datetime
import json
import logging
from unittest import mock

from django.core.exceptions import PermissionDenied, ValidationError
from django.test import Client, override_settings
from django.utils import timezone

from domains.models import Admin
from domains.services.admins import edit_admin
from mailadmin.api.models import RequestCount, Token
from mailadmin.api.tokens import (
    TOKEN_PREFIX,
    TokenPrincipal,
    create_token,
    delete_token,
    generate_token,
)
from mailadmin.changes.models import Change, Log
from mailadmin.changes.perform import Actor, perform
from mailboxes.models import Mailbox
from mailboxes.services.mailboxes import delete_mailboxes
from tests.base import ApiClient, World
from tests.mailadmin.api_rows import DAVE


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
