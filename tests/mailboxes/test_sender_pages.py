"""Who may send as an address: in `explain`, on the pages of addresses, and to owners."""

import io

from django.core.management import call_command
from django.test import override_settings

from domains.models import AliasDomain, Domain
from mailboxes.models import Alias, SenderPermission
from mailboxes.postfix.explain import explain
from mailboxes.postfix.explain.senders import explain_senders
from tests.mailboxes.test_sender_permissions import SenderPermissionWorld

BILLING = "billing@example.org"


class ExplainedSenderTests(SenderPermissionWorld):
    def reasons(self, address, person=None):
        explanation = explain(person or self.root, address)
        return [(each["login"], each["reason"]) for each in explanation["sender_reasons"]]

    def test_each_row_that_lets_somebody_send_is_named(self):
        self.permit("info@example.org", self.carol)
        self.permit("@example.org", self.carol)
        self.assertEqual(
            self.reasons("info@example.org"),
            [
                ("bob@example.org", "alias info@example.org"),
                ("carol@example.com", "sender permission for all addresses of example.org"),
                ("carol@example.com", "sender permission for info@example.org"),
            ],
        )
        self.assertEqual(self.reasons("bob@example.org")[0], ("bob@example.org", "own mailbox"))
        goto = {"goto": "bob@example.org", "domain_id": "example.org"}
        Alias.objects.create(address="@example.org", **goto)
        reason = ("bob@example.org", "catch-all @example.org")
        self.assertIn(reason, self.reasons("any@example.org"))

    def test_a_sender_is_told_the_row_or_why_it_does_not_count(self):
        bob = explain(self.root, BILLING, sender="Bob@example.org")["sender"]
        self.assertEqual((bob["may"], bob["reasons"]), (True, [f"sender permission for {BILLING}"]))
        SenderPermission.objects.update(active=False)
        bob = explain(self.root, BILLING, sender="bob@example.org")["sender"]
        text = f"sender permission for {BILLING}: the sender permission is inactive"
        self.assertEqual((bob["may"], bob["reasons"]), (False, [text]))
        carol = explain(self.root, BILLING, sender="carol@example.com")["sender"]
        self.assertEqual((carol["may"], carol["reasons"]), (False, []))

    def test_admins_see_permissions_of_their_addresses_and_no_other_foreign_logins(self):
        """The permission says that carol may send as an address of alice's domain."""
        self.permit(BILLING, self.carol)
        self.assertEqual(
            explain(self.alice, BILLING)["senders"], ["bob@example.org", "carol@example.com"]
        )
        Alias.objects.filter(pk="info@example.org").update(goto="carol@example.com")
        self.assertEqual(explain(self.alice, "info@example.org")["senders"], [])
        self.assertEqual(self.reasons("info@example.org", self.alice), [])

    def test_rows_of_a_foreign_target_domain_are_not_shown(self):
        Domain.objects.create(domain="way.example")
        AliasDomain.objects.create(alias_domain_id="way.example", target_domain_id="example.com")
        self.alice.assignments.create(domain_id="way.example")
        alice = type(self.alice).objects.get(pk=self.alice.pk)
        explanation = explain(alice, "billing@way.example")
        self.assertEqual((explanation["senders"], explanation["sender_reasons"]), ([], []))
        self.assertIn("outside your domains", explanation["sender_trouble"])
        self.assertNotIn("carol", str(explanation))

    def test_the_command_names_the_row(self):
        out = io.StringIO()
        call_command("explain", BILLING, "--sender=bob@example.org", stdout=out)
        self.assertIn(f"  bob@example.org: sender permission for {BILLING}", out.getvalue())
        self.assertIn("bob@example.org may send as this address.", out.getvalue())

    def test_the_page_and_the_api_name_the_row(self):
        self.sign_in(self.alice)
        query = {"address": BILLING, "sender": "bob@example.org"}
        page = self.client.get("/explain/", query)
        self.assertContains(page, f"sender permission for {BILLING}")
        self.assertContains(page, f"/sender-permissions/{self.own.pk}/edit/")
        answer = self.api(self.alice).get("explain", **query).json()
        [reason] = answer["sender_reasons"]
        self.assertEqual(
            (reason["row"]["id"], reason["row"]["mailbox"]), (self.own.pk, self.bob.pk)
        )

    def test_every_sign_of_the_delimiter_begins_an_extension(self):
        """bob sends with any extension, though carol may send as all addresses."""
        self.permit("@example.org", self.carol)
        for signs in ("+", "-+", "'", "\\", "%", '"', ""):
            with self.subTest(signs=signs), override_settings(MAILADMIN_RECIPIENT_DELIMITER=signs):
                expected = ["bob@example.org", "carol@example.com"]
                for sign in signs:
                    address = f"bob{sign}x@example.org"
                    self.assertEqual(explain_senders(self.root, address)["senders"], expected)
                self.assertEqual(explain_senders(self.root, BILLING)["senders"], expected)


