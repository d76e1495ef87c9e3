"""The addresses that an admin has new aliases point to, in PostfixAdmin's table."""

from domains.models import AdminPreference
from mailboxes.models import Alias
from tests.base import World


class DefaultTargetTests(World):
    def create(self, name, goto, **more):
        data = {"local_part": name, "domain": "example.org", "goto": goto, "active": "on"}
        response = self.client.post("/aliases/create/", data | more)
        self.assertEqual(response.status_code, 302, response.content[-2000:])

    def suggested(self):
        form = self.client.get("/aliases/create/").context["form"]
        return form["goto"].value(), "goto_forget" in form.fields

    def test_they_are_suggested_until_they_are_forgotten(self):
        self.sign_in(self.alice)
        self.assertEqual(self.suggested(), (None, False))
        self.create("a", "x@far.test\nbob@example.org", goto_default="on")
        self.assertEqual(self.suggested(), ("x@far.test\nbob@example.org", True))
        [row] = AdminPreference.objects.all()
        self.assertEqual(
            (row.admin_id, row.pref_key, row.pref_value),
            (self.alice.pk, "alias_goto_default", "x@far.test,bob@example.org"),
        )
        self.create("b", "y@far.test")
        self.assertEqual(self.suggested()[0], "x@far.test\nbob@example.org")
        self.create("c", "z@far.test", goto_default="on")
        self.assertEqual(self.suggested()[0], "z@far.test")
        self.create("d", "z@far.test", goto_forget="on")
        self.assertEqual(self.suggested(), (None, False))
        self.assertFalse(AdminPreference.objects.exists())

    def test_they_are_of_one_admin_and_of_pages_alone(self):
        self.sign_in(self.alice)
        self.create("a", "x@far.test", goto_default="on")
        self.sign_in(self.root)
        self.assertEqual(self.suggested(), (None, False))
        program = self.api(self.alice)
        row = {"local_part": "e", "domain": "example.org"}
        self.assertEqual(program.post("aliases", row).status_code, 422)
        row |= {"goto": ["bob@example.org"], "goto_default": True}
        self.assertEqual(program.post("aliases", row).status_code, 422)
        self.assertFalse(Alias.objects.filter(pk="e@example.org").exists())

    def test_those_of_postfixadmin_are_suggested(self):
        AdminPreference.objects.create(
            admin=self.alice, pref_key="alias_goto_default", pref_value="a@far.test,b@far.test"
        )
        self.sign_in(self.alice)
        self.assertEqual(self.suggested()[0], "a@far.test\nb@far.test")
