"""The table of DKIM signings: which key signs for whom."""

from domains.models import DkimKey, DkimSigning
from tests.domains.dkim.dkim_world import FOREIGN, OWN, DkimWorld
from tests.table_tests import TableTests

BOB = "bob@example.org"


class DkimSigningTests(TableTests, DkimWorld):
    slug = "dkim-signings"
    create_data = {"author": "Bob@Example.org", "selector": "mail2025"}
    create_verb, delete_verb = "create_dkim_signing_entry", "delete_dkim_signing_entry"
    edit_data = {"selector": "mail2026"}

    def setUp(self):
        super().setUp()
        self.old, self.new = self.make_key(OWN), self.make_key(OWN, "mail2026")
        self.own_key = self.make_signing(OWN, self.old).pk
        self.foreign_key = self.make_signing(FOREIGN, self.make_key(FOREIGN)).pk

    @property
    def edited(self):
        return {"dkim_id": self.new.pk}

    def changed_row(self):
        return self.edit_data

    @property
    def created_key(self):
        row = DkimSigning.objects.filter(author=BOB).first()
        return row.pk if row else 0

    def more_rows(self, count):
        for number in range(count):
            self.make_signing(f"x{number}@example.org", self.old)

    def test_a_list_shows_own_rows_only(self):
        self.sign_in(self.alice)
        exported = b"".join(self.client.get(self.url("export"))).decode()
        for text in (self.open("list").content.decode(), exported):
            self.assertIn(OWN, text)
            self.assertNotIn(FOREIGN, text)

    def test_the_api_lists_own_rows_only(self):
        rows = self.api(self.alice).get(self.slug).json()["items"]
        self.assertEqual([row["author"] for row in rows], [OWN])

    def create(self, **values):
        self.sign_in(self.alice)
        return self.client.post(self.url("create"), self.create_data | values)

    def test_values_that_are_refused(self):
        for values, field, text in (
            ({"author": OWN}, "author", "A key signs for this author already"),
            ({"author": "carol@example.com"}, "author", "example.com does not exist"),
            ({"author": "a b@example.org"}, "author", "not a valid"),
            ({"author": "nodot"}, "author", "not a domain name"),
            ({"selector": "other"}, "selector", "no key with this selector"),
        ):
            errors = self.create(**values).context["form"].errors
            self.assertIn(text, errors[field][0])
        self.assertEqual(DkimSigning.objects.count(), 2)

    def test_a_link_from_a_key_fills_in_the_form(self):
        self.sign_in(self.alice)
        page = self.client.get(f"{self.url('create')}?author=example.org&selector=mail2026")
        self.assertContains(page, 'value="mail2026"')

    def test_a_list_counts_what_each_key_signs_for(self):
        self.more_rows(3)
        self.sign_in(self.alice)
        page = self.client.get("/dkim-keys/").content.decode()
        self.assertIn("not used", page)
        self.assertInHTML("4", page)
        DkimKey.objects.get(pk=self.new.pk)
