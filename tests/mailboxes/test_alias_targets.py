"""The index of the addresses and domains to which aliases point."""

import importlib
from unittest import mock

from django.apps import apps
from django.core.exceptions import ValidationError
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from mailadmin.changes.models import Log
from mailadmin.tables import cascade
from mailboxes import detail
from mailboxes.models import Alias, AliasTarget, build_alias_targets
from mailboxes.models.goto import get_target_names
from mailboxes.services import alias_targets, references
from mailboxes.services.alias_targets import reindex_alias_targets
from mailboxes.services.aliases import create_aliases, delete_aliases, edit_alias, set_aliases
from mailboxes.services.domains import create_domains, delete_domains
from mailboxes.services.forwardings import set_forwarding
from mailboxes.services.mailboxes import delete_mailboxes, edit_mailbox
from mailboxes.services.references import find_aliases_pointing_to
from mailboxes.services.vacations import set_vacation
from tests.mailboxes.base import VACATION_TARGET, AliasWorld
from tests.mailboxes.transfer.base import TransferWorld

ALIASES = {
    "info@example.org": {"bob@example.org"},
    "info@example.com": {"carol@example.com"},
}


def indexed():
    """Return alias → the names of its entries."""
    found = {}
    for key, name in AliasTarget.objects.values_list("alias_id", "name"):
        found.setdefault(key, set()).add(name)
    return found


def expected():
    """Return what the index should be."""
    names = {alias.pk: get_target_names(alias.pk, alias.goto) for alias in Alias.objects.all()}
    return {key: own for key, own in names.items() if own}


class TargetNameTests(AliasWorld):
    def test_names_are_those_of_the_targets_and_of_foreign_domains(self):
        for goto, names in (
            ("Bob@Example.org", {"bob@example.org"}),
            ("bob@example.org,x@far.test", {"bob@example.org", "x@far.test", "@far.test"}),
            ('"Bob" <x@far.test>, (a) y@far.test;', {"x@far.test", "y@far.test", "@far.test"}),
            ("@far.test", {"@far.test"}),
            (f"info@example.org,{VACATION_TARGET}", set()),
            ("root, |/bin/program, :include:/etc/list, <>", set()),
            ("", set()),
            (f"{'x' * 300}@far.test", {"@far.test"}),
            ("b\u00f6b@far.test", {"@far.test"}),
            ('"a\x01b"@far.test', {"@far.test"}),
        ):
            with self.subTest(goto=goto):
                self.assertEqual(get_target_names("info@example.org", goto), names)


class ServiceTests(AliasWorld):
    def tearDown(self):
        self.assertEqual(indexed(), expected())

    def test_a_new_alias_is_indexed(self):
        self.alias("new", "bob@example.org", "x@far.test")
        names = {"bob@example.org", "x@far.test", "@far.test"}
        self.assertEqual(indexed(), ALIASES | {"new@example.org": names})

    def test_many_new_aliases_are_indexed_by_one_statement(self):
        def count(names):
            rows = [self.row(name, "bob@example.org", "x@far.test") for name in names]
            with CaptureQueriesContext(connection) as captured:
                self.perform(self.root, create_aliases, rows)
            return sum("mailadmin_alias_target" in query["sql"] for query in captured)

        self.assertEqual([count("ab"), count(f"n{number}" for number in range(40))], [1, 1])

    def test_edited_targets_are_indexed_anew(self):
        self.perform(self.alice, edit_alias, "info@example.org", {"goto": ["x@far.test"]})
        names = {"x@far.test", "@far.test"}
        self.assertEqual(indexed(), ALIASES | {"info@example.org": names})

    def test_other_columns_leave_the_index_alone(self):
        with CaptureQueriesContext(connection) as captured:
            self.perform(self.alice, edit_alias, "info@example.org", {"description": "Desk"})
            self.perform(self.alice, set_aliases, ["info@example.org"], "active", False)
            self.perform(self.alice, edit_mailbox, self.bob.pk, {"active": False})
        self.assertNotIn("mailadmin_alias_target", str(captured.captured_queries))

    def test_the_forwarding_and_the_vacation_reply_of_a_mailbox(self):
        values = {"subject": "Away", "body": "Later.", "active": True}
        self.perform(self.bob, set_forwarding, self.bob.pk, ["x@far.test"], True)
        self.perform(self.bob, set_vacation, self.bob.pk, values)
        self.assertEqual(indexed()[self.bob.pk], {"x@far.test", "@far.test"})
        self.perform(self.bob, set_forwarding, self.bob.pk, [], True)
        self.assertNotIn(self.bob.pk, indexed())

    def test_default_aliases_of_a_new_domain(self):
        row = {"domain": "new.example", "default_aliases_to": "bob@example.org"}
        self.perform(self.root, create_domains, [row])
        self.assertEqual(indexed()["postmaster@new.example"], {"bob@example.org", "@example.org"})

    def test_deletions_take_entries_along(self):
        self.perform(self.bob, set_forwarding, self.bob.pk, ["x@far.test"], True)
        self.alias("new", "x@far.test")
        self.perform(self.alice, delete_aliases, ["new@example.org"])
        self.assertEqual(set(indexed()), {self.bob.pk, *ALIASES})
        self.perform(self.alice, delete_mailboxes, [self.bob.pk])
        self.assertEqual(indexed(), ALIASES)
        self.perform(self.root, delete_domains, ["example.org"])
        self.assertEqual(set(indexed()), {"info@example.com"})

    def test_a_refused_change_leaves_the_index_as_it_was(self):
        rows = [self.row("new", "x@far.test"), self.row("info", "x@far.test")]
        with self.assertRaises(ValidationError):
            self.perform(self.alice, create_aliases, rows)
        self.assertEqual(indexed(), ALIASES)

    def test_an_alias_of_a_name_that_another_program_deleted(self):
        Alias.objects.filter(pk="info@example.org")._raw_delete("default")
        self.alias("info", "bob@example.org")
        self.assertEqual(indexed(), ALIASES)