class SenderPanelTests(SenderPermissionWorld):
    def panel(self, key, person=None):
        self.sign_in(person or self.alice)
        return self.client.get(f"/addresses/{key}/senders/")

    def test_a_mailbox_has_its_other_addresses_and_its_senders(self):
        inactive = self.permit("sales@example.org", self.bob, active=False)
        self.permit("bob@example.org", self.carol)
        panel = self.panel("bob@example.org")
        for text in (BILLING, "info@example.org", "sales@example.org", "inactive", "own mailbox"):
            self.assertContains(panel, text)
        self.assertContains(panel, f"/sender-permissions/{inactive.pk}/delete/")
        self.assertContains(panel, "/sender-permissions/create/?mailbox=bob%40example.org")
        self.assertContains(panel, "/sender-permissions/create/?address=bob%40example.org")
        self.assertContains(panel, "carol@example.com")

    def test_an_alias_of_another_mailbox_lets_nobody_send(self):
        Alias.objects.filter(pk="carol@example.com").update(goto="bob@example.org")
        self.assertNotContains(self.panel("bob@example.org", self.root), "/aliases/carol")

    def test_an_alias_and_a_domain_have_their_senders(self):
        self.assertContains(self.panel("info@example.org"), "alias info@example.org")
        self.assertContains(self.panel("@example.org"), "Nobody")
        self.permit("@example.org", self.bob)
        self.assertContains(self.panel("@example.org"), "Who may send as any address")
        self.assertContains(self.panel("@example.org"), "bob@example.org")

    def test_foreign_and_unknown_addresses_are_not_found(self):
        for key in ("carol@example.com", "info@example.com", "@example.com", "x@example.org", "@"):
            self.assertEqual(self.panel(key).status_code, 404, key)
        self.assertEqual(self.panel("bob@example.org", self.bob).status_code, 403)

    def test_pages_load_the_panel(self):
        self.sign_in(self.alice)
        for page, key in (
            ("mailboxes/bob@example.org", "bob@example.org"),
            ("aliases/info@example.org", "info@example.org"),
            ("domains/example.org", "@example.org"),
        ):
            self.assertContains(self.client.get(f"/{page}/"), f"/addresses/{key}/senders/")


class OwnSenderTests(SenderPermissionWorld):
    def shown(self):
        self.sign_in(self.bob)
        found = self.client.get("/").context["sender_addresses"]
        return [each.address for each in found]

    def test_owners_see_as_which_addresses_they_may_send(self):
        self.permit("@example.com", self.bob)
        self.assertEqual(self.shown(), ["@example.com", BILLING, "info@example.org"])
        self.assertContains(self.client.get("/"), "Sender addresses")

    def test_what_does_not_count_is_not_shown(self):
        SenderPermission.objects.update(active=False)
        Alias.objects.filter(pk="info@example.org").update(active=False)
        self.assertEqual(self.shown(), [])
        self.assertNotContains(self.client.get("/"), "Sender addresses")
        SenderPermission.objects.update(active=True)
        Domain.objects.update(active=False)
        self.assertEqual(self.shown(), [])

    def test_the_permissions_of_others_are_not_shown(self):
        self.permit("bob@example.org", self.carol)
        self.sign_in(self.bob)
        self.assertNotContains(self.client.get("/"), "carol")
