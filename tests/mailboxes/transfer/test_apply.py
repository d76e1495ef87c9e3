"""`apply`: a manifest describes domains, and all changes are made or none."""

import io
import json
import sys
from unittest import mock

from django.core.management import CommandError, call_command

from domains.models import AliasDomain, Domain
from mailadmin.changes.models import Change, Log
from mailadmin.changes.perform import Actor, perform
from mailboxes.models import Alias, Mailbox
from mailboxes.services.forwardings import set_forwarding
from mailboxes.services.mailboxes import create_mailboxes
from mailboxes.transfer.manifest.parse import parse_manifest
from mailboxes.transfer.manifest.reconcile import DryRunRollback, reconcile
from tests.base import PASSWORD, World

ORG = """
domains:
- domain: example.org
"""
WHOLE = """
domains:
- domain: example.org
  description: Bakery
- domain: Bücher.example
mailboxes:
- username: bob@example.org
  name: Robert
  quota: 12.5
- local_part: new
  domain: bücher.example
  password: correct-horse-42
aliases:
- address: "*@example.org"
  goto: [bob@example.org, x@elsewhere.example]
  description: yes
alias-domains: []
"""


def table_of(model):
    return list(model._base_manager.order_by("pk").values())


class ApplyTests(World):
    def apply(self, text, *words):
        """Run the command with this standard input and return its output."""
        stdin, out = mock.Mock(buffer=io.BytesIO(text.encode())), io.StringIO()
        with mock.patch.object(sys, "stdin", stdin):
            call_command("apply", "-", *words, stdout=out)
        return out.getvalue()

    def steps(self, text, *words):
        steps = json.loads(self.apply(text, "--json", *words))
        return [(step["verb"], step["kind"], step["key"]) for step in steps]

    def assert_refused_with(self, text, *needed):
        before = [table_of(model) for model in (Domain, Mailbox, Alias, AliasDomain)]
        with self.assertRaises(CommandError) as refused:
            self.apply(text)
        for words in needed:
            self.assertIn(words, str(refused.exception))
        after = [table_of(model) for model in (Domain, Mailbox, Alias, AliasDomain)]
        self.assertEqual(after, before)

    def test_described_rows_are_created_and_others_deleted(self):
        done = self.steps(WHOLE)
        self.assertEqual(
            done,
            [
                ("create", "domain", "xn--bcher-kva.example"),
                ("edit", "domain", "example.org"),
                ("delete", "alias", "info@example.org"),
                ("create", "mailbox", "new@xn--bcher-kva.example"),
                ("edit", "mailbox", "bob@example.org"),
                ("create", "alias", "@example.org"),
            ],
        )
        bob = Mailbox.objects.get(pk="bob@example.org")
        self.assertEqual((bob.name, bob.quota), ("Robert", 12_800_000))
        self.assertEqual(Domain.objects.get(pk="example.org").description, "Bakery")
        new = Mailbox.objects.get(pk="new@xn--bcher-kva.example")
        self.assertTrue(new.check_password("correct-horse-42"))
        self.assertEqual(
            set(Alias.objects.filter(domain="example.org").values_list("pk", flat=True)),
            {"@example.org", "bob@example.org"},
        )

    def test_a_second_time_changes_nothing(self):
        self.apply(WHOLE)
        count = (Log.objects.count(), Change.objects.count())
        self.assertEqual(self.steps(WHOLE), [])
        self.assertEqual((Log.objects.count(), Change.objects.count()), count)

    def test_a_plan_lists_the_steps_and_changes_nothing(self):
        before = [table_of(model) for model in (Domain, Mailbox, Alias, Log, Change)]
        planned = self.steps(WHOLE, "--plan")
        after = [table_of(model) for model in (Domain, Mailbox, Alias, Log, Change)]
        self.assertEqual(after, before)
        self.assertEqual(self.steps(WHOLE), planned)

    def test_the_steps_are_printed_as_text(self):
        output = self.apply(WHOLE, "--plan")
        self.assertIn("~ mailbox bob@example.org\n    name: Bob → Robert\n", output)
        self.assertIn("- alias info@example.org\n", output)
        self.assertIn("Nothing was changed: 3 new, 2 changed, 1 to delete.", output)

    def test_other_domains_are_not_changed(self):
        self.apply(ORG + "mailboxes: []\naliases: []\n")
        self.assertFalse(Mailbox.objects.filter(domain="example.org").exists())
        self.assertTrue(Mailbox.objects.filter(pk="carol@example.com").exists())
        self.assertTrue(Alias.objects.filter(pk="info@example.com").exists())

    def test_a_missing_section_changes_nothing(self):
        self.assertEqual(self.steps(ORG), [])
        self.assertEqual(
            self.steps(ORG + "aliases: []\n"), [("delete", "alias", "info@example.org")]
        )

    def test_a_missing_column_changes_nothing(self):
        self.assertEqual(self.steps(ORG + "mailboxes:\n- username: bob@example.org\n"), [])

    def test_the_forwarding_of_a_mailbox_is_kept_unless_described(self):
        self.perform(self.bob, set_forwarding, "bob@example.org", ["x@elsewhere.example"], True)
        self.steps(ORG + "aliases: []\n")
        self.assertIn("x@elsewhere.example", Alias.objects.get(pk="bob@example.org").goto)
        named = "aliases:\n- {address: bob@example.org, goto: [bob@example.org]}\n"
        self.assertEqual(self.steps(ORG + named), [("edit", "alias", "bob@example.org")])
        self.assertEqual(Alias.objects.get(pk="bob@example.org").goto, "bob@example.org")

    def test_an_alias_may_become_a_mailbox(self):
        text = ORG + "mailboxes:\n- username: info@example.org\naliases: []\n"
        self.assertEqual(
            self.steps(text),
            [
                ("delete", "alias", "info@example.org"),
                ("delete", "mailbox", "bob@example.org"),
                ("create", "mailbox", "info@example.org"),
            ],
        )

    def test_a_domain_becomes_an_alias_domain_and_back(self):
        both = "domains:\n- domain: example.org\n- domain: example.com\n"
        mirror = "alias-domains:\n- alias_domain: example.com\n  target_domain: example.org\n"
        self.assertEqual(self.steps(both + mirror), [("create", "alias-domain", "example.com")])
        self.assertEqual(self.steps(both + mirror), [])
        gone = [("delete", "alias-domain", "example.com")]
        self.assertEqual(self.steps(both + "alias-domains: []\n"), gone)

    def test_sender_permissions_are_made_as_the_file_says(self):
        section = "sender-permissions:\n- {address: '*@example.org', mailbox: carol@example.com}\n"
        key = "@example.org / carol@example.com"
        self.assertEqual(self.steps(ORG + section), [("create", "sender-permission", key)])
        self.assertEqual(self.steps(ORG + section), [])
        described = section.replace("}", ", description: All}")
        self.assertEqual(self.steps(ORG + described), [("edit", "sender-permission", key)])
        other = section.replace("carol@example.com", "bob@example.org")
        self.assertEqual(
            self.steps(ORG + other),
            [
                ("delete", "sender-permission", key),
                ("create", "sender-permission", "@example.org / bob@example.org"),
            ],
        )
        self.assertEqual(self.steps(ORG), [])
        foreign = section.replace("*@example.org", "x@example.com")
        self.assert_refused_with(ORG + foreign, "in a domain that this file does not list")

    def test_an_equal_password_is_not_a_change(self):
        text = ORG + "mailboxes:\n- {username: bob@example.org, password: %s}\n"
        self.assertEqual(self.steps(text % PASSWORD), [])
        self.assertEqual(
            self.steps(text % "new-horse-77"), [("edit", "mailbox", "bob@example.org")]
        )
        self.assertTrue(Mailbox.objects.get(pk="bob@example.org").check_password("new-horse-77"))
        output = self.apply(text % "other-horse-78", "--plan")
        self.assertNotIn("horse", output)
        self.assertNotIn("$2", output)

    def test_one_refused_row_rolls_back_everything_and_is_named(self):
        alias = "- {address: %s@example.org, goto: [%s]}\n"
        for row, *words in (
            (alias % ("loop", "loop@example.org"), "line 4", "loop@example.org", "itself"),
            (alias % ("a", ""), "line 4", "a@example.org", "address to forward to"),
            ("- {address: a@example.net, goto: [x@y.test]}\n", "line 4", "does not list"),
            ("- {address: nonsense, goto: [x@y.test]}\n", "line 4"),
            ("- {address: b@example.org, colour: red}\n", "line 4", "colour"),
            ("- {address: b@example.org, address: c@example.org}\n", "line 4", "Duplicate"),
            (alias % ("b", "x@y.test") + alias % ("B", "x@y.test"), "line 5", "Duplicate"),
        ):
            text = f"domains:\n- {{domain: example.org}}\naliases:\n{row}"
            self.assert_refused_with(text, *words)

    def test_an_exceeded_limit_rolls_back_everything(self):
        text = "domains:\n- {domain: example.org, mailboxes: 1}\nmailboxes:\n"
        rows = "".join(f"- username: m{n}@example.org\n" for n in range(3))
        self.assert_refused_with(text + rows, "line 5", "m1@example.org", "limit")

    def test_invalid_manifests_are_refused(self):
        for text in (
            "",
            "7",
            "[]",
            "{}",
            "domains: 7",
            "domains: {a: b}",
            "domains: [7]",
            "domains: [[]]",
            "domains: [{}]",
            "domains: [{domain: [x]}]",
            "mailboxes: []",
            "nonsense: []\ndomains: []",
            "domains: []\ndomains: []",
            "domains: [{domain: nonsense}]",
            "domains: [",
            "a: !!python/object/apply:os.system ['true']",
            "domains: [{domain: !!python/object/apply:os.system ['true']}]",
            "? [a]\n: b",
            "domains: [{domain: example.org, aliases: many}]",
            "domains: [{domain: example.org, description: {a: b}}]",
            "domains: [&a {domain: example.org, description: [*a]}]",
            "\x00",
            "[" * 60_000,
            "domains: [{domain: " + "[" * 5000 + "]" * 5000 + "}]",
            'domains: [{domain: "example.org", description: "a\\0b"}]',
        ):
            with self.subTest(text=text):
                self.assert_refused_with(text)

    def test_a_retry_does_not_overwrite_a_concurrent_password(self):
        """The first attempt was rolled back; meanwhile the mailbox was created by another user."""
        description = parse_manifest(ORG + "mailboxes:\n- username: dave@example.org\n", "x")
        with self.assertRaises(DryRunRollback):
            perform(Actor.console(), reconcile, description, True)
        row = {"local_part": "dave", "domain": self.bob.domain, "password": self.bob.password}
        self.perform(self.root, create_mailboxes, [row])
        steps = perform(Actor.console(), reconcile, description)
        self.assertEqual(
            [step.verb for step in steps], ["delete"]
        )  # bob, who is not in the manifest
        self.assertEqual(Mailbox.objects.get(pk="dave@example.org").password, self.bob.password)

    def test_apply_is_refused_without_transactions(self):
        tables = "mailadmin.db.checks.find_nontransactional_tables"
        with mock.patch(tables, lambda: ("alias", "mailbox")):
            for words in (["--plan"], []):
                with self.assertRaisesMessage(CommandError, "convert-tables"):
                    self.apply(ORG + "mailboxes: []\naliases: []\n", *words)
        self.assertTrue(Mailbox.objects.filter(pk="bob@example.org").exists())

    def test_yaml_values_are_read_as_strings(self):
        row = (
            "- {username: bob@example.org, name: No, quota: 010, active: yes, phone: 2026-01-01}\n"
        )
        self.steps(ORG + "mailboxes:\n" + row)
        bob = Mailbox.objects.get(pk="bob@example.org")
        self.assertEqual((bob.name, bob.quota, bob.active), ("No", 10_240_000, True))
        self.assertEqual(bob.phone, "2026-01-01")
        self.assertEqual(
            self.steps(ORG + "mailboxes:\n- {username: bob@example.org, name: ~}\n"), []
        )

    def test_json_is_accepted_too(self):
        text = json.dumps({"domains": [{"domain": "example.org", "description": "Bakery"}]})
        self.assertEqual(self.steps(text), [("edit", "domain", "example.org")])

    def test_a_file_that_cannot_be_read_is_named(self):
        with self.assertRaisesMessage(CommandError, "/nowhere/x.yaml"):
            call_command("apply", "/nowhere/x.yaml")

    def test_thousands_of_rows_are_one_transaction_of_few_statements(self):
        rows = "".join(f"- username: m{n}@example.org\n" for n in range(2000))
        text = "domains:\n- {domain: example.org, mailboxes: 0, aliases: 0}\nmailboxes:\n" + rows
        from django.db import connection
        from django.test.utils import CaptureQueriesContext

        with CaptureQueriesContext(connection) as captured:
            steps = self.steps(text)
        self.assertEqual(len(steps), 2001)
        self.assertLess(len(captured), 200)
