"""Invitations: new people set their first password by a link."""

import datetime
import io
from unittest import mock

from django.core.management import call_command
from django.test import Client, override_settings
from django.utils import timezone

from domains.models import Admin
from mailadmin import passwords
from mailadmin.mails.models import OutgoingMail
from mailboxes.models import Mailbox
from tests.base import PASSWORD
from tests.mailadmin.recovery_world import NEW, RecoveryWorld

TO = "dora@elsewhere.example"
DORA = "dora@example.org"


class InvitationWorld(RecoveryWorld):
    def create(self, **data):
        """Have alice create a mailbox with an invitation; return the answer."""
        self.alice_client = self.client_of(self.alice)
        values = {"local_part": "dora", "domain": "example.org", "quota": "0", "active": "on"}
        return self.alice_client.post(
            "/mailboxes/create/", values | {"invitation_to": TO, "password": ""} | data
        )

    def invitation(self):
        recipient, link = self.links("invitation")[-1]
        self.assertEqual(recipient, TO)
        return link

    def dora(self):
        return Mailbox.objects.get(pk=DORA)


class InvitationTests(InvitationWorld):
    def test_dora_sets_her_first_password_by_the_link(self):
        self.assertRedirects(self.create(), f"/mailboxes/{DORA}/ready/")
        client = Client()
        self.assertRedirects(self.use(self.invitation(), client=client), "/login/")
        self.log_in(DORA, NEW, client)
        self.assertTrue(self.is_logged_in(client))
        self.assertEqual(self.dora().token, "")
        self.assert_ended(self.invitation())

    def test_the_link_is_shown_once_to_who_made_it(self):
        self.create()
        shown = self.invitation()
        page = f"/mailboxes/{DORA}/ready/"
        self.assertNotContains(self.client_of(self.root).get(page), shown)
        self.assertContains(self.alice_client.get(page), shown)
        self.assertNotContains(self.alice_client.get(page), shown)
        self.assertNotContains(self.alice_client.get(f"/mailboxes/{DORA}/"), shown)

    def test_no_password_works_until_then(self):
        self.create()
        stored = self.dora().password
        self.assertTrue(passwords.is_hash_like(stored))
        for typed in ("", "!", "{CRYPT}!", "*0", stored, PASSWORD):
            self.assertFalse(passwords.verify(typed, stored, DORA))
            client = Client()
            self.log_in(DORA, typed, client)
            self.assertFalse(self.is_logged_in(client))

    def test_the_link_ends_after_three_days(self):
        self.create()
        left = self.dora().token_validity - timezone.now()
        self.assertAlmostEqual(left.total_seconds(), 3 * 24 * 3600, delta=60)
        Mailbox.objects.filter(pk=DORA).update(
            token_validity=timezone.now() - datetime.timedelta(seconds=1)
        )
        self.assert_ended(self.invitation())

    def test_either_a_password_or_an_invitation(self):
        self.assert_refused(self.create(password=NEW, password2=NEW), "not both")
        self.assert_refused(self.create(invitation_to=""), "This field is required")
        self.assert_refused(self.create(invitation_to=DORA), "other than that of the mailbox")
        self.assert_refused(self.create(invitation_to="nowhere"), "email address")
        self.assertFalse(Mailbox.objects.filter(pk=DORA).exists())

    @override_settings(MAILADMIN_URL=None)
    def test_without_the_address_of_the_panel_there_are_none(self):
        self.assert_refused(self.create(), "MAILADMIN_URL")

    def test_a_password_of_the_admin_ends_the_link(self):
        self.create()
        url = f"/mailboxes/{DORA}/edit/"
        seen = self.alice_client.get(url).context["form"].initial["seen"]
        self.assertNotContains(self.alice_client.get(url), 'name="invitation_to"')
        values = {"seen": seen, "quota": "0", "active": "on", "password": NEW, "password2": NEW}
        self.assertEqual(self.alice_client.post(url, values).status_code, 302)
        self.assert_ended(self.invitation())

    def test_only_recovery_is_reported_as_a_changed_password(self):
        self.create()
        self.use(self.invitation())
        self.assertFalse(OutgoingMail.objects.filter(kind="password_recovered").exists())


