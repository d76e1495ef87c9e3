"""Aliases with undeliverable targets: warnings on saving, in the list and on the home page."""

from io import StringIO
from unittest import mock

from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from domains.models import AliasDomain, Domain, Transport
from domains.services.domains import edit_domain
from mailadmin import registry
from mailadmin.address_lists import parse_address_list
from mailboxes.models import Alias, Mailbox
from mailboxes.models.cached_stats import CachedStat
from mailboxes.services import cached_stats
from mailboxes.services.aliases import create_aliases, delete_aliases
from mailboxes.services.mailboxes import create_mailboxes, set_mailboxes
from mailboxes.services.tallies import recount_tallies
from mailboxes.services.target_checks import find_alias_problems
from tests.base import World

MISSING = "nobody@example.org does not exist; mail to it will bounce."


class ProblemTests(World):
    def problems(self, goto, address="x@example.org", person=None):
        alias = Alias(address=address, goto=goto, domain_id="example.org")
        return find_alias_problems(person or self.root, [alias]).get(address, [])

    def test_existing_and_external_targets_are_not_problems(self):
        for goto in (
            "bob@example.org",
            "BOB+x@Example.org, info@example.org",
            "fred@far.test",
            "bob#example.org@autoreply.localhost,bob@example.org",
        ):
            self.assertEqual(self.problems(goto), [], goto)

    def test_missing_and_inactive_targets_are_problems(self):
        self.assertEqual(self.problems("bob@example.org nobody@example.org"), [MISSING])
        Mailbox.objects.filter(pk="carol@example.com").update(active=False)
        Alias.objects.filter(pk="info@example.com").update(active=False)
        for name in ("carol", "info", "carol+x"):
            address = f"{name}@example.com"
            self.assertEqual(
                self.problems(address), [f"{address} is inactive; mail to it will bounce."]
            )
        Domain.objects.filter(pk="example.com").update(active=False)
        self.assertEqual(
            self.problems("x@example.com"), ["x@example.com is inactive; mail to it will bounce."]
        )

    def test_an_inactive_mailbox_whose_alias_forwards_is_not_a_problem(self):
        Mailbox.objects.filter(pk="bob@example.org").update(active=False)
        self.assertEqual(
            self.problems("bob@example.org"),
            ["bob@example.org is inactive; mail to it will bounce."],
        )
        Alias.objects.filter(pk="bob@example.org").update(goto="x@far.test")
        self.assertEqual(self.problems("bob@example.org"), [])

    def test_a_mailbox_without_its_alias_exists(self):
        Alias.objects.filter(pk="bob@example.org").delete()
        self.assertEqual(self.problems("bob@example.org"), [])

    def test_a_bare_name_and_an_empty_list_are_problems(self):
        self.assertIn("has no domain", self.problems("root")[0])
        away = "bob#example.org@autoreply.localhost"
        for goto in ("@", ",", away):
            text = "Mail is not delivered to any mailbox."
            self.assertEqual(self.problems(goto), [text], goto)

    def test_targets_accepted_by_a_catch_all_an_alias_domain_or_a_transport_are_not_problems(self):
        Domain.objects.create(domain="mirror.example")
        self.assertEqual(len(self.problems("bob@mirror.example")), 1)
        AliasDomain.objects.create(alias_domain_id="mirror.example", target_domain_id="example.org")
        self.assertEqual(self.problems("bob@mirror.example"), [])
        self.assertEqual(len(self.problems("nobody@mirror.example")), 1)
        row = Transport.objects.create(pattern="example.org", transport="smtp:[mx.far.test]")
        self.assertEqual(self.problems("nobody@example.org"), [])
        row.delete()
        Domain.objects.filter(pk="example.org").update(transport="smtp:[mx.far.test]")
        self.assertEqual(self.problems("nobody@example.org"), [])
        Domain.objects.filter(pk="example.org").update(transport="virtual", backupmx=True)
        self.assertEqual(self.problems("nobody@example.org"), [])
        Domain.objects.filter(pk="example.org").update(backupmx=False)
        Alias.objects.create(address="@example.org", goto="x@far.test", domain_id="example.org")
        self.assertEqual(self.problems("nobody@example.org"), [])

    def test_a_transport_that_delivers_here_changes_nothing(self):
        Transport.objects.create(pattern="example.org", transport=":")
        self.assertEqual(self.problems("nobody@example.org"), [MISSING])

    def test_an_alias_without_targets_has_no_problem_of_a_target(self):
        self.assertEqual(self.problems(""), [])
        self.assertEqual(
            self.problems("x#example.org@autoreply.localhost"),
            ["Mail is not delivered to any mailbox."],
        )

    def test_problems_of_foreign_domains_are_hidden_from_alice(self):
        self.assertEqual(self.problems("nobody@example.com", person=self.alice), [])
        Domain.objects.create(domain="mirror.example")
        AliasDomain.objects.create(alias_domain_id="example.org", target_domain_id="example.com")
        Alias.objects.filter(domain="example.org").delete()
        self.assertEqual(self.problems("carol@example.org", person=self.alice), [])
        self.assertEqual(self.problems("nobody@example.org", person=self.alice), [])

    def test_many_aliases_run_the_same_queries_as_one(self):
        aliases = [
            Alias(address=f"a{n}@example.org", goto=f"b{n}@example.org", domain_id="example.org")
            for n in range(100)
        ]
        with CaptureQueriesContext(connection) as one:
            find_alias_problems(self.root, aliases[:1])
        with CaptureQueriesContext(connection) as many:
            self.assertEqual(len(find_alias_problems(self.root, aliases)), 100)
        self.assertEqual(len(one), len(many))
        self.assertLessEqual(len(many), 4)


