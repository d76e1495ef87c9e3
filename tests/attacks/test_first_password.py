"""Default passwords (CVE-2023-0777): a fresh installation has no account that anybody can guess."""

import io
import re
from urllib.parse import urlsplit

from django.core.management import call_command
from django.test import Client, TestCase, override_settings

from domains.models import Admin
from mailadmin import conf, passwords
from mailadmin.accounts.models import LoginFailure
from mailboxes.mailserver.generator.choices import generate_passwords
from mailboxes.models import Mailbox

NAMES = ["admin@localhost", "admin", "root@localhost", "root", "postmaster@localhost", "ALL", ""]
GUESSES = ["", "admin", "password", "changeme", "secret", "mailadmin", "postfixadmin", "moohoo"]
GUESSES += ["root", "admin@localhost", "123456", "12345678", "None", "null", "!", "*", "{CRYPT}!"]


class Terminal(io.StringIO):
    def isatty(self):
        return True


@override_settings(MAILADMIN_ADMIN="admin@localhost", MAILADMIN_ADMIN_PASSWORD="")
class FirstPasswordTests(TestCase):
    def create_first_admin(self):
        """Create the first superadmin as `deploy/run` does; return the password on the terminal."""
        terminal = Terminal()
        call_command("firstadmin", stdout=terminal)
        return re.search(r"has the password (\S+) \(shown only once\)", terminal.getvalue())[1]

    def signs_in(self, name, password):
        LoginFailure.objects.all().delete()  # or the limit would refuse it
        client = Client()
        client.post("/login/", {"username": name, "password": password})
        return client.get("/").status_code == 200

    def assert_no_guess_signs_in(self):
        for name in NAMES:
            for password in GUESSES:
                self.assertFalse(self.signs_in(name, password), (name, password))

    def test_a_database_as_migrated_lets_nobody_in(self):
        self.assertFalse(Admin._base_manager.exists())
        self.assertFalse(Mailbox._base_manager.exists())
        self.assert_no_guess_signs_in()

    def test_no_guess_opens_the_first_account(self):
        password = self.create_first_admin()
        self.assert_no_guess_signs_in()
        self.assertTrue(self.signs_in("admin@localhost", password))

    def test_each_installation_has_its_own_password(self):
        found = set()
        for _number in range(20):
            Admin._base_manager.all().delete()
            found.add(self.create_first_admin())
        self.assertEqual(len(found), 20)
        for password in found:
            self.assertGreaterEqual(len(password), 12)
            self.assertEqual(passwords.find_broken_rules(password, "admin@localhost"), [])
        self.assertGreater(len(set("".join(found))), 30)  # letters and digits of all kinds

    def test_a_second_start_creates_no_account_and_shows_no_password(self):
        self.create_first_admin()
        before, terminal = Admin.objects.get().password, Terminal()
        call_command("firstadmin", stdout=terminal)
        self.assertEqual(terminal.getvalue(), "")
        self.assertEqual(Admin.objects.get().password, before)

    def test_no_setting_has_a_secret_for_its_default(self):
        for setting in conf.SETTINGS:
            if setting.secret:
                parts = urlsplit(str(setting.default or ""))
                self.assertTrue(parts.scheme or not parts.path, setting.name)
                self.assertIsNone(parts.password, setting.name)

    def test_generated_database_accounts_have_passwords_of_their_own(self):
        found = [*generate_passwords().values(), *generate_passwords().values()]
        self.assertEqual(len(set(found)), len(found))
        for password in found:
            self.assertGreaterEqual(len(password), 16)
