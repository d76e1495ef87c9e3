"""Home, search, lists and the domain page; their cost; database errors."""

import os
from unittest import mock

from django.core.management import call_command
from django.db import OperationalError, connection, connections
from django.test import override_settings
from django.test.utils import CaptureQueriesContext

from domains.models import Admin, AliasDomain, Domain, DomainState, Transport
from domains.services.admins import create_admins
from mailadmin import __version__, registry
from mailadmin.changes.models import Log
from mailboxes.models import Mailbox, Usage
from mailboxes.services import cached_stats
from mailboxes.services.aliases import create_aliases
from mailboxes.services.domains import create_domains
from mailboxes.services.mailboxes import create_mailboxes, set_mailboxes
from mailboxes.services.tallies import recount_tallies
from tests.base import World

MB = 1024000
PAGES = 10


class CostTests(World):
    def setUp(self):
        Transport.objects.create(pattern="*", transport="smtp:[mx.example.org]")

    def fill(self):
        domain = Domain.objects.get(pk="example.org")
        rows = [
            {"local_part": f"m{n:02}", "domain": domain, "password": "x", "quota": 1}
            for n in range(60)
        ]
        self.perform(self.root, create_mailboxes, rows)
        rows = [
            {"local_part": f"a{n:02}", "domain": domain, "goto": [f"m{n:02}@example.org"]}
            for n in range(60)
        ]
        self.perform(self.root, create_aliases, rows)

    def cost(self, url):
        with CaptureQueriesContext(connection) as captured:
            self.assertEqual(self.client.get(url).status_code, 200, url)
        return len(captured)

    def urls(self, person):
        if isinstance(person, Mailbox):
            own = ("password", "forwarding", "vacation")
            return ["/", "/account/", *(f"/account/{name}/" for name in own)]
        keys = {
            "domains": "example.org",
            "mailboxes": "bob@example.org",
            "aliases": "info@example.org",
            "admins": "alice@example.org",
            "transports": "*",
        }
        urls = ["/", "/search/?q=example", "/domains/example.org/", "/jobs/", "/account/"]
        urls += [f"/mailboxes/bob@example.org/{name}/" for name in ("forwarding", "vacation")]
        for table in registry.menu():
            for screen in ("create", "edit", "delete"):
                if table.allows(screen, person) and (screen == "create" or table.slug in keys):
                    key = None if screen == "create" else keys[table.slug]
                    urls.append(table.url(screen, key))
        return urls

    def test_no_page_runs_more_than_ten_queries_at_any_size(self):
        for person in (self.root, self.alice, self.bob):
            self.sign_in(person)
            self.client.get("/")  # warms caches of the process
            few = {url: self.cost(url) for url in self.urls(person)}
            self.assertEqual({u: n for u, n in few.items() if n > PAGES}, {})
        self.fill()
        for person in (self.root, self.alice, self.bob):
            self.sign_in(type(person).objects.get(pk=person.pk))
            many = {url: self.cost(url) for url in self.urls(person)}
            self.assertEqual({u: n for u, n in many.items() if n > PAGES}, {})


