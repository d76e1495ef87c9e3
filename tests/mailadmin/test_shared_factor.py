"""The second factor that PostfixAdmin 4 stores, and an app that shares no code with the panel.

What PostfixAdmin writes and decides was seen in its own code, run beside the panel.
"""

import re

import pyotp
from django.db import connection
from django.test import Client

from domains.models import TotpException
from mailadmin.accounts.models import LoginFailure
from mailboxes.models import Mailbox
from tests.mailadmin.factor_world import FactorWorld

# As PostfixAdmin 4 writes them: 64 random bytes in base32, 103 letters without padding.
OF_POSTFIXADMIN = "AWJAKNHPXO4GNQPK2T3VZ7M5LDYSB6RC" * 3 + "AWJAKNH"
OFFICE = "192.0.2.7"


class SharedFactorTests(FactorWorld):
    def code_of_app(self, secret):
        return pyotp.TOTP(secret).at(int(self.now))

    def stored(self, person):
        """Return the column as PostfixAdmin reads it."""
        with connection.cursor() as cursor:
            table = connection.ops.quote_name(person._meta.db_table)
            sql = f"SELECT totp_secret FROM {table} WHERE username = %s"
            cursor.execute(sql, [person.pk])
            return cursor.fetchone()[0]

    def store(self, person, secret):
        """Write the column as PostfixAdmin does: itself, past the panel."""
        with connection.cursor() as cursor:
            table = connection.ops.quote_name(person._meta.db_table)
            sql = f"UPDATE {table} SET totp_secret = %s WHERE username = %s"
            cursor.execute(sql, [secret, person.pk])

    def finish(self, person, code):
        client = self.client_of(person)
        self.assertFalse(self.is_logged_in(client))
        client.post("/login/code/", {"code": code})
        return self.is_logged_in(client)

    def test_an_app_reads_the_uri_and_its_codes_sign_in(self):
        for person in self.people():
            client = self.client_of(person)
            uri = client.get("/account/factors/totp/").context["uri"]
            app = pyotp.parse_uri(uri)
            self.assertEqual((app.digits, app.interval), (6, 30))
            self.assertEqual((app.issuer, app.name), ("mail.example.net", person.pk))
            client.post("/account/factors/totp/", {"code": app.at(int(self.now))})
            self.assertEqual(self.stored(person), app.secret)
            self.now += 60
            self.assertFalse(self.finish(person, app.at(int(self.now) + 150)))
            self.assertTrue(self.finish(person, app.at(int(self.now))))

    def test_the_stored_secret_is_in_the_format_of_postfixadmin(self):
        """Base32 in upper case without padding: what OTPHP decodes and 255 letters hold."""
        self.set_up_totp(self.client_of(self.bob))
        secret = self.stored(self.bob)
        self.assertTrue(re.fullmatch(r"[A-Z2-7]{32}", secret), secret)
        self.assertEqual(len(pyotp.TOTP(secret).byte_secret()), 20)

    def test_a_secret_that_postfixadmin_wrote_signs_in(self):
        self.assertEqual(len(OF_POSTFIXADMIN), 103)
        for person in self.people():
            self.store(person, OF_POSTFIXADMIN)
            self.assertFalse(self.finish(person, "000000"))
            self.assertTrue(self.finish(person, self.code_of_app(OF_POSTFIXADMIN)))
            self.assertEqual(self.stored(person), OF_POSTFIXADMIN)

    def test_secrets_of_every_length_sign_in(self):
        for length in (26, 32, 39, 52, 103):
            secret = OF_POSTFIXADMIN[:length]
            self.store(self.bob, secret)
            self.now += 60
            self.assertTrue(self.finish(self.bob, self.code_of_app(secret)), length)

    def test_a_factor_that_postfixadmin_removed_is_not_asked_for(self):
        """It stores NULL; its restored backups have an empty text."""
        for nothing in (None, ""):
            self.store(self.bob, OF_POSTFIXADMIN)
            self.assertFalse(self.is_logged_in(self.client_of(self.bob)))
            self.store(self.bob, nothing)
            self.assertTrue(self.is_logged_in(self.client_of(self.bob)), nothing)

    def test_a_factor_that_is_removed_here_is_null_for_postfixadmin(self):
        client = self.client_of(self.bob)
        self.set_up_totp(client)
        client.post("/account/factors/totp/remove/")
        self.assertIsNone(self.stored(self.bob))

    # TotpPf::getExceptionsFor: the name itself, its domain, or NULL. Its own sign-in asks always.
    APPLIES = ("bob@example.org", "BOB@example.org", "example.org", "EXAMPLE.ORG", None)
    APPLIES_NOT = ("ALL", "%", "*", "_ob@example.org", "info@example.org", "example.com", "org")
    APPLIES_NOT += ("bób@example.org", " ", "exämple.org", "bob@example.org ")

    def is_asked(self, person, address=OFFICE):
        LoginFailure.objects.all().delete()  # half logins count
        client = Client()
        return self.log_in(person.pk, client=client, REMOTE_ADDR=address)["Location"] != "/"

    def except_name(self, name, ip=OFFICE):
        TotpException.objects.all().delete()
        TotpException.objects.create(ip=ip, username=name, description="x")

    def test_exceptions_are_for_whom_postfixadmin_lists_them(self):
        self.store(self.bob, OF_POSTFIXADMIN)
        for name in self.APPLIES:
            self.except_name(name)
            self.assertFalse(self.is_asked(self.bob), name)
            self.assertTrue(self.is_asked(self.bob, "192.0.2.8"), name)
        for name in self.APPLIES_NOT:
            self.except_name(name)
            self.assertTrue(self.is_asked(self.bob), name)

    def test_an_empty_name_is_everybody_as_its_form_means_it(self):
        """TotpPf::addException of a superadmin stores an empty text where NULL was meant."""
        self.store(self.bob, OF_POSTFIXADMIN)
        self.except_name("")
        self.assertFalse(self.is_asked(self.bob))

    def test_the_exception_of_a_domain_is_not_for_admins_of_an_address_in_it(self):
        """PostfixAdmin lists it for them too; but who runs the domain could then leave it out."""
        self.store(self.alice, OF_POSTFIXADMIN)
        self.except_name("example.org")
        self.assertTrue(self.is_asked(self.alice))

    def test_addresses_are_single_ones(self):
        """What its FILTER_VALIDATE_IP refuses means nothing here either."""
        self.store(self.bob, OF_POSTFIXADMIN)
        for ip, is_asked in (
            (OFFICE, False),
            (f"::ffff:{OFFICE}", False),
            ("192.0.2.07", True),
            ("192.0.2.0/24", True),
            ("192.0.2.%", True),
            ("", True),
        ):
            self.except_name(self.bob.pk, ip)
            self.assertEqual(self.is_asked(self.bob), is_asked, ip)


class NamesakeFactorTests(FactorWorld):
    def test_the_factor_of_a_mailbox_is_not_that_of_the_admin(self):
        """PostfixAdmin looks in the table of the form; one form of ours serves both."""
        Mailbox.objects.filter(pk=self.bob.pk).update(totp_secret=OF_POSTFIXADMIN)
        self.assertTrue(self.is_logged_in(self.client_of(self.alice)))
        self.assertFalse(self.is_logged_in(self.client_of(self.bob)))
