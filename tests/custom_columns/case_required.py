"""A column that people have to fill in."""

from mailboxes.models import Mailbox
from mailboxes.services.mailboxes import edit_mailbox
from tests.base import PASSWORD, World

PLACE = "mailboxes/bob@example.org"
EVE = {"local_part": "eve", "domain": "example.org", "password": PASSWORD}


class RequiredTests(World):
    def test_the_page_asks_for_it(self):
        self.sign_in(self.alice)
        data = EVE | {"password2": PASSWORD}
        response = self.client.post("/mailboxes/create/", data)
        self.assert_refused(response, "This field is required.")
        self.assertEqual(list(response.context["form"].errors), ["x_cost"])
        self.client.post("/mailboxes/create/", data | {"x_cost": "4711"})
        self.assertEqual(Mailbox.objects.get(pk="eve@example.org").x_cost, "4711")

    def test_a_program_names_it_for_a_new_row(self):
        api = self.api(self.alice)
        refused = api.post("mailboxes", EVE)
        self.assertEqual(list(refused.json()["errors"]), ["x_cost"])
        self.assertEqual(api.post("mailboxes", EVE | {"x_cost": "4711"}).status_code, 201)

    def test_a_program_changes_other_values_of_a_row_that_lacks_it(self):
        api = self.api(self.alice)
        self.assertEqual(api.patch(PLACE, {"name": "Robert"}).status_code, 200)
        self.perform(self.root, edit_mailbox, "bob@example.org", {"x_cost": "4711"})
        self.assertEqual(api.patch(PLACE, {"x_cost": ""}).status_code, 422)

    def test_the_document_says_so(self):
        headers = {"Authorization": f"Bearer {self.token(self.alice)}"}
        schemas = self.client.get("/api/v1/openapi.json", headers=headers).json()["components"]
        self.assertIn("x_cost", schemas["schemas"]["NewMailbox"]["required"])
