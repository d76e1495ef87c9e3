"""Large installations: statistics are cached by the worker."""

import datetime
import os
import re
import zoneinfo
from unittest import mock

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from domains.models import Domain, DomainState
from mailadmin.changes.models import Log
from mailboxes import domain_tables
from mailboxes.models import Alias, Mailbox, StandaloneAlias, Usage, Vacation
from mailboxes.models.cached_stats import CachedStat
from mailboxes.services import cached_stats, limits
from mailboxes.services.aliases import create_aliases, delete_aliases
from mailboxes.services.contents import has_more_rows_than
from mailboxes.services.domains import create_domains, delete_domains
from mailboxes.services.mailboxes import create_mailboxes, set_mailboxes
from mailboxes.services.tallies import recount_tallies
from tests.base import World
from tests.legacy_databases import Database

MB = 1024000


class LargeWorld(World):
    """Two mailboxes count as a large installation here."""

    def setUp(self):
        for place, name in ((cached_stats, "LIVE_COUNT_LIMIT"), (limits, "SMALL_DOMAIN_LIMIT")):
            patch = mock.patch.object(place, name, 0)
            patch.start()
            self.addCleanup(patch.stop)

    def home(self, person):
        self.sign_in(type(person).objects.get(pk=person.pk))
        return self.client.get("/").context

    def alias(self, name, domain="example.org"):
        row = {"local_part": name, "domain": Domain.objects.get(pk=domain), "goto": ["x@y.example"]}
        return self.perform(self.root, create_aliases, [row])

    def mailbox(self, name, quota=10):
        domain = Domain.objects.get(pk="example.org")
        row = {"local_part": name, "domain": domain, "password": "x", "quota": quota}
        return self.perform(self.root, create_mailboxes, [row])

    def listed(self, person, url="/aliases/"):
        self.sign_in(type(person).objects.get(pk=person.pk))
        return [row.pk for row in self.client.get(url).context["rows"]]


class HomeTests(LargeWorld):
    def test_cached_numbers_equal_counted_numbers(self):
        Domain.objects.filter(pk="example.org").update(mailboxes=1)
        Domain.objects.filter(pk="example.com").update(active=False)
        Usage.objects.create(mailbox=self.bob, bytes=95 * MB)
        Usage.objects.create(mailbox=self.carol, bytes=99 * MB)
        self.perform(self.root, set_mailboxes, [self.carol.pk], "active", False)
        recount_tallies()
        for person in (self.root, self.alice):
            CachedStat.objects.all().delete()
            counted = self.home(person)
            recount_tallies()
            kept = self.home(person)
            with self.subTest(person=person):
                self.assertNotIn("as_of", counted)
                self.assertIn("as_of", kept)
                self.assertEqual(summary(kept), summary(counted))

    def test_the_time_of_counting_is_shown(self):
        recount_tallies()
        self.sign_in(self.root)
        self.assertContains(self.client.get("/"), "Counted ")

    def test_a_small_installation_is_counted_for_each_page(self):
        recount_tallies()
        with mock.patch.object(cached_stats, "LIVE_COUNT_LIMIT", 5000):
            recount_tallies()
        self.assertFalse(CachedStat.objects.exists())
        self.assertNotIn("as_of", self.home(self.root))

    def test_a_second_refresh_writes_changed_rows_only(self):
        recount_tallies()
        before = dict(CachedStat.objects.exclude(name="counted").values_list("key", "pk"))
        recount_tallies()
        self.assertEqual(
            dict(CachedStat.objects.exclude(name="counted").values_list("key", "pk")), before
        )

    def test_a_recreated_domain_has_no_cached_numbers(self):
        self.perform(self.root, set_mailboxes, [self.carol.pk], "active", False)
        recount_tallies()
        self.assertTrue(CachedStat.objects.filter(domain="example.com", name="day").exists())
        self.perform(self.root, delete_domains, ["example.com"])
        self.perform(self.root, create_domains, [{"domain": "example.com"}])
        self.assertFalse(CachedStat.objects.filter(domain="example.com").exists())


