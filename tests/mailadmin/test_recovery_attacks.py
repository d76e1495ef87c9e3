"""Attacks on links for new passwords."""

import base64
import datetime
import logging
import re
from unittest import mock

from django.db import connection
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from mailadmin import passwords
from mailadmin.accounts.models import LoginFailure
from mailadmin.accounts.recovery.models import RecoveryRequest
from mailadmin.accounts.recovery.requests import purge_requests
from mailadmin.accounts.sessions import end_sessions
from mailboxes.models import Mailbox
from mailboxes.services.mailboxes import create_mailboxes, delete_mailboxes, set_mailboxes
from tests.base import PASSWORD
from tests.mailadmin.recovery_world import BOBS, NEW, RecoveryWorld

NAMES = [
    "bob@example.org",  # has an address elsewhere
    "carol@example.com",  # has none
    "root@example.net",
    "alice@example.org",
    "nobody@example.org",
    "<script>alert(1)</script>",
    "' OR 1=1 --",
    "боб@example.org",
    "x" * 255,
]


class AnswerTests(RecoveryWorld):
    def test_every_name_gets_the_same_answer_by_the_same_statements(self):
        seen = []
        Client().get("/login/forgot/")  # what is computed once
        for name in NAMES:
            LoginFailure.objects.all().delete()
            client = Client()
            with CaptureQueriesContext(connection) as queries:
                response = client.post("/login/forgot/", {"username": name})
            statements = [re.split(r"WHERE|VALUES|SET", query["sql"])[0] for query in queries]
            page = client.get(response["Location"]).content
            seen.append((response["Location"], statements, re.sub(rb'"[^"]{64}"', b"", page)))
        for answer in seen[1:]:
            self.assertEqual(answer, seen[0])

    def test_the_page_hashes_nothing(self):
        with mock.patch("mailadmin.passwords._verify_candidates") as verify:
            for name in NAMES:
                Client().post("/login/forgot/", {"username": name})
        verify.assert_not_called()

    def test_a_name_can_be_asked_for_five_times_an_hour_from_anywhere(self):
        for name in ("bob@example.org", "nobody@example.org"):
            codes = [
                self.ask(name.upper(), REMOTE_ADDR=f"192.0.2.{n}").status_code for n in range(7)
            ]
            self.assertEqual(codes, [302] * 5 + [429] * 2)
        self.assertEqual(len(self.links()), 5)

    def test_a_network_can_ask_thirty_times_an_hour(self):
        for number in range(30):
            self.assertEqual(self.ask(f"somebody-{number}@example.org").status_code, 302)
        self.assertEqual(self.ask().status_code, 429)
        rows = LoginFailure.objects.count()
        self.ask("another@example.org")
        self.assertEqual(LoginFailure.objects.count(), rows)
        self.assertEqual(self.links(), [])

    def test_asking_locks_nobody_out(self):
        for _time in range(7):
            self.ask()
        client = Client()
        self.log_in(self.bob.pk, client=client)
        self.assertTrue(self.is_logged_in(client))

    def test_the_form_is_protected_against_other_sites(self):
        client = Client(enforce_csrf_checks=True)
        self.assertEqual(self.ask(client=client).status_code, 403)
        self.assertFalse(RecoveryRequest.objects.exists())
        link, client = self.link(), Client(enforce_csrf_checks=True)
        self.assertEqual(self.use(link, client=client).status_code, 403)
        self.assertTrue(Mailbox.objects.get(pk=self.bob.pk).check_password(PASSWORD))

    @override_settings(ALLOWED_HOSTS=["*"])
    def test_the_host_of_a_request_is_in_no_link(self):
        self.ask(HTTP_HOST="attacker.example", HTTP_X_FORWARDED_HOST="attacker.example")
        [(recipient, _link)] = self.links()  # which asserts where it leads
        self.assertEqual(recipient, BOBS)

    def test_requests_that_no_worker_answered_are_forgotten(self):
        old = timezone.now() - datetime.timedelta(hours=2)
        RecoveryRequest.objects.create(name=self.bob.pk, address="", device="", requested=old)
        self.ask("nobody@example.org")
        self.assertEqual(self.links(), [])
        RecoveryRequest.objects.create(name=self.bob.pk, address="", device="", requested=old)
        purge_requests()
        self.assertFalse(RecoveryRequest.objects.exists())