class WarningTests(World):
    def test_the_page_warns_on_saving(self):
        self.sign_in(self.alice)
        data = {"local_part": "x", "domain": "example.org", "active": "on"}
        data |= {"goto": "nobody@example.org"}
        page = self.client.post("/aliases/create/", data, follow=True)
        self.assertContains(page, MISSING)
        self.assertContains(self.client.get("/aliases/"), "undeliverable")
        url = "/mailboxes/bob@example.org/forwarding/"
        seen = self.client.get(url).context["form"].initial["seen"]
        data = {"goto": "nobody@example.org", "goto_mailbox": "on", "seen": seen}
        self.assertContains(self.client.post(url, data, follow=True), MISSING)
        self.assertContains(self.client.get("/mailboxes/"), "undeliverable")

    def test_the_api_returns_warnings_only_if_there_are_any(self):
        program = self.api(self.alice)
        row = {"local_part": "x", "domain": "example.org", "goto": ["nobody@example.org"]}
        made = program.post("aliases", row)
        self.assertEqual((made.status_code, made.json()["warnings"]), (201, [MISSING]))
        changed = program.patch("aliases/x@example.org", {"goto": ["bob@example.org"]})
        self.assertNotIn("warnings", changed.json())
        changed = program.patch("aliases/x@example.org", {"goto": ["nobody@example.org"]})
        self.assertEqual(changed.json()["warnings"], [MISSING])
        rows = [row | {"local_part": "y"}, row | {"local_part": "z", "goto": ["bob@example.org"]}]
        made = program.post("aliases", rows).json()["items"]
        self.assertEqual([each.get("warnings") for each in made], [[MISSING], None])

    def test_the_command_warns_on_standard_error(self):
        output, error = StringIO(), StringIO()
        call_command(
            *("alias", "add", "x@example.org", "--goto", "nobody@example.org"),
            stdout=output,
            stderr=error,
        )
        self.assertEqual(error.getvalue(), f"Warning: {MISSING}\n")


class SavedRowTests(World):
    def warnings(self, table, *rows, person=None):
        found = registry.tables[table].warnings(person or self.alice, rows)
        return [text for row in rows for text in found.get(row.pk, [])]

    def test_a_target_that_forwards_back_causes_a_warning(self):
        Alias.objects.create(address="a@example.org", goto=self.bob.pk, domain_id="example.org")
        Alias.objects.filter(pk=self.bob.pk).update(goto=f"a@example.org,{self.bob.pk}")
        own = Alias.objects.get(pk=self.bob.pk)
        text = "a@example.org and bob@example.org forward to each other."
        self.assertEqual(
            self.warnings("aliases", own), [f"{text} Mail is stored only where a copy is kept."]
        )
        Alias.objects.filter(pk="a@example.org").update(active=False)
        self.assertNotIn("forward to each other", str(self.warnings("aliases", own)))

    def test_foreign_targets_that_forward_back_are_not_revealed(self):
        Alias.objects.filter(pk=self.carol.pk).update(goto=self.bob.pk)
        Alias.objects.filter(pk=self.bob.pk).update(goto=f"{self.carol.pk},{self.bob.pk}")
        own = Alias.objects.get(pk=self.bob.pk)
        self.assertEqual(self.warnings("aliases", own), [])
        self.assertEqual(len(self.warnings("aliases", own, person=self.root)), 1)

    def test_rows_of_an_alias_domain_take_their_mail_themselves(self):
        alias = Alias.objects.get(pk="info@example.org")
        catch_all = Alias(address="@example.org", goto="x@far.test", domain_id="example.org")
        self.assertEqual(self.warnings("mailboxes", self.bob), [])
        AliasDomain.objects.create(alias_domain_id="example.org", target_domain_id="example.com")
        text = (
            "example.org is an alias domain of example.com, but mail to %s is delivered to this"
            " address itself."
        )
        for table, row in (("mailboxes", self.bob), ("aliases", alias)):
            self.assertEqual(self.warnings(table, row, person=self.root), [text % row.pk])
        self.assertEqual(
            self.warnings("aliases", catch_all, person=self.root),
            [
                "example.org has a catch-all of its own: it takes mail to addresses that do not"
                " exist in example.com."
            ],
        )
        self.assertEqual(self.warnings("mailboxes", self.bob), [])

    def test_the_page_of_an_alias_domain_names_the_exception(self):
        AliasDomain.objects.create(alias_domain_id="example.org", target_domain_id="example.com")
        self.sign_in(self.root)
        text = "Mail is delivered as mail to example.com, except to its own mailboxes and aliases."
        self.assertContains(self.client.get("/domains/example.org/"), text)

    def test_lists_mark_no_inactive_aliases(self):
        Alias.objects.create(
            address="off@example.org", goto="no@example.org", domain_id="example.org", active=False
        )
        self.sign_in(self.alice)
        self.assertNotContains(self.client.get("/aliases/"), "undeliverable")


