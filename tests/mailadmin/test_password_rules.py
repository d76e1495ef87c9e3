"""The rules for new passwords hold wherever one is given: pages, API, commands, imports."""

import io
import json
from unittest import mock

from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.core.management.base import CommandError

from domains.models import Admin
from mailboxes.models import Mailbox
from mailboxes.transfer.row_types.mailboxes import MailboxRowType
from tests.base import PASSWORD, World

REFUSED = {
    "kim2024": "address or its domain",
    "password123": "most common",
    "short-1": "at least 8 characters",
}
ACCEPTED = "harbour-4711"
KEYS = {"username": "Kim@example.org"}, {"local_part": "kim", "domain": "example.org"}


class PasswordRulesTests(World):
    def refused(self, address):
        """Yield passwords that this person cannot have, with the reason."""
        local_part = address.partition("@")[0]
        for password, reason in REFUSED.items():
            yield password.replace("kim", local_part), reason

    def test_on_the_page_of_a_new_mailbox(self):
        self.sign_in(self.alice)
        data = {"local_part": "kim", "domain": "example.org", "quota": "1", "active": "on"}
        for password, reason in self.refused("kim@example.org"):
            with self.subTest(password):
                again = {"password": password, "password2": password}
                page = self.client.post("/mailboxes/create/", data | again)
                self.assertContains(page, reason, status_code=422)
        self.assertFalse(Mailbox.objects.filter(pk="kim@example.org").exists())
        again = {"password": ACCEPTED, "password2": ACCEPTED}
        self.client.post("/mailboxes/create/", data | again)
        self.assertTrue(Mailbox.objects.filter(pk="kim@example.org").exists())

    def test_on_the_page_of_a_mailbox(self):
        self.sign_in(self.alice)
        for password, reason in self.refused(self.bob.pk):
            with self.subTest(password):
                data = {"password": password, "password2": password, "quota": "10"}
                page = self.client.post(f"/mailboxes/{self.bob.pk}/edit/", data)
                self.assertContains(page, reason, status_code=422)

    def test_on_the_pages_of_admins(self):
        self.sign_in(self.root)
        for password, reason in self.refused("kim@example.org"):
            with self.subTest(password):
                data = {"username": "kim@example.org", "password": password, "password2": password}
                self.assertContains(
                    self.client.post("/admins/create/", data), reason, status_code=422
                )
        for password, reason in self.refused(self.alice.pk):
            with self.subTest(password):
                data = {"password": password, "password2": password, "active": "on"}
                page = self.client.post(f"/admins/{self.alice.pk}/edit/", data)
                self.assertContains(page, reason, status_code=422)
        self.assertFalse(Admin.objects.filter(pk="kim@example.org").exists())

    def test_on_ones_own_page(self):
        for person in (self.bob, self.alice):
            self.sign_in(person)
            for password, reason in self.refused(person.pk):
                with self.subTest(person=person.pk, password=password):
                    data = {"old_password": PASSWORD, "password": password, "password2": password}
                    self.assertContains(
                        self.client.post("/account/password/", data), reason, status_code=422
                    )
            self.assertTrue(type(person).objects.get(pk=person.pk).check_password(PASSWORD))

    def test_in_the_api(self):
        headers = {"Authorization": f"Bearer {self.token(self.alice)}"}
        row = {"local_part": "kim", "domain": "example.org"}
        for password, reason in self.refused("kim@example.org"):
            with self.subTest(password):
                answer = self.client.post(
                    "/api/v1/mailboxes",
                    json.dumps(row | {"password": password}),
                    content_type="application/json",
                    headers=headers,
                )
                self.assertContains(answer, reason, status_code=422)

    def test_in_a_command(self):
        for password, reason in self.refused("kim@example.org"):
            with (
                self.subTest(password),
                mock.patch("sys.stdin", io.StringIO(password + "\n")),
                self.assertRaisesRegex(CommandError, reason),
            ):
                call_command("mailbox", "add", "kim@example.org", "--password-stdin")

    def test_in_an_import(self):
        row_type = MailboxRowType()
        for password, reason in self.refused("kim@example.org"):
            for key in (
                {"username": "Kim@example.org"},
                {"local_part": "kim", "domain": "example.org"},
            ):
                with self.subTest(password), self.assertRaisesRegex(ValidationError, reason):
                    row_type.clean(key | {"password": password})


class PasswordCheckTests(World):
    def check(self, password, address=""):
        return self.client.post(
            "/account/password/check/", {"password": password, "address": address}
        )

    def test_broken_rules_are_told_while_typing(self):
        self.sign_in(self.bob)
        self.assertContains(self.check("short-1"), "at least 8 characters")
        self.assertContains(self.check("kim-2024", "kim@example.org"), "address or its domain")
        self.assertContains(self.check(ACCEPTED, "kim@example.org"), "This password can be used.")
        self.assertNotContains(self.check("<b>1"), "<b>")

    def test_it_needs_a_sign_in_and_a_post(self):
        self.assertRedirects(self.check(ACCEPTED), "/login/")
        self.sign_in(self.bob)
        self.assertEqual(self.client.get("/account/password/check/").status_code, 405)
