"""A new password of a mailbox, and whether its app passwords end with it."""

from django.test import Client

from mailadmin import passwords
from mailadmin.changes.models import Log
from mailboxes.models import AppPassword, AppPasswordLimits, Mailbox
from tests.base import PASSWORD
from tests.mailadmin.recovery_world import NEW, RecoveryWorld

LABEL = "Also revoke all app passwords (2)"
FIELD = "revoke_app_passwords"
OWN_URL, EDIT_URL = "/account/password/", "/mailboxes/bob@example.org/edit/"


class RevocationTests(RecoveryWorld):
    """bob has two app passwords, carol has one."""

    @classmethod
    def setUpTestData(cls):
        super().setUpTestData()
        for mailbox, name in ((cls.bob, "Phone"), (cls.bob, "Laptop"), (cls.carol, "Phone")):
            row = AppPassword.objects.create(
                mailbox=mailbox, description=name, password_hash="{MAILADMIN}x"
            )
            AppPasswordLimits.objects.create(app_password=row)

    def assert_revoked(self, is_revoked):
        mailboxes = list(AppPassword.objects.values_list("mailbox", flat=True))
        kept = [] if is_revoked else [self.bob.pk] * 2
        self.assertCountEqual(mailboxes, [*kept, self.carol.pk])
        self.assertEqual(AppPasswordLimits.objects.count(), len(mailboxes))
        lines = Log.objects.filter(action="delete_app_password", data=self.bob.pk)
        self.assertEqual(lines.count(), 2 if is_revoked else 0)

    def assert_password(self, password):
        stored = Mailbox.objects.get(pk=self.bob.pk).password
        self.assertTrue(passwords.verify(password, stored))

    # By a link

    def test_a_link_revokes_them_unless_their_owner_keeps_them(self):
        for kept in (True, False):
            client = Client()
            client.get(self.link())
            page = client.get("/login/recover/").content.decode()
            self.assertIn(LABEL, page)
            self.assertIn("set up again", page)
            self.assertRegex(page, rf'<input[^>]*name="{FIELD}"[^>]*checked')
            data = {"password": NEW + str(kept), "password2": NEW + str(kept)}
            client.post("/login/recover/", data if kept else data | {FIELD: "on"})
            self.assert_password(NEW + str(kept))
            self.assert_revoked(not kept)

    def test_a_refused_password_revokes_nothing(self):
        client = Client()
        client.get(self.link())
        data = {"password": "x", "password2": "x", FIELD: "on"}
        self.assertEqual(client.post("/login/recover/", data).status_code, 422)
        self.assert_revoked(False)

    # By their owner

    def test_their_owner_chooses(self):
        client = self.client
        self.sign_in(self.bob)
        page = client.get(OWN_URL).content.decode()
        self.assertIn(LABEL, page)
        self.assertNotRegex(page, rf'<input[^>]*name="{FIELD}"[^>]*checked')
        data = {"old_password": PASSWORD, "password": NEW, "password2": NEW}
        client.post(OWN_URL, data)
        self.assert_password(NEW)
        self.assert_revoked(False)
        data = {"old_password": NEW, "password": NEW + "1", "password2": NEW + "1", FIELD: "on"}
        client.post(OWN_URL, data)
        self.assert_password(NEW + "1")
        self.assert_revoked(True)
        self.assertNotContains(client.get(OWN_URL), FIELD)

    def test_admins_have_none(self):
        self.sign_in(self.alice)
        self.assertNotContains(self.client.get(OWN_URL), FIELD)

    # By an admin

    def edit(self, **values):
        data = {"name": "Bob", "quota": "10", "active": "on", "smtp_active": "on", "seen": ""}
        page = self.client.get(EDIT_URL).content.decode()
        data["seen"] = page.partition('name="seen" value="')[2].partition('"')[0]
        return self.client.post(EDIT_URL, data | values)

    def test_an_admin_chooses(self):
        self.sign_in(self.alice)
        self.assertContains(self.client.get(EDIT_URL), LABEL)
        self.assertEqual(self.edit(password=NEW, password2=NEW).status_code, 302)
        self.assert_revoked(False)
        response = self.edit(**{"password": NEW, "password2": NEW, FIELD: "on"})
        self.assertEqual(response.status_code, 302)
        self.assert_password(NEW)
        self.assert_revoked(True)
        self.assertNotContains(self.client.get(EDIT_URL), FIELD)

    def test_it_takes_a_new_password(self):
        self.sign_in(self.alice)
        response = self.edit(**{FIELD: "on"})
        self.assertContains(response, "Enter a new password as well.", status_code=422)
        self.assert_revoked(False)

    def test_a_program_asks_for_it(self):
        api = self.api(self.alice)
        for path in (self.bob.pk, "mailadmin@example.com"):
            status = api.patch(f"mailboxes/{path}", {"password": NEW, FIELD: True}).status_code
            self.assertEqual(status, 200 if path == self.bob.pk else 404)
        self.assert_revoked(True)
        again = api.patch(f"mailboxes/{self.bob.pk}", {"password": NEW, FIELD: True})
        self.assertEqual(again.status_code, 200, again.content)
        refused = api.patch(f"mailboxes/{self.bob.pk}", {FIELD: True})
        self.assertEqual(list(refused.json()["errors"]), [FIELD])

    def test_many_mailboxes_at_once(self):
        sent = [
            {"username": self.bob.pk, "password": NEW, FIELD: True},
            {"username": self.carol.pk, "password": NEW},
        ]
        response = self.api(self.root).patch("mailboxes", sent)
        self.assertEqual(response.status_code, 200, response.content)
        self.assert_revoked(True)