class AdminInvitationTests(InvitationWorld):
    def create_admin(self, **data):
        self.root_client = self.client_of(self.root)
        values = {"username": "new@example.net", "active": "on", "invitation_to": TO}
        return self.root_client.post("/admins/create/", values | data)

    def test_a_new_admin_is_invited(self):
        self.assertRedirects(self.create_admin(), "/admins/new@example.net/ready/")
        self.use(self.invitation())
        self.assertTrue(Admin.objects.get(pk="new@example.net").check_password(NEW))

    def test_not_to_a_domain_whose_admins_could_read_it(self):
        self.assert_refused(self.create_admin(invitation_to="carol@example.com"), "does not manage")


class AgainTests(InvitationWorld):
    def setUp(self):
        super().setUp()
        self.create()
        self.url = f"/mailboxes/{DORA}/invitation/"

    def test_it_is_sent_again_and_the_first_link_ends(self):
        first = self.invitation()
        self.assertContains(self.alice_client.get(f"/mailboxes/{DORA}/"), "Send again")
        self.alice_client.post(self.url, {"invitation_to": TO})
        self.assert_ended(first)
        self.assertRedirects(self.use(self.invitation()), "/login/")
        self.assertNotContains(self.alice_client.get(f"/mailboxes/{DORA}/"), "Send again")

    def test_it_is_revoked(self):
        self.alice_client.post(self.url, {"revoke": "1"})
        self.assert_ended(self.invitation())
        self.assertContains(self.alice_client.get(f"/mailboxes/{DORA}/"), "nobody can sign in")

    def test_both_need_a_proof(self):
        self.pass_time(self.alice_client)
        for data in ({"revoke": "1"}, {"invitation_to": "x@elsewhere.example"}):
            answer = self.alice_client.post(self.url, data)
            self.assertTrue(answer["Location"].startswith("/account/confirm/"))
        self.assertEqual(len(self.links("invitation")), 1)
        self.assertRedirects(self.use(self.invitation()), "/login/")

    def test_who_has_a_password_is_not_invited(self):
        self.alice_client.post(f"/mailboxes/{self.bob.pk}/invitation/", {"invitation_to": TO})
        self.assertEqual(len(self.links("invitation")), 1)
        self.assertTrue(Mailbox.objects.get(pk=self.bob.pk).check_password(PASSWORD))

    def test_strangers_cannot(self):
        url = f"/mailboxes/{self.carol.pk}/invitation/"
        self.assertEqual(self.alice_client.post(url, {"invitation_to": TO}).status_code, 404)
        self.assertEqual(self.client_of(self.bob).post(self.url, {"revoke": "1"}).status_code, 403)


class ProgramTests(InvitationWorld):
    def test_the_api_invites(self):
        row = {"local_part": "dora", "domain": "example.org", "invitation_to": TO}
        created = self.api(self.alice).post("mailboxes", row)
        self.assertEqual(created.status_code, 201, created.content)
        self.assertNotIn("recover", created.content.decode())
        self.assertRedirects(self.use(self.invitation()), "/login/")

    def test_the_api_wants_one_of_both(self):
        row = {"local_part": "dora", "domain": "example.org"}
        refused = self.api(self.alice).post("mailboxes", row)
        self.assertEqual(list(refused.json()["errors"]), ["password"])
        refused = self.api(self.alice).post(
            "mailboxes", row | {"invitation_to": TO, "password": NEW}
        )
        self.assertEqual(list(refused.json()["errors"]), ["invitation_to"])

    def test_the_command_invites(self):
        with mock.patch("sys.stdin", io.StringIO("")):
            call_command("mailbox", "add", DORA, "--invitation-to", TO, stdout=io.StringIO())
        self.assertRedirects(self.use(self.invitation()), "/login/")
