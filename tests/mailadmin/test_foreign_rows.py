"""Rows of other programs with names that no form accepts: every page opens."""

import json

from django.urls import reverse

from domains.models import Admin, AliasDomain, Domain, DomainAdmin, Transport
from mailadmin.formatting import key_url
from mailboxes.models import Alias, Mailbox
from tests.base import World

NAMES = [
    "line\nend.example",
    "return\r\nend.example",
    "tab\tin.example",
    "slash/in.example",
    "/slash.example",
    "slash.example/",
    "a//b.example",
    "a<b.example",
    "a>b.example",
    "semi;colon.example",
    "dol$lar.example",
    "back`tick.example",
    "qu'ote.example",
    'double"quote.example',
    "back\\slash.example",
    "per%cent.example",
    "per%2Fcent.example",
    "hash#tag.example",
    "quest?ion.example",
    "amp&ersand.example",
    "curly{brace}.example",
    "{{template}}.example",
    "space in.example",
    " leading.example",
    "comma,in.example",
    "plus+in.example",
    "star*in.example",
    "at@in.example",
    "xn--broken-.example",
    "UPPER.example",
    "\x01control.example",
    "\x7fdelete.example",
    "a" * 200 + ".example",
]


class ForeignRowTests(World):
    @classmethod
    def setUpTestData(cls):
        super().setUpTestData()
        for name in NAMES:
            domain = Domain.objects.create(domain=name)
            address = f"user@{name}"
            Mailbox.objects.create(
                username=address, local_part="user", domain=domain, maildir="x/", name=name
            )
            Alias.objects.create(address=address, domain=domain, goto=address)
            Alias.objects.create(address=f"info@{name}", domain=domain, goto=f"{address},{name}")
            AliasDomain.objects.create(alias_domain=domain, target_domain=domain)
            Transport.objects.create(pattern=name, transport=name)
            DomainAdmin.objects.create(admin=cls.alice, domain=domain)
        Admin.objects.create(username="a\nb/c;d@example.net", superadmin=False)

    def pages(self, name):
        user, info = f"user@{name}", f"info@{name}"
        yield reverse("domain", args=[name])
        for table, keys in (
            ("domains", [name]),
            ("mailboxes", [user]),
            ("aliases", [user, info]),
            ("alias-domains", [name]),
            ("transports", [name]),
        ):
            for key in keys:
                yield key_url(f"{table}-edit", key)
                yield key_url(f"{table}-delete", key)
        yield reverse("mailbox-forwarding", args=[user])
        yield reverse("mailbox-vacation", args=[user])

    def test_every_page_about_such_a_row_opens(self):
        for person in (self.root, self.alice):
            self.sign_in(person)
            for name in NAMES:
                for page in self.pages(name):
                    with self.subTest(page=page, person=person.pk):
                        status = self.client.get(page).status_code
                        self.assertIn(status, (200, 403) if person is self.alice else (200,))

    def test_lists_search_and_home_show_them(self):
        for person in (self.root, self.alice):
            self.sign_in(person)
            for page in (
                "/",
                "/domains/",
                "/mailboxes/",
                "/aliases/",
                "/alias-domains/",
                "/log/",
                "/search/?q=example",
                "/search/?q=line",
                "/search/?q=user",
                "/explain/?address=user@line%0Aend.example",
            ):
                with self.subTest(page=page, person=person.pk):
                    self.assertEqual(self.client.get(page).status_code, 200)
            answer = self.client.get("/explain/?address=u@a/b.example")
            self.assertIn(answer.status_code, (200, 404))
        self.sign_in(self.root)
        for page in ("/admins/", "/transports/", key_url("admins-edit", "a\nb/c;d@example.net")):
            self.assertEqual(self.client.get(page).status_code, 200)

    def test_the_api_reads_and_deletes_them(self):
        program = self.api(self.root)
        for name in NAMES:
            with self.subTest(name=name):
                answer = program.client.get(reverse("api-domains-row", args=[name]))
                self.assertEqual(answer.status_code, 200, answer.content)
                self.assertEqual(json.loads(answer.content)["domain"], name)
                answer = program.client.get(reverse("api-mailboxes-row", args=[f"user@{name}"]))
                self.assertEqual(answer.status_code, 200, answer.content)

    def test_links_on_pages_about_such_rows_work(self):
        """Every link on pages about such rows works."""
        self.sign_in(self.root)
        text = self.client.get("/search/?q=example").content.decode()
        self.assertNotIn('href=""', text)
