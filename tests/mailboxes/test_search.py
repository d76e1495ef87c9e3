"""The search of large tables: the same rows as ever, found without reading all of them."""

import re
from unittest import mock

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from domains.models import Admin, Domain
from domains.services.admins import create_admins
from mailadmin import registry
from mailadmin.changes.models import Log
from mailadmin.changes.perform import Actor, perform
from mailadmin.db.index_hints import NO_PRIMARY_ORDER
from mailboxes.models import Alias, Mailbox
from mailboxes.services import cached_stats
from mailboxes.services.aliases import create_aliases
from mailboxes.services.mailboxes import create_mailboxes
from mailboxes.services.tallies import recount_tallies
from tests.base import World

SIZE = 2
DOMAINS = ["example.com", "example.org"]


def create_rows(service, domain, **values):
    """Create five rows, m0 to m4 or a0 to a4."""
    letter = "m" if service is create_mailboxes else "a"
    rows = [{"local_part": f"{letter}{n}", "domain": domain} | values for n in range(5)]
    perform(Actor.console(), service, rows)


def cache_statistics():
    """Have the worker index the aliases, as those of a large installation."""
    with mock.patch.object(cached_stats, "LIVE_COUNT_LIMIT", 0):
        recount_tallies()


class SearchWorld(World):
    """Two domains with mailboxes and aliases; dora manages both."""

    @classmethod
    def setUpTestData(cls):
        super().setUpTestData()
        for domain in Domain.objects.all():
            create_rows(create_mailboxes, domain, password="x", name="Мария")
            goto = [f"bob@{domain.pk}"]
            create_rows(create_aliases, domain, goto=goto, description="Мария")
        dora = {"username": "dora@example.net", "password": "x", "domains": DOMAINS}
        perform(Actor.console(), create_admins, [dora])
        cls.dora = Admin.objects.get(pk="dora@example.net")
        Log.objects.all().delete()

    def read_pages(self, table, person, filters):
        """Return the keys of all pages forwards; those backwards must be the same."""
        read = {"principal": person, "filters": filters, "size": SIZE}
        pages = [table.page(**read)]
        while pages[-1].has_next:
            pages.append(table.page(**read, after=pages[-1].rows[-1].pk))
        for page, previous in zip(pages[1:], pages, strict=False):
            rows = table.page(**read, before=page.rows[0].pk).rows
            self.assertEqual(rows, previous.rows)
        return [row.pk for page in pages for row in page.rows]


@pytest.mark.mysql
class SearchTests(SearchWorld):
    def check(self, slug, text, letter):
        """Find the rows in all domains of each admin, and in one of them."""
        for person, managed in (
            (self.root, DOMAINS),
            (self.dora, DOMAINS),
            (self.alice, ["example.org"]),
        ):
            for domain in ("", *DOMAINS):
                filters = {"q": text} | ({"domain": domain} if domain else {})
                names = [name for name in managed if domain in ("", name)]
                expected = sorted(f"{letter}{n}@{name}" for n in range(5) for name in names)
                with self.subTest(person=person, filters=filters):
                    found = self.read_pages(registry.tables[slug], person, filters)
                    self.assertEqual(found, expected)

    def test_mailboxes_are_found_page_by_page(self):
        for text in ("Мария", "m*", "ария EXAMPLE"):
            self.check("mailboxes", text, "m")

    def test_aliases_are_found_page_by_page(self):
        for text in ("Мария", "a*", "ария bob@"):
            self.check("aliases", text, "a")

    def test_aliases_of_a_large_installation_are_found_page_by_page(self):
        cache_statistics()
        self.assertTrue(cached_stats.get_last_refresh())
        for text in ("Мария", "a*", "ария bob@"):
            self.check("aliases", text, "a")

    def test_a_mailbox_is_no_alias_that_the_list_finds(self):
        cache_statistics()
        filters = {"q": "m1", "domain": "example.org"}
        self.assertEqual(self.read_pages(registry.tables["aliases"], self.root, filters), [])

    def test_a_new_alias_of_postfixadmin_is_found(self):
        cache_statistics()
        Alias.objects.create(address="pfa@example.org", goto="x@y.example", domain_id="example.org")
        Log.objects.create(
            username="x", domain_id="example.org", action="create_alias", data="pfa@example.org"
        )
        filters = {"q": "y.exa", "domain": "example.org"}
        found = self.read_pages(registry.tables["aliases"], self.root, filters)
        self.assertEqual(found, ["pfa@example.org"])

    def test_text_that_a_name_cannot_hold_is_looked_for_in_descriptions_alone(self):
        cache_statistics()
        for text, count in (("Мари", 5), ("é", 0), ("😀", 0)):
            with self.subTest(text=text):
                filters = {"q": text, "domain": "example.org"}
                found = self.read_pages(registry.tables["aliases"], self.root, filters)
                self.assertEqual(len(found), count)


