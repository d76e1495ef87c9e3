"""An admin of more domains than fit into a list of literals."""

from domains.models import MAX_LITERAL_DOMAINS
from domains.services.admins import edit_admin
from mailadmin import registry
from mailboxes.services.domains import create_domains
from tests.base import World


class ManyDomainsTests(World):
    def setUp(self):
        names = [f"d{n:04}.example" for n in range(MAX_LITERAL_DOMAINS + 20)]
        rows = [{"domain": name, "default_aliases": False} for name in names]
        self.perform(self.root, create_domains, rows)
        domains = ["example.org", *names]
        self.perform(self.root, edit_admin, self.alice.pk, {"domains": domains})
        self.sign_in(self.alice)

    def test_every_page_opens_and_shows_own_rows_only(self):
        urls = ["/", "/search/?q=example", "/domains/example.org/", "/domains/pick/?q=exam"]
        for table in registry.menu():
            urls += [table.url(s) for s in ("list", "create") if table.allows(s, self.alice)]
        for url in urls:
            with self.subTest(url=url):
                page = self.client.get(url)
                self.assertEqual(page.status_code, 200)
                self.assertNotContains(page, "example.com")

    def test_writing_stays_within_the_scope(self):
        data = {"field": "active", "value": "0"}
        own = self.client.post("/mailboxes/bob@example.org/toggle/", data)
        self.assertEqual(own.status_code, 302)
        foreign = self.client.post("/mailboxes/carol@example.com/toggle/", data)
        self.assertEqual(foreign.status_code, 404)

    def test_a_form_does_not_list_all_domains(self):
        page = self.client.get("/mailboxes/create/")
        self.assertNotContains(page, "d0001.example")
        picked = self.client.get("/domains/pick/?q=d0519")
        self.assertContains(picked, "d0519.example")
        data = {"domain": "d0519.example", "local_part": "x", "goto": "bob@example.org"}
        self.assertEqual(self.client.post("/aliases/create/", data).status_code, 302)
