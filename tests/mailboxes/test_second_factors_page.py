"""The page of second factors: requirements by role, and who has what."""

from mailadmin.accounts.factors.models import RoleFactorPolicy
from mailboxes.models import Mailbox
from tests.mailadmin.factor_world import FactorWorld
from tests.mailadmin.login_world import SECRET

URL = "/second-factors/"
LEVELS_URL = "/second-factors/levels/"
LEVELS = {"SUPERADMIN": "offered", "ADMIN": "required", "MAILBOX": "off"}


class SecondFactorsPageTests(FactorWorld):
    def save(self, client, levels):
        return client.post(
            LEVELS_URL, {"seen": client.get(LEVELS_URL).context["form"].initial["seen"]} | levels
        )

    def addresses(self, client, query=""):
        return [person.pk for person in client.get(URL + query).context["people"]]

    def test_a_superadmin_sets_the_levels_of_roles(self):
        client = self.client_of(self.root)
        self.assertRedirects(self.save(client, LEVELS), URL)
        stored = dict(RoleFactorPolicy.objects.values_list("role", "level"))
        self.assertEqual(stored, {"ADMIN": "required", "MAILBOX": "off"})
        initial = client.get(LEVELS_URL).context["form"].initial
        self.assertEqual({name: initial[name] for name in LEVELS}, LEVELS)
        self.assertIn(("edit_factor_policy", "", "admin: required"), self.logged())
        self.assertFalse(self.is_logged_in(self.client_of(self.alice)))

    def test_nobody_else_sets_them(self):
        for person in (self.alice, self.bob):
            client = self.client_of(person)
            self.assertEqual(client.get(LEVELS_URL).status_code, 403)
            self.assertEqual(client.post(LEVELS_URL, LEVELS).status_code, 403)
        self.assertEqual(self.client_of(self.bob).get(URL).status_code, 403)
        self.assertFalse(RoleFactorPolicy.objects.exists())

    def test_unknown_levels_are_refused(self):
        client = self.client_of(self.root)
        for levels in ({}, LEVELS | {"ADMIN": "always"}):
            self.assertEqual(self.save(client, levels).status_code, 422)
        self.assertFalse(RoleFactorPolicy.objects.exists())

    def test_the_levels_of_another_superadmin_are_not_overwritten(self):
        client = self.client_of(self.root)
        seen = client.get(LEVELS_URL).context["form"].initial["seen"]
        RoleFactorPolicy.objects.create(role="MAILBOX", level="required")
        answer = client.post(LEVELS_URL, LEVELS | {"seen": seen}, follow=True)
        self.assertContains(answer, "Someone else changed this in the meantime.")
        self.assertEqual(RoleFactorPolicy.objects.get().level, "required")

    def test_the_levels_need_a_recent_proof(self):
        client = self.client_of(self.root)
        self.pass_time(client)
        for method in (client.get, client.post):
            answer = method(LEVELS_URL, LEVELS)
            self.assertTrue(answer["Location"].startswith("/account/confirm/"))
        self.assertEqual(client.get(URL).status_code, 200)

    def test_people_in_scope_are_listed_with_what_they_have(self):
        self.add_passkey(self.client_of(self.carol))
        root, alice = self.client_of(self.root), self.client_of(self.alice)
        self.assertEqual(self.addresses(root), ["bob@example.org", "carol@example.com"])
        self.assertEqual(self.addresses(root, "?state=with"), ["carol@example.com"])
        self.assertEqual(self.addresses(root, "?domain=example.org"), ["bob@example.org"])
        admins = ["alice@example.org", "root@example.net"]
        self.assertEqual(self.addresses(root, "?people=admins"), admins)
        self.assertEqual(self.addresses(alice), ["bob@example.org"])
        self.assertEqual(self.addresses(alice, "?people=admins"), ["bob@example.org"])
        self.assertEqual(self.addresses(alice, "?domain=example.com"), [])

    def test_those_who_need_a_factor_and_have_none_are_found(self):
        client = self.client_of(self.root)
        RoleFactorPolicy.objects.create(role="MAILBOX", level="required")
        Mailbox.objects.filter(pk=self.bob.pk).update(totp_secret=SECRET)
        self.assertEqual(self.addresses(client, "?state=missing"), ["carol@example.com"])
        self.assertContains(client.get(URL), "required and missing")

    def test_the_list_has_pages(self):
        rows = [
            Mailbox(username=f"m{n:03}@example.org", local_part=f"m{n:03}", domain_id="example.org")
            for n in range(60)
        ]
        Mailbox.objects.bulk_create(rows)
        client = self.client_of(self.root)
        first = client.get(URL)
        self.assertContains(first, "Next page")
        after = first.context["after"]
        self.assertEqual(len(self.addresses(client, f"?after={after}")), 12)
