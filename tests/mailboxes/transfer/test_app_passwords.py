"""App passwords keep their limits in exports and imports."""

from mailboxes.models import AppPassword, AppPasswordLimits
from mailboxes.services.app_password_hashes import hash_app_password
from mailboxes.services.app_passwords import create_app_password
from mailboxes.transfer.entries import Losses
from mailboxes.transfer.export.passwdfile import iter_passwd_lines
from tests.mailboxes.transfer.exporting import Exporting

ROW = {"mailbox": "bob@example.org", "description": "Phone"}
LIMITS = {"imap": True, "pop3": False, "smtp": True, "sieve": False, "networks": "192.0.2.0/24"}


class AppPasswordTransferTests(Exporting):
    def put(self, **values):
        return self.apply(self.json_plan({"app-passwords": [ROW | values]}))

    def test_limits_are_exported_and_imported(self):
        self.perform(self.root, create_app_password, self.bob.pk, "Phone", LIMITS, "secret")
        exported = self.exported()["app-passwords"]
        AppPassword.objects.all().delete()
        self.apply(self.json_plan({"app-passwords": exported}))
        limits = AppPasswordLimits.objects.get()
        self.assertEqual(limits.app_password.password_hash, hash_app_password("secret"))
        self.assertEqual({name: getattr(limits, name) for name in LIMITS}, LIMITS)

    def test_a_generated_password_without_limits_gets_those_of_a_new_one(self):
        self.put(password_hash=hash_app_password("secret"))
        self.assertEqual(len(AppPasswordLimits.objects.get().protocol_names), 4)

    def test_an_import_changes_limits(self):
        self.put(password_hash=hash_app_password("secret"))
        self.put(password_hash=hash_app_password("secret"), **LIMITS, expires="2030-01-01 00:00:00")
        limits = AppPasswordLimits.objects.get()
        self.assertEqual(limits.protocol_names, ["IMAP", "SMTP"])
        self.assertEqual(limits.expires.year, 2030)

    def test_a_password_of_postfixadmin_has_no_limits(self):
        self.put(password_hash="{BLF-CRYPT}$2y$10$abc")
        self.assertFalse(AppPasswordLimits.objects.exists())
        plan = self.put(password_hash="{BLF-CRYPT}$2y$10$abc", imap=False)
        self.assertIn("Only app passwords that were generated here", str(self.reasons(plan)))

    def test_networks_are_checked(self):
        self.put(password_hash=hash_app_password("secret"), networks="192.0.2.7, 2001:DB8::/32")
        self.assertEqual(AppPasswordLimits.objects.get().networks, "192.0.2.7/32,2001:db8::/32")
        plan = self.put(password_hash=hash_app_password("secret"), networks="local")
        self.assertIn("is not an IP address or network", str(self.reasons(plan)))

    def test_a_salted_hash_in_place_of_a_generated_one_has_no_limits(self):
        self.put(password_hash=hash_app_password("secret"), imap=False)
        self.put(password_hash="{BLF-CRYPT}$2y$10$abc")
        self.assertIsNone(AppPassword.objects.get().known_limits)

    def test_an_imported_password_takes_no_limits_that_its_number_had(self):
        """PostfixAdmin deletes the app password alone, and a database may give its number again."""
        number = AppPassword.objects.create(mailbox=self.bob, password_hash="x").pk
        AppPassword.objects.filter(pk=number)._raw_delete("default")
        for each in (number, number + 1):
            AppPasswordLimits.objects.create(app_password_id=each, imap=False)
        self.put(password_hash=hash_app_password("secret"))
        self.assertIn("IMAP", AppPassword.objects.get().known_limits.protocol_names)

    def test_a_passwd_file_reports_what_it_cannot_hold(self):
        for name in ("Phone", "Laptop"):
            self.perform(self.root, create_app_password, self.bob.pk, name, LIMITS, name)
        AppPassword.objects.create(mailbox=self.carol, password_hash="{BLF-CRYPT}$2y$10$abc")
        losses = Losses()
        lines = list(iter_passwd_lines(losses, "example.org", "/var/vmail", "2.3"))
        self.assertTrue(any(line.startswith("bob@example.org:") for line in lines))
        (note,) = losses
        self.assertIn("App passwords", note.text)
        self.assertEqual((note.count, note.places), (2, ["bob@example.org"]))
        losses = Losses()
        list(iter_passwd_lines(losses, "", "/var/vmail", "2.3"))
        self.assertEqual([note.count for note in losses], [3])
