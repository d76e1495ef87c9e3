import pytest

from domains.models import Domain
from mailboxes.services.aliases import create_aliases
from tests.base import World
from tests.table_tests import TableTests

pytestmark = pytest.mark.mysql


class AliasTests(TableTests, World):
    slug = "aliases"
    own_key, foreign_key = "info@example.org", "info@example.com"
    create_data = {
        "local_part": "Sales",
        "domain": "example.org",
        "goto": "bob@example.org\nsomebody@elsewhere.example",
        "active": "on",
    }
    created_key = "sales@example.org"
    create_verb, delete_verb = "create_alias", "delete_alias"
    edit_data = {"goto": "bob@example.org, new@elsewhere.example", "active": "on"}
    edited = {"goto": "bob@example.org,new@elsewhere.example"}
    api_data = {"goto": ["bob@example.org", "somebody@elsewhere.example"]}
    api_edited = {"goto": ["bob@example.org", "new@elsewhere.example"]}

    def more_rows(self, count):
        domain = Domain.objects.get(pk="example.org")
        rows = [
            {"local_part": f"a{n:02}", "domain": domain, "goto": ["bob@example.org"]}
            for n in range(count)
        ]
        self.perform(self.root, create_aliases, rows)

    def test_a_whole_domain_must_be_the_only_target_of_a_catch_all(self):
        """Postfix takes other targets for a part of the address, which causes a loop."""
        self.sign_in(self.root)
        create = {"domain": "example.org", "active": "on"}
        for more, goto, text in (
            (
                {"local_part": "sales"},
                "@far.test",
                ("Only a catch-all can forward to a whole domain."),
            ),
            ({"catch_all": "on"}, "@far.test\nx@far.test", "A whole domain must be the only"),
        ):
            answer = self.client.post("/aliases/create/", create | more | {"goto": goto})
            self.assert_refused(answer, text)
        self.client.post("/aliases/create/", create | {"catch_all": "on", "goto": "@far.test"})
        self.assertEqual(self.table.model.objects.get(pk="@example.org").goto, "@far.test")
