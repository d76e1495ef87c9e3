"""Login: credentials, one-time codes, expiry, client addresses."""

import datetime
from unittest import mock

from django.db import connection
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from domains.models import Admin, Domain
from domains.services.admins import create_admins, set_admins
from mailadmin import passwords
from mailadmin.accounts import networks, throttling
from mailadmin.accounts.backends import AdminBackend, MailboxBackend
from mailadmin.accounts.models import LoginFailure
from mailadmin.accounts.throttling import MAX_FAILURES_PER_CLIENT, MAX_FAILURES_PER_NETWORK
from mailadmin.changes.models import Log
from mailboxes.models import AppPassword, Mailbox
from mailboxes.services.mailboxes import set_mailboxes
from tests.base import PASSWORD
from tests.mailadmin.login_world import SECRET, LoginWorld


def is_transaction(sql):
    return sql.startswith(("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE SAVEPOINT"))


class LoginTests(LoginWorld):
    def test_admins_and_owners_sign_in_with_the_same_form(self):
        for person in (self.root, self.alice, self.bob):
            client = Client()
            self.assertRedirects(self.log_in(person.pk, client=client), "/")
            self.assertEqual(client.get("/").wsgi_request.user, person)

    def test_a_sign_in_runs_few_statements(self):
        for person in (self.root, self.alice, self.bob):
            client = Client()
            self.log_in(person.pk, client=client)  # what is looked up once a process
            client.post("/logout/")
            with self.subTest(person=person.pk), CaptureQueriesContext(connection) as captured:
                self.assertRedirects(
                    self.log_in(person.pk, client=client), "/", fetch_redirect_response=False
                )
            statements = [each["sql"] for each in captured if not is_transaction(each["sql"])]
            self.assertLessEqual(len(statements), 10, statements)

    def test_a_session_is_stored_once_when_it_begins(self):
        client = Client()
        with CaptureQueriesContext(connection) as captured:
            self.log_in(self.bob.pk, client=client)
        written = [each["sql"] for each in captured if "django_session" in each["sql"]]
        self.assertEqual([sql.split()[0] for sql in written], ["INSERT"])
        self.assertTrue(self.is_logged_in(client))

    def test_usernames_ignore_case_and_spaces(self):
        self.assertRedirects(self.log_in("  Bob@Example.ORG "), "/")

    def test_the_password_decides_between_admin_and_mailbox(self):
        stored = passwords.make_hash("another-77-password")
        self.perform(self.root, create_admins, [{"username": self.bob.pk, "password": stored}])
        for password, model in (("another-77-password", Admin), (PASSWORD, Mailbox)):
            client = Client()
            self.log_in(self.bob.pk, password, client=client)
            self.assertIsInstance(client.get("/").wsgi_request.user, model)

    def test_a_wrong_password_and_an_unknown_user_get_the_same_error(self):
        answers = [self.log_in(self.bob.pk, "wrong"), self.log_in("nobody@example.org", "wrong")]
        for answer in answers:
            self.assertContains(answer, "Incorrect address or password")
        self.assertFalse(self.is_logged_in())

    def test_an_unknown_user_costs_as_many_verifications_as_a_known_one(self):
        for name in ("nobody@example.org", self.bob.pk, self.alice.pk, "", "пример@example.org"):
            with (
                self.subTest(name=name),
                mock.patch.object(
                    passwords, "verify_in_constant_time", return_value=False
                ) as verify,
                mock.patch.object(passwords, "simulate_verify") as spend,
            ):
                AdminBackend().authenticate(None, name, "x")
                MailboxBackend().authenticate(None, name, "x")
                self.assertEqual(verify.call_count + spend.call_count, 2)

    def test_an_inactive_user_cannot_sign_in_and_their_session_ends(self):
        self.log_in(self.bob.pk)
        self.perform(self.root, set_mailboxes, [self.bob.pk], "active", False)
        self.assertEqual(self.client.get("/").status_code, 302)
        self.assertFalse(self.is_logged_in())
        self.assertContains(self.log_in(self.bob.pk), "Incorrect address or password")

    def test_a_deactivated_admin_is_signed_out_at_the_next_request(self):
        self.log_in(self.alice.pk)
        self.perform(self.root, set_admins, [self.alice.pk], "active", False)
        self.assertFalse(self.is_logged_in())

    def test_a_new_password_ends_the_other_sessions_and_keeps_this_one(self):
        other = Client()
        self.log_in(self.bob.pk)
        self.log_in(self.bob.pk, client=other)
        answer = self.client.post(
            "/account/password/",
            {"old_password": PASSWORD, "password": "new-pass-99", "password2": "new-pass-99"},
        )
        self.assertRedirects(answer, "/")
        self.assertTrue(self.is_logged_in())
        self.assertFalse(self.is_logged_in(other))

    def test_login_redirects_to_local_pages_only(self):
        for target in ("https://evil.example/", "//evil.example", "javascript:alert(1)"):
            data = {"username": self.bob.pk, "password": PASSWORD, "next": target}
            self.assertRedirects(Client().post("/login/", data), "/", fetch_redirect_response=False)

    def test_logout_is_by_post_only(self):
        self.log_in(self.bob.pk)
        self.assertEqual(self.client.get("/logout/").status_code, 405)
        self.assertTrue(self.is_logged_in())
        self.assertRedirects(self.client.post("/logout/"), "/login/")
        self.assertFalse(self.is_logged_in())

    def test_an_app_password_is_not_accepted_by_the_panel(self):
        stored = passwords.make_hash("app-password-11")
        AppPassword.objects.create(mailbox=self.bob, description="phone", password_hash=stored)
        self.log_in(self.bob.pk, "app-password-11")
        self.assertFalse(self.is_logged_in())

    def test_garbage_shows_the_login_form_again(self):
        for name in ("x" * 255, "a\x00b", "💥@example.org", "' OR 1=1 --", "\ud800"):
            with self.subTest(name=ascii(name)):
                answer = self.log_in(name.encode("utf-8", "replace").decode(), "p" * 1000)
                self.assertEqual(answer.status_code, 200)

    # Throttle

    def test_a_throttled_username_is_refused_with_the_right_password_too(self):
        for _try in range(MAX_FAILURES_PER_CLIENT):
            self.log_in(self.bob.pk, "wrong")
        answer = self.log_in(self.bob.pk)
        self.assertEqual(answer.status_code, 429)
        self.assertGreater(int(answer["Retry-After"]), 0)
        self.assertRedirects(self.log_in(self.alice.pk), "/")

    def test_the_throttle_ends(self):
        for _try in range(MAX_FAILURES_PER_CLIENT + 1):
            self.log_in(self.bob.pk, "wrong")
        later = timezone.now() + throttling.FAILURE_WINDOW + datetime.timedelta(seconds=1)
        with mock.patch.object(throttling.timezone, "now", return_value=later):
            self.assertRedirects(self.log_in(self.bob.pk), "/")

    def test_a_network_is_throttled_for_all_usernames(self):
        throttling.increment_failures(
            {"network:198.51.100.0/24": MAX_FAILURES_PER_NETWORK}, gate_key=""
        )
        LoginFailure.objects.update(failures=MAX_FAILURES_PER_NETWORK)
        answer = self.log_in(self.bob.pk, REMOTE_ADDR="198.51.100.99")
        self.assertEqual(answer.status_code, 429)
        self.assertRedirects(self.log_in(self.bob.pk, REMOTE_ADDR="203.0.113.5"), "/")

    def test_a_successful_login_does_not_count_as_a_failure(self):
        for _try in range(MAX_FAILURES_PER_CLIENT * 3):
            self.assertEqual(self.log_in(self.bob.pk, client=Client()).status_code, 302)

    def test_each_failure_is_one_line_with_name_and_address(self):
        with self.assertLogs("mailadmin.auth", "WARNING") as logs:
            self.log_in('bob"\u2028é@example.org', "wrong", REMOTE_ADDR="192.0.2.44")
        self.assertEqual(
            logs.records[0].getMessage(),
            'login failed: name="bob\'\\u2028\\xe9@example.org" address=192.0.2.44 reason=password',
        )
        self.assertNotIn("wrong", logs.output[0].replace("reason", ""))

    # One-time codes

    def with_secret(self, secret=SECRET):
        Mailbox.objects.filter(pk=self.bob.pk).update(totp_secret=secret)

    def test_a_totp_secret_set_elsewhere_requires_a_code(self):
        self.with_secret()
        self.assertRedirects(self.log_in(self.bob.pk), "/login/code/")
        self.assertFalse(self.is_logged_in())
        self.assertRedirects(self.client.post("/login/code/", {"code": self.code()}), "/")
        self.assertTrue(self.is_logged_in())

    def test_codes_of_adjacent_steps_are_accepted_and_no_others(self):
        for offset, good in ((-1, True), (1, True), (-3, False), (3, False)):
            self.with_secret()
            client = Client()
            self.log_in(self.bob.pk, client=client)
            client.post("/login/code/", {"code": self.code(offset)})
            self.assertEqual(self.is_logged_in(client), good, offset)

    def test_a_code_is_accepted_once(self):
        self.with_secret()
        for good in (True, False):
            client = Client()
            self.log_in(self.bob.pk, client=client)
            client.post("/login/code/", {"code": self.code()})
            self.assertEqual(self.is_logged_in(client), good)

    def test_a_user_with_a_totp_secret_cannot_sign_in_without_a_code(self):
        self.with_secret()
        self.log_in(self.bob.pk)
        for code in ("", "000000", "abcdef", "１２３４５６"):
            self.client.post("/login/code/", {"code": code})
        self.assertFalse(self.is_logged_in())
        self.assertEqual(Client().get("/login/code/").status_code, 302)

    def test_an_invalid_totp_secret_refuses_sign_in(self):
        self.with_secret("not base32 at all!")
        self.log_in(self.bob.pk)
        with self.assertLogs("mailadmin.auth", "ERROR"):
            self.client.post("/login/code/", {"code": "123456"})
        self.assertFalse(self.is_logged_in())

    def test_wrong_codes_count_as_failures(self):
        self.with_secret()
        self.log_in(self.bob.pk)
        statuses = [
            self.client.post("/login/code/", {"code": "000000"}).status_code
            for _try in range(MAX_FAILURES_PER_CLIENT + 1)
        ]
        self.assertEqual(statuses[-1], 429)

    def test_the_password_is_checked_again_with_the_code(self):
        self.with_secret()
        self.log_in(self.bob.pk)
        Mailbox.objects.filter(pk=self.bob.pk).update(password=passwords.make_hash("changed-11"))
        self.assertRedirects(self.client.post("/login/code/", {"code": self.code()}), "/login/")

    # Expiry

    def expire(self, days=30):
        Domain.objects.filter(pk="example.org").update(password_expiry=days)
        past = timezone.now() - datetime.timedelta(days=1)
        Mailbox.objects.filter(pk=self.bob.pk).update(password_expiry=past)

    def test_an_expired_password_opens_one_page_only(self):
        self.expire()
        self.log_in(self.bob.pk)
        for url in ("/", "/account/", "/account/vacation/", "/account/forwarding/"):
            self.assertRedirects(
                self.client.get(url), "/account/password/", fetch_redirect_response=False
            )
        self.assertContains(self.client.get("/account/password/"), "has expired")
        self.client.post(
            "/account/password/",
            {"old_password": PASSWORD, "password": "new-pass-99", "password2": "new-pass-99"},
        )
        self.assertTrue(self.is_logged_in())

    def test_in_a_domain_without_expiry_no_password_expires(self):
        self.expire(days=0)
        self.log_in(self.bob.pk)
        self.assertTrue(self.is_logged_in())

    # Hashes

    @override_settings(MAILADMIN_PASSWORD_REHASH=True, MAILADMIN_PASSWORD_SCHEME="SHA512-CRYPT")
    def test_the_hash_is_upgraded_at_login_if_enabled(self):
        self.log_in(self.bob.pk)
        self.assertTrue(Mailbox.objects.get(pk=self.bob.pk).password.startswith("$6$"))
        self.assertTrue(self.is_logged_in())

    @override_settings(MAILADMIN_PASSWORD_SCHEME="SHA512-CRYPT")
    def test_no_hash_is_upgraded_unless_enabled(self):
        self.log_in(self.bob.pk)
        self.assertEqual(Mailbox.objects.get(pk=self.bob.pk).password, self.bob.password)

    @override_settings(MAILADMIN_PASSWORD_REHASH=True)
    def test_a_password_too_long_for_the_new_scheme_keeps_its_old_hash(self):
        long = "long-password-12" * 6
        stored = passwords.make_hash(long, scheme="SHA512-CRYPT")
        Mailbox.objects.filter(pk=self.bob.pk).update(password=stored)
        self.assertRedirects(self.log_in(self.bob.pk, long), "/")
        self.assertEqual(Mailbox.objects.get(pk=self.bob.pk).password, stored)

    # Addresses

    @override_settings(MAILADMIN_TRUSTED_PROXIES=())
    def test_x_forwarded_for_of_an_untrusted_client_is_ignored(self):
        address = networks.get_client_address(
            {"REMOTE_ADDR": "203.0.113.9", "HTTP_X_FORWARDED_FOR": "10.0.0.1"}
        )
        self.assertEqual(address, "203.0.113.9")

    def test_the_client_address_is_the_last_entry_of_a_trusted_proxy(self):
        import ipaddress

        with override_settings(MAILADMIN_TRUSTED_PROXIES=(ipaddress.ip_network("127.0.0.1/32"),)):
            meta = {"REMOTE_ADDR": "127.0.0.1"}
            for header, address in (
                ("198.51.100.1", "198.51.100.1"),
                ("10.9.9.9, 198.51.100.1", "198.51.100.1"),
                ("198.51.100.1, garbage", "127.0.0.1"),
                ("", "127.0.0.1"),
            ):
                given = networks.get_client_address(meta | {"HTTP_X_FORWARDED_FOR": header})
                self.assertEqual(given, address, header)

    @override_settings(SECURE_PROXY_SSL_HEADER=("HTTP_X_FORWARDED_PROTO", "https"))
    def test_x_forwarded_proto_of_an_untrusted_client_is_ignored(self):
        answer = self.client.get("/login/", headers={"x-forwarded-proto": "https"})
        self.assertFalse(answer.wsgi_request.is_secure())

    def test_the_log_names_the_client_address(self):
        self.log_in(self.alice.pk)
        self.client.post(
            "/mailboxes/bob@example.org/toggle/",
            {"field": "active", "value": "0"},
            REMOTE_ADDR="192.0.2.55",
        )
        self.assertEqual(Log.objects.get().username, "alice@example.org (192.0.2.55)")
