"""The rule of a mailbox about app passwords, in exports and imports."""

from mailboxes.models import DomainMailLogin, MailboxMailLogin
from mailboxes.services.mail_logins import get_mail_login_rules, set_mailbox_mail_login
from tests.mailboxes.transfer.exporting import Exporting

COLUMN = "app_passwords_only"


class MailLoginTransferTests(Exporting):
    def own_rule(self):
        return get_mail_login_rules(self.bob).own

    def put(self, value, person=None):
        text = f"username,{COLUMN}\n{self.bob.pk},{value}\n"
        return self.imported(text, person)

    def test_it_is_exported_and_imported(self):
        for value in (True, False):
            self.perform(self.root, set_mailbox_mail_login, self.bob.pk, value)
            exported = self.exported()["mailboxes"]
            MailboxMailLogin.objects.all().delete()
            self.apply(self.json_plan({"mailboxes": exported}))
            self.assertIs(self.own_rule(), value)

    def test_an_empty_value_is_that_of_the_domain(self):
        for text, value in (("1", True), ("0", False), ("", None)):
            self.put(text)
            self.assertIs(self.own_rule(), value)
        self.assertIn("must be 1 or 0", str(self.reasons(self.put("never"))))

    def test_a_new_mailbox_has_it(self):
        row = {"username": "ann@example.org", "password": "correct-horse-43", COLUMN: True}
        self.apply(self.json_plan({"mailboxes": [row]}))
        self.assertTrue(MailboxMailLogin.objects.get(pk="ann@example.org").app_passwords_only)

    def test_an_import_is_undone(self):
        plan = self.put("1")
        self.revert_plan(plan)
        self.assertIsNone(self.own_rule())

    def test_a_domain_admin_excepts_no_mailbox(self):
        DomainMailLogin.objects.create(domain_id="example.org", app_passwords_only=True)
        plan = self.put("0", self.alice)
        self.assertIn("Only superadmins can except", str(self.reasons(plan)))
        self.assertIsNone(self.own_rule())
        self.put("1", self.alice)
        self.assertIs(self.own_rule(), True)