class HomeTests(World):
    def alias(self, name, goto):
        row = {"local_part": name, "domain": Domain.objects.get(pk="example.org"), "goto": [goto]}
        self.perform(self.root, create_aliases, [row])

    def test_an_alias_that_is_in_a_foreign_domain_by_now_is_not_shown(self):
        Alias.objects.create(
            address="x@example.com", goto="no@example.com", domain_id="example.com"
        )
        stat = {"name": cached_stats.UNDELIVERABLE_ALIAS, "number": 0, "percent": 0}
        CachedStat.objects.create(domain="example.org", key="x@example.com", **stat)
        self.sign_in(self.alice)
        found = self.client.get("/").context["attention"]["lost_aliases"].shown
        self.assertEqual(list(found), [])

    def assert_on_home(self, *addresses):
        for person in (self.root, self.alice):
            self.sign_in(person)
            found = self.client.get("/").context["attention"]["lost_aliases"].shown
            self.assertEqual([alias.pk for alias in found], list(addresses))

    def test_home_does_not_reveal_addresses_of_foreign_domains(self):
        for name, target in (("probe1", "carol@example.com"), ("probe2", "nobody@example.com")):
            self.alias(name, target)
        self.sign_in(self.alice)
        found = self.client.get("/").context["attention"]["lost_aliases"].shown
        self.assertEqual(found, [])
        self.sign_in(self.root)
        found = self.client.get("/").context["attention"]["lost_aliases"].shown
        self.assertEqual([alias.pk for alias in found], ["probe2@example.org"])

    def test_a_broken_alias_is_listed_until_it_is_fixed(self):
        self.assert_on_home()
        self.alias("x", "nobody@example.org")
        self.assert_on_home("x@example.org")
        self.assertContains(self.client.get("/"), "Aliases with undeliverable targets")
        row = {"local_part": "nobody", "domain": Domain.objects.get(pk="example.org")}
        self.perform(self.root, create_mailboxes, [row | {"password": "x", "quota": 1}])
        self.assert_on_home()
        self.alias("y", "nothing@example.org")
        self.assert_on_home("y@example.org")
        self.perform(self.alice, delete_aliases, ["y@example.org"])
        self.assert_on_home()

    def test_an_alias_that_another_program_fixed_is_not_listed(self):
        self.alias("x", "nobody@example.org")
        self.alias("y", "nobody@example.org")
        Alias.objects.filter(pk="x@example.org").update(goto="bob@example.org")
        self.assert_on_home("y@example.org")

    def test_the_worker_finds_rows_of_other_programs(self):
        Alias.objects.create(address="x@example.org", goto="@", domain_id="example.org")
        Mailbox.objects.filter(pk="bob@example.org").update(active=False)
        for counted in (5000, 0):
            with mock.patch.object(cached_stats, "LIVE_COUNT_LIMIT", counted):
                recount_tallies()
            self.assert_on_home("info@example.org", "x@example.org")
        self.perform(self.root, set_mailboxes, ["bob@example.org"], "active", True)
        self.assert_on_home("x@example.org")

    def test_unusable_transports_are_listed(self):
        Transport.objects.create(pattern="x.example", transport="nosuch:")
        Transport.objects.create(pattern="y.example", transport="discard")
        Transport.objects.create(pattern="z.example", transport=":[gate.example]")
        Transport.objects.create(pattern="off.example", transport="nosuch:", active=False)
        Domain.objects.filter(pk="example.org").update(transport="Smtp:[x]")
        for counted in (5000, 0):
            with mock.patch.object(cached_stats, "LIVE_COUNT_LIMIT", counted):
                recount_tallies()
            self.sign_in(self.root)
            page = self.client.get("/")
            shown = page.context["attention"]
            self.assertEqual([row.pk for row in shown["broken_transports"].shown], ["x.example"])
            self.assertEqual([row.pk for row in shown["broken_domains"].shown], ["example.org"])
            self.assertContains(page, "Transports whose service does not exist")
            self.sign_in(self.alice)
            page = self.client.get("/")
            self.assertContains(page, "Domains whose transport does not exist")
            self.assertNotContains(page, "x.example")
        self.sign_in(self.root)
        page = self.client.get("/transports/")
        self.assertContains(page, "cannot work", count=2)
        self.client.post("/transports/x.example/delete/")
        self.assertEqual(self.client.get("/").context["attention"]["broken_transports"].shown, [])
        self.assertTrue(CachedStat.objects.filter(name="broken_domain").exists())

    def test_root_is_told_of_domains_whose_mail_the_wildcard_takes(self):
        Transport.objects.create(pattern="*", transport="smtp:[gate.example]")
        Transport.objects.create(pattern="example.org", transport=":")
        for counted in (5000, 0):
            with mock.patch.object(cached_stats, "LIVE_COUNT_LIMIT", counted):
                recount_tallies()
            self.sign_in(self.alice)
            self.assertNotContains(self.client.get("/"), "transport “*”")
            self.sign_in(self.root)
            page = self.client.get("/")
            self.assertContains(
                page, '<a href="/transports/">Domains rerouted by the transport “*”'
            )
            shown = page.context["attention"]["rerouted_domains"].shown
            self.assertEqual([domain.pk for domain in shown], ["example.com"])
        self.client.post("/transports/*/toggle/", {"field": "active", "value": "0"})
        self.assertNotContains(self.client.get("/"), "transport “*”")

    def test_a_fixed_domain_is_removed_from_home(self):
        Domain.objects.filter(pk__in=["example.org", "example.com"]).update(transport="nosuch:")
        recount_tallies()
        self.perform(self.root, edit_domain, "example.org", {"transport": "virtual"})
        for person, names in ((self.root, ["example.com"]), (self.alice, [])):
            self.sign_in(person)
            found = self.client.get("/").context["attention"]["broken_domains"].shown
            self.assertEqual([domain.pk for domain in found], names)