class ImportTests(TransferWorld):
    def test_imported_and_reverted_aliases_are_indexed(self):
        targets = ["far@example.net", "bob@example.org"]
        rows = [
            {"address": address, "goto": targets}
            for address in ("bob@example.org", "info@example.org", "new@example.org")
        ]
        plan = self.apply(self.json_plan({"aliases": rows}))
        self.assertEqual(plan.state, plan.State.APPLIED, self.reasons(plan))
        self.assertEqual(set(indexed()), {"bob@example.org", "new@example.org", *ALIASES})
        self.assertEqual(indexed(), expected())
        self.revert_plan(plan)
        self.assertEqual(indexed(), ALIASES)


class WorkerTests(AliasWorld):
    def foreign_writes(self):
        """Write aliases as other programs do, without index, log and dates."""
        Alias.objects.create(address="sql@example.org", goto="x@y.test", domain_id="example.org")
        Alias.objects.create(address="aaa@nowhere.test", goto="a@b.test", domain_id="nowhere.test")
        Alias.objects.filter(pk="info@example.org").update(goto="carol@example.com")
        Alias.objects.filter(pk="info@example.com")._raw_delete("default")
        self.alias("moved", "x@far.test")
        Alias.objects.filter(pk="moved@example.org").update(domain="example.com")
        self.alias("reset", "x@far.test")
        Alias.objects.filter(pk="reset@example.org").update(goto="reset@example.org")

    def test_what_other_programs_wrote_is_corrected(self):
        for rows in (1, 2, 10_000):
            with self.subTest(rows=rows), mock.patch.object(alias_targets, "ROWS", rows):
                AliasTarget.objects.all().delete()
                Alias.objects.exclude(pk__in=[self.bob.pk, self.carol.pk]).delete()
                self.alias("info", "bob@example.org")
                self.alias("info", "carol@example.com", person=self.root, domain="example.com")
                self.foreign_writes()
                self.assertNotEqual(indexed(), expected())
                reindex_alias_targets()
                self.assertEqual(indexed(), expected())
                wrong = {"aaa@nowhere.test", "info@example.org", "moved@example.org"}
                self.assertEqual(set(indexed()), {*wrong, "sql@example.org"})
                moved = AliasTarget.objects.filter(alias="moved@example.org")
                self.assertEqual(set(moved.values_list("domain_id", flat=True)), {"example.com"})

    def test_a_correct_index_is_only_read(self):
        with CaptureQueriesContext(connection) as captured:
            reindex_alias_targets()
        written = [q["sql"] for q in captured if not q["sql"].startswith("SELECT")]
        self.assertEqual(written, [])

    def test_only_what_is_wrong_is_written(self):
        self.foreign_writes()
        with mock.patch.object(
            alias_targets, "reindex_aliases", wraps=alias_targets.reindex_aliases
        ) as reindex:
            reindex_alias_targets()
        keys = sorted(key for call in reindex.call_args_list for key in call.args[0])
        wrong = ["aaa@nowhere.test", "info@example.com", "info@example.org", "moved@example.org"]
        self.assertEqual(keys, [*wrong, "reset@example.org", "sql@example.org"])

    def test_the_migration_indexes_the_aliases_that_exist(self):
        self.foreign_writes()
        AliasTarget.objects.all().delete()
        migration = importlib.import_module("mailboxes.migrations.0007_alias_targets")
        for _ in range(2):  # an interrupted one is run again
            migration.index_targets(apps, None)
            self.assertEqual(indexed(), expected())