class HomeTests(World):
    def test_home_shows_what_needs_attention(self):
        Domain.objects.filter(pk="example.org").update(mailboxes=1)
        Domain.objects.filter(pk="example.com").update(active=False)
        Usage.objects.create(mailbox=self.bob, bytes=95 * MB)
        self.perform(self.root, set_mailboxes, [self.carol.pk], "active", False)
        self.sign_in(self.root)
        found = self.client.get("/").context["attention"]
        self.assertEqual([d.pk for d in found["full_domains"].shown], ["example.org"])
        self.assertEqual([d.pk for d in found["inactive_domains"].shown], ["example.com"])
        self.assertEqual([u.mailbox_id for u in found["full_mailboxes"].shown], [self.bob.pk])
        self.assertEqual([m.pk for m in found["inactive_mailboxes"].shown], [self.carol.pk])

    def test_home_shows_the_five_domains_closest_to_a_limit(self):
        rows = [{"domain": f"d{n}.example", "default_aliases": False} for n in range(6)]
        self.perform(self.root, create_domains, rows)
        for number in range(6):
            DomainState.objects.filter(pk=f"d{number}.example").update(aliases=90 + number)
        Domain.objects.filter(pk__startswith="d").update(aliases=100, mailboxes=10)
        for counted in (5000, 0):
            with mock.patch.object(cached_stats, "LIVE_COUNT_LIMIT", counted):
                cached_stats.refresh_stats()
            self.sign_in(self.root)
            page = self.client.get("/")
            shown = [
                (row.pk, row.percent) for row in page.context["attention"]["full_domains"].shown
            ]
            self.assertEqual(shown, [(f"d{n}.example", 90 + n) for n in range(5, 0, -1)])
            self.assertContains(page, 'aria-label="Limit used"', count=5)
            self.assertContains(page, '<small class="muted">95%</small>')
            self.assertContains(page, "and 1 more")

    def test_home_counts_more_than_it_lists(self):
        domain = Domain.objects.get(pk="example.org")
        row = {"domain": domain, "goto": ["nobody@example.org"]}
        for first, last, count, text in (
            (0, 12, "12 items need attention", "and 2 more"),
            (12, 60, "≥ 50 items need attention", "and more"),
        ):
            rows = [row | {"local_part": f"a{n:02}"} for n in range(first, last)]
            self.perform(self.root, create_aliases, rows)
            recount_tallies()
            for person in (self.root, self.alice):
                self.sign_in(person)
                page = self.client.get("/")
                self.assertContains(page, count)
                self.assertContains(page, text)
                self.assertContains(page, "a09@example.org")
                self.assertNotContains(page, "/aliases/a10@example.org/")

    def test_home_links_all_inactive_mailboxes(self):
        row = {"domain": Domain.objects.get(pk="example.org"), "password": "x", "quota": 1}
        rows = [row | {"local_part": f"m{n}", "active": False} for n in range(11)]
        self.perform(self.root, create_mailboxes, rows)
        self.sign_in(self.alice)
        self.assertContains(self.client.get("/"), 'href="/mailboxes/?active=0">Show all')

    def test_alice_sees_her_own_numbers_only(self):
        self.sign_in(self.alice)
        totals = self.client.get("/").context["totals"]
        self.assertEqual((totals["domains"], totals["mailboxes"], totals["aliases"]), (1, 1, 1))

    def test_the_chart_counts_the_last_thirty_days(self):
        self.perform(self.root, set_mailboxes, [self.bob.pk], "active", False)
        self.sign_in(self.alice)
        answer = self.client.get("/")
        days = answer.context["days"]
        self.assertEqual(len(days), 30)
        self.assertEqual(days[-1].count, 1)
        self.assertContains(answer, '<rect x="', count=30)
        Log.objects.bulk_create(
            Log(username="x", domain_id="example.org", action="edit_alias", data="x")
            for _n in range(1233)
        )
        self.assertContains(self.client.get("/"), ": 1,234</title>")
        self.assertContains(answer, 'y="0" width="8" height="100"><title>', count=1)

    def test_bob_sees_usage_forwarding_and_vacation(self):
        Usage.objects.create(mailbox=self.bob, bytes=95 * MB, messages=3)
        self.sign_in(self.bob)
        self.assertContains(self.client.get("/"), "95 MB of 100 MB")

    def test_a_new_panel_shows_the_first_steps(self):
        Domain.objects.all().delete()
        DomainState.objects.all().delete()
        self.sign_in(self.root)
        self.assertContains(self.client.get("/"), "Getting started")
        self.assertContains(self.client.get("/domains/"), "adding your first domain")


class SearchTests(World):
    def test_one_search_finds_all_kinds_of_rows(self):
        self.sign_in(self.root)
        page = self.client.get("/search/?q=example.org")
        slugs = [group["table"].slug for group in page.context["found"]]
        self.assertEqual(slugs, ["domains", "mailboxes", "aliases", "admins"])

    def test_every_word_must_be_found(self):
        self.sign_in(self.root)
        for text, found in (("bob example.org", True), ("bob example.com", False)):
            page = self.client.get("/mailboxes/", {"q": text})
            self.assertEqual("bob@example.org" in page.content.decode(), found)

    def test_a_trailing_star_matches_a_prefix(self):
        self.sign_in(self.root)
        for text, found in (
            ("bo*", ["bob@example.org"]),
            ("BO* example.org", ["bob@example.org"]),
            ("ob*", []),
            ("*", []),
            ("бо*", []),
            ("b_b*", []),
        ):
            rows = self.client.get("/mailboxes/", {"q": text}).context["rows"]
            self.assertEqual([row.pk for row in rows], found, text)
        for text in ("example*", "info*", "\x00*", "🐎*"):
            self.assertEqual(self.client.get("/search/", {"q": text}).status_code, 200)
        found = self.client.get("/search/?q=exam*").context["found"]
        self.assertEqual([group["table"].slug for group in found], ["domains"])


