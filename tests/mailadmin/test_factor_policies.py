"""Second factors that are offered or required, by role and by domain."""

from domains.models import Domain, DomainFactorPolicy
from mailadmin.accounts.factors.models import RoleFactorPolicy
from mailadmin.changes.models import Log
from mailboxes.models import Mailbox
from tests.mailadmin.factor_world import FactorWorld
from tests.mailadmin.login_world import SECRET


class PolicyTests(FactorWorld):
    def require(self, role):
        RoleFactorPolicy.objects.create(role=role, level="required")

    def test_a_missing_required_factor_leads_to_its_set_up_and_nowhere_else(self):
        for person in self.people():
            with self.subTest(person=person.pk):
                self.require(person.role.name)
                client = self.client_of(person)
                for url in ("/", "/account/", "/mailboxes/", "/account/sessions/", "/nothing/"):
                    self.assertRedirects(client.get(url), "/account/factors/")
                self.set_up_totp(client)
                self.assertTrue(self.is_logged_in(client))

    def test_a_policy_applies_to_sessions_that_have_begun(self):
        client = self.client_of(self.bob)
        self.require("MAILBOX")
        self.assertRedirects(client.get("/"), "/account/factors/")

    def test_a_policy_of_another_role_changes_nothing(self):
        self.require("ADMIN")
        for person in (self.root, self.bob):
            self.assertTrue(self.is_logged_in(self.client_of(person)))

    def test_a_domain_requires_a_factor_of_its_owners_and_admins(self):
        DomainFactorPolicy.objects.create(domain_id="example.org", level="required")
        for person, required in (
            (self.bob, True),
            (self.alice, True),
            (self.carol, False),
            (self.root, False),
        ):
            with self.subTest(person=person.pk):
                self.assertEqual(self.is_logged_in(self.client_of(person)), not required)

    def test_the_level_of_a_domain_replaces_that_of_its_owners(self):
        self.require("MAILBOX")
        DomainFactorPolicy.objects.create(domain_id="example.org", level="offered")
        self.assertTrue(self.is_logged_in(self.client_of(self.bob)))
        self.assertFalse(self.is_logged_in(self.client_of(self.carol)))

    def test_the_last_required_factor_cannot_be_removed(self):
        client = self.client_of(self.bob)
        self.set_up_totp(client)
        self.require("MAILBOX")
        answer = client.post("/account/factors/totp/remove/", follow=True)
        self.assertContains(answer, "Your account needs a second factor.")
        self.assertIsNotNone(Mailbox.objects.get(pk=self.bob.pk).totp_secret)
        self.add_passkey(client)
        client.post("/account/factors/totp/remove/")
        self.assertIsNone(Mailbox.objects.get(pk=self.bob.pk).totp_secret)

    def test_where_none_is_offered_none_is_set_up(self):
        RoleFactorPolicy.objects.create(role="MAILBOX", level="off")
        client = self.client_of(self.bob)
        self.assertContains(client.get("/account/factors/"), "is not offered for your account")
        self.set_up_totp(client)
        self.assertIsNone(Mailbox.objects.get(pk=self.bob.pk).totp_secret)

    def test_a_factor_set_up_before_is_asked_for_even_if_none_is_offered(self):
        Mailbox.objects.filter(pk=self.bob.pk).update(totp_secret=SECRET)
        RoleFactorPolicy.objects.create(role="MAILBOX", level="off")
        self.assertFalse(self.is_logged_in(self.client_of(self.bob)))


class DomainFormTests(FactorWorld):
    def level(self):
        return DomainFactorPolicy.objects.filter(pk="example.org").values_list("level", flat=True)

    def save(self, level):
        client = self.client_of(self.root)
        page = client.get("/domains/example.org/edit/")
        form = page.context["form"]
        data = {name: form[name].value() for name in form.fields if form[name].value() is not None}
        return client.post("/domains/example.org/edit/", data | {"second_factor": level})

    def test_the_form_sets_and_removes_the_level_of_a_domain(self):
        for level in ("required", "off", ""):
            self.assertEqual(self.save(level).status_code, 302)
            self.assertEqual(list(self.level()), [level] if level else [])
            self.assertIn(("edit_domain", "example.org", "example.org"), self.logged())
            Log.objects.all().delete()
        self.save("")
        self.assertEqual(self.logged(), [])

    def test_an_unknown_level_is_refused(self):
        self.assertEqual(self.save("everything").status_code, 422)

    def test_the_api_shows_and_sets_it(self):
        api = self.api(self.root)
        api.patch("domains/example.org", {"second_factor": "required"})
        self.assertEqual(api.get("domains/example.org").json()["second_factor"], "required")
        self.assertEqual(api.get("domains/example.com").json()["second_factor"], "")

    def test_the_level_of_a_domain_that_another_program_deleted_is_not_inherited(self):
        Domain._base_manager.filter(pk="example.com")._raw_delete("default")
        DomainFactorPolicy.objects.create(domain_id="example.com", level="off")
        self.api(self.root).post("domains", {"domain": "example.com"})
        self.assertFalse(DomainFactorPolicy.objects.filter(pk="example.com").exists())

    def test_a_domain_made_again_has_no_level(self):
        api = self.api(self.root)
        self.save("required")
        api.delete("domains/example.org")
        api.post("domains", {"domain": "example.org"})
        self.assertEqual(list(self.level()), [])