@pytest.mark.mariadb
@pytest.mark.release
class SearchPlanTests(SearchWorld):
    """What MariaDB reads for a search, as it explains it; MySQL needs statistics of the tables."""

    @classmethod
    def setUpTestData(cls):
        super().setUpTestData()
        key = {"domain_id": "example.org"}
        names = [f"x{n}@example.org" for n in range(500)]
        Mailbox.objects.bulk_create(Mailbox(username=name, **key) for name in names)
        Alias.objects.bulk_create(Alias(address=name, goto=name, **key) for name in names)

    def explain_search(self, url, person, table):
        """Yield the index that each part of the search reads, and what else is said of it."""
        self.sign_in(person)
        with CaptureQueriesContext(connection) as captured:
            self.assertEqual(self.client.get(url).status_code, 200)
        sql = next(q["sql"] for q in captured if re.search(f"{table}.*LIKE.*ORDER BY", q["sql"]))
        with connection.cursor() as cursor:
            cursor.execute("EXPLAIN FORMAT=TRADITIONAL " + sql.replace("%", "%%"))
            names = [column[0] for column in cursor.description]
            rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        yield from ((row["key"], row["Extra"]) for row in rows if row["table"] == table)

    def test_mailboxes_are_read_in_an_index_that_has_all_columns(self):
        for url, person, index in (
            ("/mailboxes/?q=qqqq", self.root, "mailadmin_mailbox_search"),
            ("/search/?q=qqqq", self.root, "mailadmin_mailbox_search"),
            ("/mailboxes/?q=qqqq&domain=example.org", self.root, "mailadmin_mailbox_search_in"),
            ("/mailboxes/?q=qqqq", self.dora, "mailadmin_mailbox_search_in"),
            ("/search/?q=qqqq", self.dora, "mailadmin_mailbox_search_in"),
            ("/mailboxes/?q=qqqq", self.alice, "mailadmin_mailbox_search_in"),
        ):
            with self.subTest(url=url, person=person):
                for key, extra in self.explain_search(url, person, "mailbox"):
                    self.assertEqual(key, index)
                    self.assertIn("Using index", extra)
                    self.assertNotIn("filesort", extra)

    def test_aliases_of_a_domain_are_read_without_those_of_others(self):
        for url, person in (
            ("/search/?q=qqqq", self.dora),
            ("/search/?q=qqqq", self.alice),
            ("/aliases/?q=qqqq&domain=example.org", self.root),
        ):
            with self.subTest(url=url, person=person):
                for key, extra in self.explain_search(url, person, "alias"):
                    self.assertNotIn(key, ("PRIMARY", None))
                    self.assertNotIn("filesort", extra)

    def test_the_hint_is_for_searches(self):
        self.sign_in(self.root)
        for url, is_hinted in (("/mailboxes/", False), ("/mailboxes/?q=qqqq", True)):
            with CaptureQueriesContext(connection) as captured:
                self.client.get(url)
            found = any(NO_PRIMARY_ORDER in query["sql"] for query in captured)
            self.assertEqual(found, is_hinted, url)