class BoundTests(World):
    """Bounds for checking one list of targets, in forms and the API."""

    def test_only_the_first_targets_of_a_very_long_list_are_checked(self):
        targets = ",".join(f"nobody{number}@example.org" for number in range(3000))
        alias = Alias(address="x@example.org", goto=targets, domain_id="example.org")
        with self.assertNumQueries(4):
            found = find_alias_problems(self.root, [alias])["x@example.org"]
        self.assertEqual(len(found), 11)
        self.assertEqual(found[-1], "and 90 more")

    def test_many_edits_check_targets_once(self):
        program = self.api(self.alice)
        row = {"domain": "example.org", "goto": ["nobody@example.org"]}
        rows = [row | {"local_part": f"a{number}"} for number in range(20)]
        self.assertEqual(program.post("aliases", rows).status_code, 201)
        changed = [
            {"address": f"a{number}@example.org", "goto": ["nobody2@example.org"]}
            for number in range(20)
        ]
        with mock.patch.object(
            cached_stats, "refresh_undeliverable", wraps=cached_stats.refresh_undeliverable
        ) as noted:
            self.assertEqual(program.patch("aliases", changed).status_code, 200)
        self.assertEqual(noted.call_count, 1)
        described = [{"address": row["address"], "description": "x"} for row in changed]
        with mock.patch.object(cached_stats, "refresh_undeliverable") as noted:
            self.assertEqual(program.patch("aliases", described).status_code, 200)
        self.assertEqual(noted.call_count, 0)

    def test_very_many_spaces_are_parsed_in_linear_time(self):
        """Quadratic time would not end here."""
        self.sign_in(self.bob)
        for target in ('a@"x' + " " * 200_000 + 'y"', "a@x" + ". " * 100_000, "x" * 10**6):
            answer = self.client.post("/account/forwarding/", {"goto": target})
            self.assertEqual(answer.status_code, 422)
        self.assertEqual(parse_address_list('a@"x' + " " * 500_000 + '.y"'), ["a@x.y"])
