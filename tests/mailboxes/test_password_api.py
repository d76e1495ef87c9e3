"""A change of password by an address, the current password and the new one, without a session."""

from unittest import mock

from django.contrib.sessions.models import Session
from django.test import Client, override_settings

from domains.models import DomainFactorPolicy
from mailadmin.accounts.factors.models import PolicyLevel
from mailadmin.accounts.models import SignedInSession
from mailadmin.changes.models import Change, Log
from mailadmin.hooks.models import HookDelivery
from mailboxes.models import Mailbox
from tests.base import PASSWORD, World

URL = "/webmail/password/"
NEW = "other-horse-4711"
FORM = "application/x-www-form-urlencoded"


class PasswordApiTests(World):
    def post(self, client=None, **fields):
        values = {"user": self.bob.pk, "curpass": PASSWORD, "newpass": NEW} | fields
        body = "&".join(f"{name}={value}" for name, value in values.items())
        return (client or Client(enforce_csrf_checks=True)).post(URL, body, content_type=FORM)

    def assert_refused(self, response, status, text=""):
        self.assertEqual(response.status_code, status, response.content)
        self.assertIn(text, response.content.decode())
        self.assertTrue(Mailbox.objects.get(pk=self.bob.pk).check_password(PASSWORD))
        self.assertFalse(Log.objects.exists())

    def test_the_password_is_changed_and_logged(self):
        response = self.post()
        self.assertEqual((response.status_code, response.content), (200, b"ok"))
        self.assertEqual(response["Content-Type"], "text/plain; charset=utf-8")
        self.assertTrue(Mailbox.objects.get(pk=self.bob.pk).check_password(NEW))
        (line,) = Log.objects.all()
        self.assertEqual((line.action, line.data), ("edit_password", self.bob.pk))
        self.assertEqual(line.username, "bob@example.org (127.0.0.1)")
        change = Change.objects.get(table="mailbox", key=self.bob.pk)
        self.assertNotIn(NEW, str(change.__dict__))

    def test_no_session_is_made_and_others_end(self):
        browser = Client()
        browser.post("/login/", {"username": self.bob.pk, "password": PASSWORD})
        self.assertEqual(browser.get("/account/").status_code, 200)
        before = Session.objects.count(), SignedInSession.objects.count()
        response = self.post()
        self.assertEqual((Session.objects.count(), SignedInSession.objects.count()), before)
        self.assertFalse(response.cookies)
        self.assertRedirects(browser.get("/account/"), "/login/?next=/account/")

    def test_the_session_of_a_browser_counts_for_nothing(self):
        browser = Client()
        browser.post("/login/", {"username": self.bob.pk, "password": PASSWORD})
        Log.objects.all().delete()
        self.assert_refused(self.post(browser, curpass="wrong"), 403)
        self.assertEqual(self.post(browser).status_code, 200)
        self.assertEqual(browser.get("/account/").status_code, 302)

    def test_wrong_addresses_and_passwords_are_refused_alike(self):
        texts = set()
        for fields in (
            {"curpass": "wrong"},
            {"user": "nobody@example.org"},
            {"user": "bob%25"},
            {"user": "b_b@example.org"},
            {"user": "alice@example.org"},  # an admin
            {"user": "bob@example.org%00"},
            {"user": "bob%7F@example.org"},
            {"user": "%F0%9F%90%87@example.org"},
            {"user": "b" * 100_000},
            {"curpass": "x" * 100_000},
            {"curpass": "%00"},
        ):
            response = self.post(**fields)
            self.assert_refused(response, 403, "Incorrect address or password")
            texts.add(response.content)
        Mailbox.objects.filter(pk=self.bob.pk).update(active=False)
        texts.add(self.post().content)
        self.assertEqual(len(texts), 1)

    def test_the_rules_for_passwords_apply(self):
        self.assert_refused(self.post(newpass="short"), 422, "at least")
        self.assert_refused(self.post(newpass=PASSWORD), 422, "the same as the current one")

    def test_an_account_that_needs_more_than_a_password_is_refused(self):
        policy = DomainFactorPolicy.objects.create(
            domain_id="example.org", level=PolicyLevel.REQUIRED
        )
        self.assert_refused(self.post(), 403, "only be changed in the panel")
        policy.delete()
        Mailbox.objects.filter(pk=self.bob.pk).update(totp_secret="JBSWY3DPEHPK3PXP")
        self.assert_refused(self.post(), 403, "only be changed in the panel")

    def test_failures_are_counted_as_at_the_sign_in(self):
        with mock.patch("mailadmin.accounts.throttling.MAX_FAILURES_PER_CLIENT", 2):
            for _n in range(2):
                self.assert_refused(self.post(curpass="wrong"), 403)
            response = self.post()
            self.assert_refused(response, 429, "Try again in")
            self.assertGreater(int(response["Retry-After"]), 0)
            page = self.client.post("/login/", {"username": self.bob.pk, "password": PASSWORD})
            self.assertEqual(page.status_code, 429)

    def test_a_refused_new_password_is_no_failed_sign_in(self):
        with mock.patch("mailadmin.accounts.throttling.MAX_FAILURES_PER_CLIENT", 2):
            for _n in range(4):
                self.assert_refused(self.post(newpass="short"), 422)

    def test_a_password_that_has_expired_can_be_changed(self):
        with mock.patch.object(Mailbox, "password_has_expired", return_value=True):
            self.assertEqual(self.post().status_code, 200)

    @override_settings(MAILADMIN_MAILBOX_POSTPASSWORD_SCRIPT=("/bin/true",))
    def test_the_password_script_is_run(self):
        self.post()
        self.assertEqual(HookDelivery.objects.count(), 1)

    def test_requests_of_other_forms(self):
        client = Client()
        self.assertEqual(client.get(URL).status_code, 405)
        for response in (
            client.post(URL, {"user": self.bob.pk, "curpass": PASSWORD, "newpass": NEW}),
            client.post(URL, {"user": self.bob.pk}, content_type="application/json"),
        ):
            self.assert_refused(response, 415, FORM)
        for name in ("user", "curpass", "newpass"):
            self.assert_refused(self.post(**{name: ""}), 400, "user, curpass, newpass")
        query = f"{URL}?user={self.bob.pk}&curpass={PASSWORD}&newpass={NEW}"
        self.assert_refused(client.post(query, "x=1", content_type=FORM), 400)

    @override_settings(MAILADMIN_PASSWORD_API=False)
    def test_it_is_off_unless_a_setting_says_otherwise(self):
        self.assert_refused(self.post(), 404)