class DeletionCountTests(LargeWorld):
    def counts(self, url="/domains/example.org/delete/"):
        self.sign_in(self.root)
        return dict(self.client.get(url).context["cascade_counts"])

    def test_tallies_equal_counted_rows(self):
        Vacation.objects.create(mailbox=self.bob, domain_id="example.org", subject="s", body="b")
        self.alias("new")
        counted = self.counts()
        recount_tallies()
        with CaptureQueriesContext(connection) as captured:
            self.assertEqual(self.counts(), counted)
        self.assertEqual(
            counted, {"Mailboxes": 1, "Aliases": 2, "Domain assignments": 1, "Vacation replies": 1}
        )
        counted_tables = re.findall(r"COUNT\(\*\) AS .count. FROM .(\w+)", str(captured[:]))
        self.assertIn("vacation", counted_tables)
        self.assertNotIn("mailbox", counted_tables)
        self.assertNotIn("alias", counted_tables)

    def test_large_and_small_domains_together(self):
        recount_tallies()
        keys = ["example.org", "example.com"]
        limit = mock.patch.object(limits, "SMALL_DOMAIN_LIMIT", 1)
        with limit:
            self.alias("a", "example.com")
            self.alias("b", "example.com")
            self.assertEqual(
                [state.pk for state in limits.find_trusted_tallies(keys)], ["example.com"]
            )
            counts = dict(domain_tables.DomainTable().cascade_counts(keys))
        self.assertEqual((counts["Mailboxes"], counts["Aliases"]), (2, 4))

    def test_old_tallies_are_not_used(self):
        recount_tallies()
        CachedStat.objects.filter(name="counted").update(number=1)
        self.assertEqual(limits.find_trusted_tallies(["example.org"]), [])

    def test_a_deletion_is_large_by_all_its_domains(self):
        keys = ["example.org", "example.com"]
        self.assertFalse(has_more_rows_than(2, Mailbox, keys))
        self.assertTrue(has_more_rows_than(1, Mailbox, keys))
        self.assertFalse(has_more_rows_than(1, Mailbox, keys[:1]))


def summary(context):
    attention = context["attention"]
    return {
        "totals": {name: context["totals"][name] for name in ("domains", "mailboxes", "aliases")},
        "used": context["totals"]["quota_used"],
        "days": [day.count for day in context["days"]],
        "domains": [
            [(domain.pk, domain.percent) for domain in attention[name].shown]
            for name in ("full_domains", "inactive_domains")
        ],
        "full": [(usage.mailbox_id, usage.percent) for usage in attention["full_mailboxes"].shown],
        "inactive": [mailbox.pk for mailbox in attention["inactive_mailboxes"].shown],
    }


