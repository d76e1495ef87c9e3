"""IP addresses from which the second factor is not asked for."""

from django.core.exceptions import ValidationError
from django.test import Client

from domains.models import TotpException
from domains.services.totp_exceptions import create_totp_exceptions, delete_totp_exceptions
from mailadmin.accounts.factors.models import RoleFactorPolicy
from mailboxes.models import Mailbox
from tests.mailadmin.login_world import SECRET, LoginWorld
from tests.table_tests import TableTests

OFFICE, ELSEWHERE = "192.0.2.7", "198.51.100.9"


class TotpExceptionTests(TableTests, LoginWorld):
    slug = "totp-exceptions"
    create_data = {"ip": "2001:DB8::1", "username": "Bob@Example.org", "description": "Webmail"}
    api_data = {"ip": "2001:db8::1", "username": "bob@example.org"}
    create_verb, delete_verb = "add_totp_exception", "delete_totp_exception"
    edit_data = {"ip": "192.0.2.8", "username": "example.org", "description": "Branch"}
    edited = {"ip": "192.0.2.8", "description": "Branch"}

    def setUp(self):
        super().setUp()
        rows = [("192.0.2.1", "example.org"), ("203.0.113.3", "example.com")]
        self.own_key, self.foreign_key = (self.make(*row).pk for row in rows)

    def make(self, ip, username, description="Office"):
        return TotpException.objects.create(ip=ip, username=username, description=description)

    @property
    def created_key(self):
        row = TotpException.objects.filter(ip="2001:db8::1").first()
        return row.pk if row else 0

    def more_rows(self, count):
        for number in range(count):
            self.make(f"192.0.2.{number + 10}", "bob@example.org")

    def test_a_list_shows_own_rows_only(self):
        self.make("203.0.113.4", "carol@example.com")
        self.make("203.0.113.5", None)
        self.make("203.0.113.6", "bob@example.org.evil.test")
        self.sign_in(self.alice)
        page = self.open("list")
        self.assertContains(page, "192.0.2.1")
        self.assertNotContains(page, "203.0.113.")
        exported = b"".join(self.client.get(self.url("export"))).decode()
        self.assertNotIn("203.0.113.", exported)

    def test_the_api_lists_own_rows_only(self):
        rows = self.api(self.alice).get(self.slug).json()["items"]
        self.assertEqual([row["ip"] for row in rows], ["192.0.2.1"])

    def test_selected_rows_are_deactivated_after_one_confirmation(self):
        """There is nothing to deactivate: they are deleted."""
        self.sign_in(self.alice)
        data = {"action": "delete", "keys": [self.own_key], "confirmed": "1"}
        self.client.post(self.url("bulk"), data)
        self.assertFalse(TotpException.objects.filter(pk=self.own_key).exists())

    def test_alice_makes_no_exception_out_of_her_scope(self):
        for name in (
            "",
            None,
            "example.com",
            "carol@example.com",
            "root@example.net",
            self.alice.pk,
        ):
            row = {"ip": OFFICE, "username": name, "description": "x"}
            with self.subTest(name=name), self.assertRaises(ValidationError):
                self.perform(self.alice, create_totp_exceptions, [row])
            answer = self.api(self.alice).post(self.slug, row | {"username": name or ""})
            self.assertEqual(answer.status_code, 422)
        for url in (self.url("create"), self.url("edit", self.own_key)):
            self.sign_in(self.alice)
            seen = self.client.get(url).context["form"].initial.get("seen", "")
            data = {"ip": OFFICE, "username": "", "description": "x", "seen": seen}
            self.assert_refused(self.client.post(url, data), "Only superadmins can make")
        with self.assertRaises(ValidationError):
            self.perform(self.alice, delete_totp_exceptions, [self.foreign_key])

    def test_a_superadmin_makes_one_for_everybody_and_stores_null(self):
        self.sign_in(self.root)
        self.client.post(self.url("create"), {"ip": OFFICE, "username": "", "description": "x"})
        self.assertIsNone(TotpException.objects.get(ip=OFFICE).username)
        self.assertContains(self.open("list"), "all accounts")
        row = {"ip": OFFICE, "username": "", "description": "again"}
        self.assertEqual(self.api(self.root).post(self.slug, row).status_code, 409)

    # The sign-in

    def is_asked(self, name, address=OFFICE):
        response = self.log_in(name, client=Client(), REMOTE_ADDR=address)
        return response["Location"] == "/login/code/"

    def test_an_exception_skips_the_second_factor_at_its_address_only(self):
        for name in ("bob@example.org", "example.org", None, ""):
            Mailbox.objects.filter(pk=self.bob.pk).update(totp_secret=SECRET)
            row = self.make(OFFICE, name)
            with self.subTest(name=name):
                self.assertFalse(self.is_asked(self.bob.pk))
                self.assertTrue(self.is_asked(self.bob.pk, ELSEWHERE))
            row.delete()
            self.assertTrue(self.is_asked(self.bob.pk))

    def test_the_exception_of_another_changes_nothing(self):
        Mailbox.objects.filter(pk=self.bob.pk).update(totp_secret=SECRET)
        for name in ("carol@example.com", "example.com", "%", "bob@example.or_", "ob@example.org"):
            self.make(OFFICE, name)
        self.assertTrue(self.is_asked(self.bob.pk))

    def test_an_exception_of_a_domain_does_not_apply_to_its_admins(self):
        type(self.alice).objects.filter(pk=self.alice.pk).update(totp_secret=SECRET)
        self.make(OFFICE, "example.org")
        self.assertTrue(self.is_asked(self.alice.pk))
        self.make(OFFICE, self.alice.pk)
        self.assertFalse(self.is_asked(self.alice.pk))

    def test_an_address_is_compared_as_a_number(self):
        Mailbox.objects.filter(pk=self.bob.pk).update(totp_secret=SECRET)
        self.make("2001:0DB8:0:0::1", self.bob.pk)
        self.make("garbage", self.bob.pk)
        self.assertFalse(self.is_asked(self.bob.pk, "2001:db8::1"))

    def test_a_required_factor_is_not_required_at_an_excepted_address(self):
        RoleFactorPolicy.objects.create(role="MAILBOX", level="required")
        self.make(OFFICE, self.bob.pk)
        client = Client(REMOTE_ADDR=OFFICE)
        self.log_in(self.bob.pk, client=client)
        self.assertTrue(self.is_logged_in(client))
        self.assertEqual(client.get("/", REMOTE_ADDR=ELSEWHERE).status_code, 302)
