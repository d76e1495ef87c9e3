"""Plans of imports: the scope of who imports."""

from django.core.exceptions import PermissionDenied, ValidationError

from mailadmin.changes.models import Change
from mailboxes.models import Alias, Fetchmail, Mailbox, Plan
from mailboxes.services import mailboxes
from mailboxes.transfer.plan import apply as plan_apply
from tests.mailboxes.transfer.base import TransferWorld


class ScopeTests(TransferWorld):
    """A domain admin imports mailboxes and aliases into their domains, and nothing else."""

    def refused(self, tables):
        plan = self.json_plan(tables, self.alice)
        self.assertEqual(set(self.verbs(plan).values()), {"refused"}, self.verbs(plan))
        self.apply(plan, self.alice)
        return self.reasons(plan)

    def test_own_rows_are_imported(self):
        plan = self.imported(
            "username,password,name\ndora@example.org,correct-horse-43,Dora\n", self.alice
        )
        self.assertEqual(self.verbs(plan), {"dora@example.org": "new"})
        self.assertIn("alice@example.org", Change.objects.filter(table="mailbox").get().actor)

    def test_a_foreign_domain_is_not_found(self):
        reasons = self.refused(
            {
                "mailboxes": [
                    {"username": "eve@example.com"},
                    {"username": "carol@example.com", "name": "x"},
                ],
                "aliases": [{"address": "@example.com", "goto": ["bob@example.org"]}],
            }
        )
        for text in reasons.values():
            self.assertIn("The domain example.com does not exist", text)
            self.assertNotIn("Carol", text)

    def test_the_domain_is_taken_from_the_address(self):
        self.refused({"mailboxes": [{"username": "eve@example.com", "domain": "example.org"}]})
        self.refused({"mailboxes": [{"username": "eve@example.org", "domain": "example.com"}]})

    def test_columns_that_the_form_does_not_have_are_refused_with_their_line(self):
        for name, value in (
            ("maildir", "a/"),
            ("password_hash", "x"),
            ("totp_secret", "x"),
            ("quota_bytes", 1),
        ):
            with self.subTest(name=name):
                text = f"username,{name}\ndora@example.org,{value}\n"
                plan = self.plan(text, self.alice)
                self.assertEqual(plan.rows.get().place, "rows.csv, line 2")
                self.assertIn(name, self.reasons(plan)["dora@example.org"])

    def test_other_tables_are_closed(self):
        reasons = self.refused(
            {
                "domains": [{"domain": "example.net"}],
                "admins": [{"username": "eve@example.org", "superadmin": True}],
                "alias-domains": [{"alias_domain": "example.org", "target_domain": "example.com"}],
                "vacations": [{"email": "bob@example.org", "subject": "x", "body": "y"}],
                "transports": [{"pattern": "*", "transport": "smtp:evil.example"}],
            }
        )
        self.assertTrue(all("Only superadmins" in text for text in reasons.values()), reasons)

    def test_only_the_command_line_imports_what_fetchmail_would_run(self):
        """Class of CVE-2022-31138: options of a job that fetches mail reach a shell."""
        row = {"mailbox": "bob@example.org", "src_server": "pop.example.net", "src_user": "bob"}
        for name, value in (
            ("mda", "/bin/sh -c 'touch /tmp/attacked'"),
            ("extra_options", 'preconnect "touch /tmp/attacked"'),
        ):
            plan = self.json_plan({"fetchmail": [row | {name: value}]}, self.root)
            self.assertIn("can be imported only on the command line", plan.rows.get().reason)
            self.apply(plan, self.root)
            self.assertFalse(Fetchmail.objects.exists())
            self.json_plan({"fetchmail": [row | {name: value}]}, self.alice)
        self.apply(self.json_plan({"fetchmail": [row | {"mda": ""}]}, self.root), self.root)
        self.assertEqual(Fetchmail.objects.get().mailbox_id, "bob@example.org")
        self.apply(self.json_plan({"fetchmail": [row | {"mda": "/usr/bin/maildrop"}]}))
        self.assertEqual(Fetchmail.objects.get().mda, "/usr/bin/maildrop")

    def test_internal_field_names_are_not_accepted_as_columns(self):
        for name in ("of_mailbox", "typed", "stage"):
            plan = self.json_plan(
                {"aliases": [{"address": "x@example.org", "goto": "a@b.example", name: True}]}
            )
            self.assertEqual(set(self.verbs(plan).values()), {"refused"})

    def test_rights_lost_between_plan_and_apply_are_lost(self):
        plan = self.plan("username,password\ndora@example.org,correct-horse-43\n", self.alice)
        self.alice.assignments.all().delete()
        self.apply(plan, type(self.alice).objects.get(pk=self.alice.pk))
        self.assertFalse(Mailbox.objects.filter(pk="dora@example.org").exists())

    def test_a_domain_admin_cannot_set_the_maildir(self):
        row = {
            "local_part": "eve",
            "domain": self.domain(),
            "password": "x",
            "maildir": "example.com/carol/",
        }
        with self.assertRaisesMessage(ValidationError, "Only superadmins can set the maildir."):
            self.perform(self.alice, mailboxes.create_mailboxes, [row])
        with self.assertRaisesMessage(ValidationError, "Only superadmins can set the maildir."):
            values = {"maildir": "example.com/carol/"}
            self.perform(self.alice, mailboxes.edit_mailbox, "bob@example.org", values)

    def test_a_demoted_superadmin_cannot_use_their_plans(self):
        plan = self.json_plan(
            {"domains": [{"domain": "example.org", "description": "Mine"}]}, self.root
        )
        type(self.root).objects.filter(pk=self.root.pk).update(superadmin=False)
        former = type(self.root).objects.get(pk=self.root.pk)
        self.assertFalse(Plan.objects.visible_to(former).exists())
        rows = list(plan.rows.all())
        with self.assertRaises(PermissionDenied):
            self.perform(former, plan_apply.apply_rows, plan, rows)

    def test_default_aliases_cannot_be_imported_by_a_domain_admin(self):
        self.refused_at_applying("abuse@example.org")

    def refused_at_applying(self, address):
        plan = self.json_plan(
            {"aliases": [{"address": address, "goto": ["bob@example.org"]}]}, self.alice
        )
        self.apply(plan, self.alice)
        self.assertIn("protected", self.reasons(plan)[address])
        self.assertFalse(Alias.objects.filter(pk=address).exists())
