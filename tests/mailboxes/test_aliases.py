from domains.models import Domain
from mailboxes.services import create_aliases
from mailboxes.views import Aliases
from tests.base import CrudTests, World


class AliasTests(CrudTests, World):
    crud = Aliases
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

    def more_rows(self, count):
        domain = Domain.objects.get(pk="example.org")
        rows = [
            {"local_part": f"a{n:02}", "domain": domain, "goto": ["bob@example.org"]}
            for n in range(count)
        ]
        self.perform(self.root, create_aliases, rows)
