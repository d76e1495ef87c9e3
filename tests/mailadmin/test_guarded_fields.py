"""Forms and pages that ask for one's own password before a dangerous step."""

from django.test import Client

from domains.models import Admin, DomainFactorPolicy, TotpException
from mailadmin.api.models import Token
from mailboxes.models import Mailbox
from tests.base import PASSWORD
from tests.mailadmin.factor_world import FactorWorld

NEW = {"password": "another-horse-42", "password2": "another-horse-42"}
ALICE = {"domains": "example.org", "active": "on"}
BOB = {"name": "Bob", "quota": "100", "active": "on", "smtp_active": "on"}


class GuardedFormTests(FactorWorld):
    def setUp(self):
        super().setUp()
        self.root_client, self.alice_client = self.client_of(self.root), self.client_of(self.alice)
        for client in (self.root_client, self.alice_client):
            self.pass_time(client)

    def post(self, client, url, **data):
        seen = client.get(url).context["form"].initial.get("seen", "")
        return client.post(url, {"seen": seen} | data)

    def test_the_password_of_another_is_changed_after_ones_own(self):
        url = f"/mailboxes/{self.bob.pk}/edit/"
        for own, text in (("", "Enter your own password"), ("wrong", "The password is incorrect.")):
            answer = self.post(self.alice_client, url, **BOB, **NEW, own_password=own)
            self.assert_refused(answer, text)
            self.assertTrue(Mailbox.objects.get(pk=self.bob.pk).check_password(PASSWORD))
        self.post(self.alice_client, url, **BOB, **NEW, own_password=PASSWORD)
        self.assertTrue(Mailbox.objects.get(pk=self.bob.pk).check_password(NEW["password"]))

    def test_other_fields_need_no_password(self):
        url = f"/mailboxes/{self.bob.pk}/edit/"
        self.post(self.alice_client, url, **BOB | {"name": "Robert"})
        self.assertEqual(Mailbox.objects.get(pk=self.bob.pk).name, "Robert")

    def test_a_superadmin_is_made_after_ones_own_password(self):
        url = f"/admins/{self.alice.pk}/edit/"
        self.assert_refused(self.post(self.root_client, url, active="on", superadmin="on"))
        self.assertFalse(Admin.objects.get(pk=self.alice.pk).superadmin)
        new = {"username": "new@example.net", "superadmin": "on", "active": "on"} | NEW
        self.assert_refused(self.post(self.root_client, "/admins/create/", **new))
        self.assertFalse(Admin.objects.filter(pk="new@example.net").exists())
        self.post(self.root_client, "/admins/create/", **new, own_password=PASSWORD)
        self.assertTrue(Admin.objects.get(pk="new@example.net").superadmin)

    def test_no_field_that_weakens_an_account_is_changed_without_it(self):
        row = TotpException.objects.create(ip="192.0.2.1", username="example.org", description="x")
        DomainFactorPolicy.objects.create(domain_id="example.org", level="required")
        eve = {"username": "eve@example.net", "domains": "example.org", "active": "on"} | NEW
        exception = {"ip": "192.0.2.1", "username": "", "description": "x"}
        for url, data in (
            ("/admins/create/", eve),
            (f"/admins/{self.alice.pk}/edit/", ALICE | {"domains": "example.org\nexample.com"}),
            (f"/totp-exceptions/{row.pk}/edit/", exception),
            ("/domains/example.org/edit/", {"second_factor": "off", "transport": "virtual"}),
        ):
            with self.subTest(url=url):
                form = self.root_client.get(url).context["form"]
                kept = {name: form[name].value() for name in form.fields}
                kept = {name: value for name, value in kept.items() if value not in (None, [])}
                answer = self.root_client.post(url, kept | data)
                self.assert_refused(answer, "Enter your own password to change this.")

    def test_a_forgotten_own_password_is_no_failed_login(self):
        url = f"/mailboxes/{self.bob.pk}/edit/"
        for _time in range(12):
            self.assert_refused(self.post(self.alice_client, url, **BOB, **NEW))

    def test_a_session_with_a_recent_proof_shows_no_field(self):
        url = f"/admins/{self.alice.pk}/edit/"
        self.assertContains(self.root_client.get(url), 'name="own_password"')
        self.confirm(self.root_client)
        self.assertNotContains(self.root_client.get(url), 'name="own_password"')
        self.post(self.root_client, url, active="on", superadmin="on")
        self.assertTrue(Admin.objects.get(pk=self.alice.pk).superadmin)

    def test_guesses_are_counted(self):
        url = f"/mailboxes/{self.bob.pk}/edit/"
        answers = [
            self.post(self.alice_client, url, **BOB, **NEW, own_password=f"wrong{n}")
            for n in range(12)
        ]
        self.assertEqual(answers[-1].status_code, 429)


class GuardedPageTests(FactorWorld):
    def test_a_token_is_created_after_a_proof(self):
        client = self.client_of(self.alice)
        self.pass_time(client)
        self.assertNotContains(client.get("/account/tokens/"), 'name="name"')
        answer = client.post("/account/tokens/", {"name": "script", "verbs": ["read"]})
        self.assertTrue(answer["Location"].startswith("/account/confirm/"))
        self.assertFalse(Token.objects.exists())
        self.confirm(client)
        client.post("/account/tokens/", {"name": "script", "verbs": ["read"]})
        self.assertTrue(Token.objects.exists())

    def test_an_export_with_hashes_opens_after_a_proof(self):
        client = self.client_of(self.root)
        self.pass_time(client)
        for method in (client.get, client.post):
            self.assertRedirects(method("/export/"), "/account/confirm/?next=%2Fexport%2F")
        self.confirm(client)
        self.assertEqual(client.get("/export/").status_code, 200)

    def test_a_page_that_is_not_permitted_asks_for_nothing(self):
        client = self.client_of(self.alice)
        self.pass_time(client)
        self.assertEqual(client.get("/export/").status_code, 403)
        self.assertEqual(Client().get("/export/").status_code, 302)

    def test_an_admin_gets_a_domain_after_a_proof_and_loses_it_without(self):
        client, url = self.client_of(self.root), "/domains/example.com/admins/"
        self.pass_time(client)
        answer = client.post(url, {"admin": self.alice.pk})
        target = "/account/confirm/?next=%2Fdomains%2Fexample.com%2F"
        self.assertRedirects(answer, target, fetch_redirect_response=False)
        self.assertEqual(self.alice.get_assigned_domains(), ["example.org"])
        client.post("/domains/example.org/admins/", {"remove": self.alice.pk})
        self.assertEqual(self.alice.get_assigned_domains(), [])
        self.confirm(client)
        client.post(url, {"admin": self.alice.pk})
        self.assertEqual(self.alice.get_assigned_domains(), ["example.com"])