class LinkTests(RecoveryWorld):
    def test_a_link_is_used_once(self):
        link = self.link()
        self.use(link)
        self.assert_ended(link)

    def test_two_browsers_with_one_link_set_one_password(self):
        link, first, second = self.link(), Client(), Client()
        first.get(link)
        second.get(link)
        self.use(link, client=first)
        data = {"password": "third-horse-42", "password2": "third-horse-42"}
        self.assertEqual(second.post("/login/recover/", data).status_code, 410)
        self.assertTrue(Mailbox.objects.get(pk=self.bob.pk).check_password(NEW))

    def test_opening_a_link_changes_nothing(self):
        link = self.link()
        for method in ("get", "head"):
            getattr(Client(), method)(link)
        self.assertEqual(Client().post(link).status_code, 405)
        self.assertRedirects(self.use(link), "/login/")

    def test_a_link_ends_after_an_hour(self):
        link = self.link()
        bob = Mailbox.objects.filter(pk=self.bob.pk)
        left = bob.get().token_validity - timezone.now()
        self.assertLessEqual(left, datetime.timedelta(hours=1))
        self.assertGreater(left, datetime.timedelta(minutes=59))
        bob.update(token_validity=timezone.now() - datetime.timedelta(seconds=1))
        self.assert_ended(link)

    def test_a_newer_link_ends_the_older_one(self):
        older, newer = self.link(), self.link()
        self.assert_ended(older)
        self.assertRedirects(self.use(newer), "/login/")

    def test_what_changes_the_account_ends_the_link(self):
        stored = passwords.make_hash("third-horse-42")
        edits = {
            "password": lambda: self.edit_bob(password=stored),
            "email_other": lambda: self.edit_bob(email_other="x@elsewhere.example"),
            "sessions": lambda: end_sessions([self.bob]),
            "active": self.deactivate_and_activate,
            "created": lambda: self.edit_bob(created=timezone.now() - datetime.timedelta(9)),
        }
        for name, edit in edits.items():
            LoginFailure.objects.all().delete()
            link = self.link()
            edit()
            with self.subTest(name):
                self.assert_ended(link)

    def edit_bob(self, **values):
        Mailbox.objects.filter(pk=self.bob.pk).update(**values)

    def deactivate_and_activate(self):
        for value in (False, True):
            self.perform(self.alice, set_mailboxes, [self.bob.pk], "active", value)

    def test_a_deactivated_account_has_no_link(self):
        link = self.link()
        self.edit_bob(active=False)
        self.assert_ended(link)
        self.ask()
        self.assertEqual(len(self.links()), 1)

    def test_a_new_mailbox_of_the_same_name_is_not_opened(self):
        link = self.link()
        token = Mailbox.objects.values("token", "token_validity").get(pk=self.bob.pk)
        stored, domain = self.bob.password, self.bob.domain
        self.perform(self.alice, delete_mailboxes, [self.bob.pk])
        row = {"local_part": "bob", "domain": domain, "password": stored, "email_other": BOBS}
        self.perform(self.alice, create_mailboxes, [row])
        self.edit_bob(**token, created=timezone.now() + datetime.timedelta(seconds=1))
        self.assert_ended(link)

    def test_the_token_of_another_account_opens_nothing(self):
        link = self.link()
        token = Mailbox.objects.values("token", "token_validity").get(pk=self.bob.pk)
        Mailbox.objects.filter(pk=self.carol.pk).update(**token, email_other=BOBS)
        secret = link.rpartition(".")[2].strip("/")
        owner = base64.urlsafe_b64encode(f"mailboxes.Mailbox:{self.carol.pk}".encode()).decode()
        self.assert_ended(f"/login/recover/{owner.rstrip('=')}.{secret}/")

    def test_the_stored_token_is_no_code(self):
        self.link()
        token = Mailbox.objects.get(pk=self.bob.pk).token
        owner = base64.urlsafe_b64encode(f"mailboxes.Mailbox:{self.bob.pk}".encode()).decode()
        for secret in (token, token.partition(":")[2], ""):
            self.assert_ended(f"/login/recover/{owner.rstrip('=')}.{secret}/")

    def test_the_token_of_postfixadmin_is_no_code(self):
        end = timezone.now() + datetime.timedelta(hours=1)
        self.edit_bob(token=passwords.make_hash("code"), token_validity=end)
        owner = base64.urlsafe_b64encode(f"mailboxes.Mailbox:{self.bob.pk}".encode()).decode()
        self.assert_ended(f"/login/recover/{owner.rstrip('=')}.code/")

    def test_garbage_opens_nothing(self):
        texts = ["x", "....", "é.é", "AAAA.x", "x" * 5000, "<script>", "%00", "bWFpbGJveGVz.x"]
        texts += [
            base64.urlsafe_b64encode(b"mailboxes.Mailbox:\xd0\xb1@example.org").decode() + ".x"
        ]
        texts += [base64.urlsafe_b64encode(b"auth.User:1").decode() + ".x"]
        for text in texts:
            with self.subTest(text):
                response = Client().get(f"/login/recover/{text}/", follow=True)
                self.assertIn(response.status_code, (404, 410))
        self.assertEqual(Client().get("/login/recover/").status_code, 410)

    def test_the_code_is_in_no_log_and_in_no_page(self):
        link, records = self.link(), []
        handler = logging.Handler()
        handler.emit = lambda record: records.append(str(vars(record)))
        logging.getLogger().addHandler(handler)
        self.addCleanup(logging.getLogger().removeHandler, handler)
        client = Client()
        with override_settings(MAILADMIN_LOG_FORMAT="json"):
            opened = client.get(link)
            page = client.get("/login/recover/")
        secret = link.rpartition(".")[2].strip("/")
        self.assertNotIn(secret, opened["Location"])
        self.assertNotIn(secret, page.content.decode())
        self.assertEqual(page["Referrer-Policy"], "same-origin")
        self.assertNotIn(secret, "".join(records))