class ListTests(World):
    def fill(self, count=120):
        rows = [{"domain": f"d{n:03}.example", "default_aliases": False} for n in range(count)]
        self.perform(self.root, create_domains, rows)
        self.sign_in(self.root)

    def page(self, url):
        page = self.client.get(url)
        return [row.pk for row in page.context["rows"]], page.context

    def test_pagination_by_key_goes_forward_and_back(self):
        self.fill()
        first, context = self.page("/domains/")
        self.assertEqual(len(first), 50)
        self.assertEqual(context["before_url"], "")
        second, context = self.page("/domains/" + context["after_url"])
        third, last = self.page("/domains/" + context["after_url"])
        self.assertEqual(len(first + second + third), 122)
        self.assertEqual(sorted(set(first + second + third)), first + second + third)
        self.assertEqual(last["after_url"], "")
        self.assertEqual(self.page("/domains/" + last["before_url"])[0], second)
        self.assertEqual(self.page("/domains/" + context["before_url"])[0], first)

    def test_the_sort_order_can_be_reversed(self):
        self.fill()
        down, context = self.page("/domains/?dir=desc")
        self.assertEqual(down, sorted(down, reverse=True))
        more, _context = self.page("/domains/" + context["after_url"])
        self.assertLess(max(more), min(down))

    def test_filters_stay_on_the_next_page(self):
        self.fill()
        _rows, context = self.page("/domains/?q=example&active=1")
        self.assertIn("q=example", context["after_url"])
        self.assertIn("active=1", context["after_url"])

    def test_idn_domains_are_shown_in_unicode(self):
        self.perform(self.root, create_domains, [{"domain": "xn--mnchen-3ya.example"}])
        self.sign_in(self.root)
        self.assertContains(self.client.get("/domains/"), "münchen.example")
        rows, _context = self.page("/mailboxes/?domain=MÜNCHEN.example")
        self.assertEqual(rows, [])
        self.assertContains(self.client.get("/domains/xn--mnchen-3ya.example/"), "münchen.example")

    def test_cells_that_spreadsheets_would_run_are_escaped(self):
        Mailbox.objects.filter(pk=self.bob.pk).update(name="=HYPERLINK(1)")
        self.sign_in(self.alice)
        text = b"".join(self.client.get("/mailboxes/export/")).decode()
        self.assertIn("'=HYPERLINK(1)", text)
        self.assertNotIn("carol", text)
        self.assertIn(",100,", text)

    def test_an_export_is_filtered(self):
        self.sign_in(self.root)
        text = b"".join(self.client.get("/mailboxes/export/?domain=example.com")).decode()
        self.assertIn("carol@example.com", text)
        self.assertNotIn("bob@example.org", text)

    @override_settings(MAILADMIN_ALIAS_DOMAIN=False)
    def test_alias_domains_can_be_disabled(self):
        self.sign_in(self.root)
        self.assertNotContains(self.client.get("/"), "/alias-domains/")
        self.assertEqual(self.client.get("/alias-domains/").status_code, 403)
        self.assertFalse(AliasDomain.objects.exists())


class DatabaseTests(World):
    def test_a_missing_database_is_reported(self):
        self.client.raise_request_exception = False
        gone = OperationalError(2002, "Can't connect to server")
        with mock.patch.object(connections["default"], "cursor", side_effect=gone):
            answer = self.client.get("/login/")
            page = self.client.get("/")
        self.assertEqual(page.status_code, 302)
        self.sign_in(self.root)
        with mock.patch.object(connections["default"], "cursor", side_effect=gone):
            answer = self.client.get("/domains/")
        self.assertContains(answer, "The database does not answer", status_code=503)
        self.assertIn("Retry-After", answer)
        self.assertEqual(self.client.get("/domains/").status_code, 200)

    def test_another_error_is_not_reported_as_a_missing_database(self):
        self.client.raise_request_exception = False
        self.sign_in(self.root)
        with mock.patch(
            "mailadmin.tables.views.list.TableListView.get",
            side_effect=OperationalError(1064, "syntax"),
        ):
            answer = self.client.get("/domains/")
        self.assertContains(answer, "Something went wrong", status_code=500)
        self.assertNotContains(answer, "1064", status_code=500)

    def test_health_and_readiness(self):
        self.assertEqual(self.client.get("/healthz").json(), {"status": "ok"})
        with mock.patch(
            "mailadmin.observability.readiness.write_probe"
        ):  # the test itself holds SQLite's lock
            self.assertEqual(self.client.get("/readyz").json(), {"status": "ok"})
        gone = OperationalError(2002, "Can't connect to server")
        with mock.patch.object(type(connections["default"]), "_cursor", side_effect=gone):
            self.assertEqual(self.client.get("/readyz").status_code, 503)
            self.assertEqual(self.client.get("/healthz").status_code, 200)

    def test_the_footer_shows_the_version(self):
        self.sign_in(self.root)
        self.assertContains(self.client.get("/"), f"mailadmin {__version__}")


class SuperadminTests(World):
    def test_createsuperuser_creates_a_superadmin(self):
        Admin.objects.create_superuser("Second@Example.net", "pass-word-12")
        second = Admin.objects.get(pk="second@example.net")
        self.assertTrue(second.superadmin)
        self.assertTrue(second.check_password("pass-word-12"))

    def test_createsuperuser_is_logged(self):
        with mock.patch.dict(os.environ, {"DJANGO_SUPERUSER_PASSWORD": "pass-word-12"}):
            call_command("createsuperuser", username="third@example.net", interactive=False)
        self.assertTrue(Admin.objects.get(pk="third@example.net").superadmin)
        self.assertTrue(Log.objects.filter(action="create_admin", data="third@example.net"))

    def test_a_superadmins_domains_need_not_be_named(self):
        self.perform(self.root, create_admins, [{"username": "s@example.net", "superadmin": True}])
        self.sign_in(Admin.objects.get(pk="s@example.net"))
        self.assertContains(self.client.get("/mailboxes/"), "carol@example.com")