class StandaloneAliasTests(LargeWorld):
    def test_the_list_is_the_same_with_and_without_the_cache(self):
        self.alias("abc")
        self.alias("zzz")
        for person in (self.root, self.alice):
            for url in ("/aliases/", "/aliases/?domain=example.org", "/aliases/?active=1"):
                CachedStat.objects.all().delete()
                live = self.listed(person, url)
                recount_tallies()
                with self.subTest(person=person, url=url):
                    self.assertEqual(self.listed(person, url), live)
                    self.assertIn("zzz@example.org", live)
                    self.assertNotIn("bob@example.org", live)

    def test_the_cache_shows_alice_no_foreign_alias(self):
        recount_tallies()
        self.assertEqual(self.listed(self.alice), ["info@example.org"])
        self.assertEqual(self.listed(self.alice, "/aliases/?domain=example.com"), [])

    def test_an_alias_created_here_is_listed_immediately(self):
        recount_tallies()
        self.alias("new")
        self.assertIn("new@example.org", self.listed(self.root))

    def test_an_alias_created_by_postfixadmin_is_listed_immediately(self):
        recount_tallies()
        Alias.objects.create(address="pfa@example.org", goto="x@y.example", domain_id="example.org")
        Log.objects.create(
            timestamp=timezone.now(),
            username="alice@example.org (192.0.2.7)",
            domain_id="example.org",
            action="create_alias",
            data="pfa@example.org",
        )
        for person in (self.root, self.alice):
            self.assertIn("pfa@example.org", self.listed(person))

    def test_an_alias_created_by_a_script_is_listed_after_a_worker_run(self):
        recount_tallies()
        Alias.objects.create(address="sql@example.org", goto="x@y.example", domain_id="example.org")
        recount_tallies()
        self.assertIn("sql@example.org", self.listed(self.root))

    def test_deleted_aliases_are_not_listed(self):
        self.alias("old")
        recount_tallies()
        self.perform(self.root, delete_aliases, ["old@example.org"])
        self.assertNotIn("old@example.org", self.listed(self.root))
        Alias.objects.filter(pk="info@example.org")._raw_delete("default")
        self.assertNotIn("info@example.org", self.listed(self.root))
        recount_tallies()
        self.assertEqual(
            list(StandaloneAlias.objects.values_list("pk", flat=True)), ["info@example.com"]
        )

    def test_an_alias_can_be_recreated_despite_a_stale_index_row(self):
        recount_tallies()
        Alias.objects.filter(pk="info@example.org")._raw_delete("default")
        self.alias("info")
        self.assertIn("info@example.org", self.listed(self.root))

    def test_the_domain_page_shows_them_too(self):
        recount_tallies()
        self.sign_in(self.root)
        aliases = self.client.get("/domains/example.org/").context["aliases"]
        self.assertEqual([alias.pk for alias in aliases], ["info@example.org"])


class LimitTests(LargeWorld):
    """The tally of a large domain is used instead of a count while far from the limit."""

    def limit(self, **values):
        Domain.objects.filter(pk="example.org").update(**values)

    def test_near_the_limit_mailboxes_are_counted(self):
        self.limit(mailboxes=2, quota=0, maxquota=0)
        recount_tallies()
        Mailbox.objects.filter(pk=self.bob.pk).update(local_part="bob")
        DomainState.objects.filter(pk="example.org").update(
            mailboxes=2
        )  # wrong: there is one mailbox
        self.mailbox("one")
        with self.assertRaises(ValidationError):
            self.mailbox("two")

    def test_far_from_the_limit_nothing_is_counted(self):
        self.limit(mailboxes=100, aliases=100, quota=1000, maxquota=0)
        recount_tallies()
        with mock.patch.object(limits, "get_unassigned_quota", side_effect=AssertionError):
            self.mailbox("one")

    def test_an_outdated_tally_is_not_trusted(self):
        self.limit(mailboxes=100, quota=1000, maxquota=0)
        recount_tallies()
        CachedStat.objects.filter(name="counted").update(number=1)
        DomainState.objects.filter(pk="example.org").update(quota_assigned=0, mailboxes=50)
        with self.assertRaises(ValidationError):
            self.mailbox("one", quota=901)

    def test_the_form_shows_the_remaining_quota(self):
        self.limit(quota=150, maxquota=0)
        recount_tallies()
        self.sign_in(self.alice)
        self.assertContains(self.client.get("/mailboxes/room/?domain=example.org"), "50 MB")
        self.assertContains(self.client.get("/mailboxes/bob@example.org/edit/"), "150 MB")


DAYS_OF_THE_LOG = """
import django; django.setup()
from mailadmin.models import Log
from mailboxes.services import statistics
Log.objects.create(username="-", domain_id="", action="-", data="-")
days = statistics.recent_log_days(Log.objects.all())
print([str(row["day"]) for row in statistics.count_per_day(days)])
"""


@pytest.mark.mariadb
@pytest.mark.parametrize("zone", ["UTC", "Etc/UTC", "Etc/GMT+5", "Europe/Berlin"])
def test_days_are_counted_without_time_zone_tables(mariadb, zone):
    database = Database(mariadb, f"zones_{os.getpid()}")
    mariadb.create(database.name)
    database.migrate()
    today = datetime.datetime.now(zoneinfo.ZoneInfo(zone)).date()
    counted = database.panel("-c", DAYS_OF_THE_LOG, MAILADMIN_TIME_ZONE=zone)
    database.drop()
    assert str(today) in counted
