from domains.models import Domain
from domains.services import create_domains
from domains.views import Domains
from tests.base import CrudTests, World


class DomainTests(CrudTests, World):
    crud = Domains
    own_key, foreign_key, delete_key = "example.org", "example.com", "example.com"
    create_data = {
        "domain": "Shop.Example.NET ",
        "aliases": 10,
        "mailboxes": 10,
        "maxquota": 10,
        "quota": 2048,
        "transport": "virtual",
        "active": "on",
        "default_aliases": "on",
    }
    created_key = "shop.example.net"
    create_verb, delete_verb = "create_domain", "delete_domain"
    edit_data = create_data | {"description": "Bakery", "mailboxes": 7}
    edited = {"description": "Bakery", "mailboxes": 7}

    def more_rows(self, count):
        rows = [{"domain": f"d{n:02}.example", "default_aliases": False} for n in range(count)]
        self.perform(self.root, create_domains, rows)

    def test_a_domain_comes_with_its_default_aliases(self):
        self.sign_in(self.root)
        self.client.post(self.url("create"), self.create_data)
        names = {
            a.local_part: a.goto for a in Domain.objects.get(pk=self.created_key).alias_set.all()
        }
        self.assertEqual(
            names, dict.fromkeys(["abuse", "hostmaster", "postmaster", "webmaster"], self.root.pk)
        )