class CandidateTests(AliasWorld):
    def found(self, *names, person=None):
        found = find_aliases_pointing_to(person or self.root, names)
        return [alias.pk for alias in found]

    def test_addresses_and_domains_are_found_by_the_index_alone(self):
        self.alias("out", "bob@example.org", person=self.root, domain="example.com")
        Log.objects.all().delete()
        self.assertEqual(self.found("Bob@example.org"), ["info@example.org", "out@example.com"])
        self.assertEqual(self.found("@example.org"), ["out@example.com"])
        self.assertEqual(self.found("bob@example.org", "@example.org"), ["out@example.com"])
        AliasTarget.objects.filter(alias="out@example.com").delete()
        self.assertEqual(self.found("@example.org"), [])

    def test_only_aliases_in_scope_are_found(self):
        self.alias("out", "bob@example.org", person=self.root, domain="example.com")
        self.assertEqual(self.found("bob@example.org", person=self.alice), ["info@example.org"])

    def test_an_alias_that_was_moved_out_of_scope_is_not_found(self):
        Alias.objects.filter(pk="info@example.org").update(domain="example.com")
        Log.objects.all().delete()
        self.assertEqual(self.found("bob@example.org", person=self.alice), [])

    def test_an_entry_without_its_target_finds_nothing(self):
        Alias.objects.filter(pk="info@example.org").update(goto="x@far.test")
        self.assertEqual(self.found("bob@example.org"), [])

    def test_an_alias_that_postfixadmin_has_just_written_is_found(self):
        Alias.objects.create(
            address="pfa@example.org", goto="bob@example.org", domain_id="example.org"
        )
        self.assertEqual(self.found("bob@example.org"), ["info@example.org"])
        for action in ("create_alias", "edit_alias"):
            Log.objects.all().delete()
            Log.objects.create(
                timestamp=timezone.now(),
                username="alice@example.org (192.0.2.7)",
                domain_id="example.org",
                action=action,
                data="pfa@example.org",
            )
            with self.subTest(action=action):
                self.assertEqual(
                    self.found("bob@example.org"), ["info@example.org", "pfa@example.org"]
                )

    def test_an_alias_with_a_thousand_targets(self):
        goto = [f"n{number}@d{number}.test" for number in range(1000)]
        self.alias("all", *goto)
        self.assertEqual(self.found("n999@d999.test"), ["all@example.org"])
        self.assertEqual(len(build_alias_targets(Alias.objects.get(pk="all@example.org"))), 2000)
        self.assertEqual(AliasTarget.objects.filter(alias="all@example.org").count(), 2000)


class ManyReferencesTests(AliasWorld):
    def setUp(self):
        for number in range(4):
            self.alias(f"n{number}", "bob@example.org")
        Log.objects.all().delete()
        self.sign_in(self.alice)

    def test_of_very_many_only_some_are_read(self):
        for limit, number in ((3, 3), (10, 5)):
            with mock.patch.object(references, "MAX_REFERENCES", limit):
                found = find_aliases_pointing_to(self.alice, ["bob@example.org"])
            self.assertEqual(len(found), number)

    def test_a_confirmation_shows_the_first_of_many(self):
        url = f"/mailboxes/{self.bob.pk}/delete/"
        with mock.patch.object(cascade, "MAX_SHOWN_REFERENCES", 2):
            page = self.client.get(url)
        self.assertContains(page, "info@example.org")
        self.assertContains(page, "n0@example.org")
        self.assertNotContains(page, "n1@example.org")
        self.assertContains(page, "and more")
        self.assertNotContains(self.client.get(url), "and more")

    def test_the_page_of_an_address_does_not_count_more_than_were_read(self):
        url = f"/addresses/{self.bob.pk}/references/"
        with mock.patch.object(detail, "MAX_SHOWN_ROWS", 2):
            self.assertContains(self.client.get(url), "and 3 more")
            with mock.patch.object(detail, "MAX_REFERENCES", 5):
                self.assertContains(self.client.get(url), "and more")


class ConcurrencyTests(AliasWorld):
    def test_the_correction_takes_the_lock_of_services_first(self):
        """On a Galera cluster only a write holds off others."""
        Alias.objects.filter(pk="info@example.org").update(goto="x@far.test")
        with CaptureQueriesContext(connection) as captured:
            alias_targets.reindex_aliases(["info@example.org"])
        statements = [q["sql"] for q in captured if not q["sql"].startswith("SAVEPOINT")]
        self.assertTrue(statements[0].startswith("UPDATE"), statements)
        self.assertIn("mailadmin_domain_state", statements[0])
        self.assertNotIn("FOR UPDATE", str(statements))
