"""Lists of several domains or names, which are read part by part where the database can do that."""

import datetime

from django.utils import timezone

from domains.models import Admin, Domain
from domains.services.admins import create_admins
from mailadmin.changes.log_page import LogTable
from mailadmin.changes.models import Log
from mailadmin.changes.perform import Actor, perform
from mailadmin.registry import tables
from mailboxes.models import Mailbox
from mailboxes.services.domains import create_domains
from mailboxes.services.mailboxes import create_mailboxes
from tests.base import World

DOMAINS = ("a.example", "b.example", "c.example")
SIZE = 4


class PartTests(World):
    def setUp(self):
        console = Actor.console()
        for number, name in enumerate(DOMAINS):
            perform(console, create_domains, [{"domain": name, "default_aliases": False}])
            domain = Domain.objects.get(pk=name)
            rows = [
                {"local_part": f"m{n}.{number}", "domain": domain, "password": "x"}
                for n in range(5)
            ]
            perform(console, create_mailboxes, rows)
        row = {"username": "dora@example.net", "password": "x", "domains": list(DOMAINS)}
        perform(console, create_admins, [row])
        self.dora = Admin.objects.get(pk="dora@example.net")
        Domain.objects.update(created=timezone.now() - datetime.timedelta(days=9))
        Log.objects.all().delete()
        first = timezone.now().replace(microsecond=0) - datetime.timedelta(days=1)
        names = ("ann@example.net", "ann%s", "alicé", "bea@example.net")
        for n in range(24):
            Log.objects.create(
                timestamp=first + datetime.timedelta(seconds=n // 3),
                username=names[n % 4],
                domain_id=(*DOMAINS, "example.com")[n % 4 if n % 5 else 0],
                action="edit_alias",
                data=f"x{n}@a.example",
            )

    def read_all(self, table, filters, ascending):
        """Return the keys of all pages forwards, and of the pages backwards from the end."""
        found, after, pages = [], None, []
        while True:
            page = table.page(self.dora, filters, SIZE, after=after, ascending=ascending)
            found += [row.pk for row in page.rows]
            pages.append([row.pk for row in page.rows])
            if not page.has_next:
                break
            after = page.rows[-1].pk
        for number in range(len(pages) - 1, 0, -1):
            page = table.page(
                self.dora, filters, SIZE, before=pages[number][0], ascending=ascending
            )
            self.assertEqual([row.pk for row in page.rows], pages[number - 1][-SIZE:])
        return found

    def test_mailboxes_of_several_domains_are_in_order(self):
        expected = sorted(Mailbox.objects.filter(domain__in=DOMAINS).values_list("pk", flat=True))
        self.assertEqual(len(expected), 15)
        for ascending in (True, False):
            with self.subTest(ascending=ascending):
                found = self.read_all(tables["mailboxes"], {}, ascending)
                self.assertEqual(found, expected[:: 1 if ascending else -1])

    def test_lines_of_several_domains_are_in_order_of_time(self):
        lines = Log.objects.filter(domain__in=DOMAINS).order_by("timestamp", "pk")
        expected = list(lines.values_list("pk", flat=True))
        self.assertGreater(len(expected), 3 * SIZE)
        for ascending in (True, False):
            with self.subTest(ascending=ascending):
                found = self.read_all(LogTable(), {}, ascending)
                self.assertEqual(found, expected[:: 1 if ascending else -1])

    def test_lines_of_several_names_are_found_whatever_their_letters(self):
        for prefix, count in (("a", 3), ("ann", 2), ("b", 1)):
            lines = Log.objects.filter(domain__in=DOMAINS, username__startswith=prefix)
            self.assertEqual(lines.values("username").distinct().count(), count)
            expected = lines.order_by("timestamp", "pk").values_list("pk", flat=True)
            for ascending in (True, False):
                with self.subTest(prefix=prefix, ascending=ascending):
                    found = self.read_all(LogTable(), {"admin": prefix}, ascending)
                    self.assertEqual(found, list(expected)[:: 1 if ascending else -1])
