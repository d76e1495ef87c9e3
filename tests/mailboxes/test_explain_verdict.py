"""Explanation of routes: what becomes of the mail, in one line."""

import datetime
import json
import time
from io import StringIO

from django.core.management import call_command
from django.test import override_settings
from django.utils import timezone

from domains.models import Domain, Transport
from mailboxes.models import Alias, Vacation
from mailboxes.postfix.explain import explain
from mailboxes.postfix.explain.messages import format_delivery
from tests.base import World


class VerdictTests(World):
    """The verdict of a route, the same on the page, by command and API."""

    def set_targets(self, goto="bob@example.org", transport=None, **more):
        Alias.objects.filter(pk="info@example.org").update(goto=goto, **more)
        if transport is not None:
            Transport.objects.update_or_create(
                pattern="bob@example.org", defaults={"transport": transport}
            )

    def assert_verdict(self, outcome, says, address="info@example.org"):
        explanation = explain(self.root, address)
        self.assertEqual((explanation["outcome"], explanation["says"]), (outcome, says))
        self.assertEqual(self.api(self.root).get("explain", address=address).json()["says"], says)
        printed = StringIO()
        call_command("explain", address, stdout=printed)
        self.assertIn(f"{address}: {says}", printed.getvalue())
        self.sign_in(self.root)
        self.assertContains(self.client.get("/explain/", {"address": address}), says)

    def test_delivered_to_a_mailbox_here(self):
        self.assert_verdict("delivered", "Delivered to a mailbox here.")
        self.set_targets("bob@example.org,carol@example.com")
        self.assert_verdict("delivered", "Delivered to 2 mailboxes here.")

    def test_handed_to_another_server(self):
        self.set_targets("fred@far.test")
        self.assert_verdict("handed_over", "Handed to another server.")
        self.set_targets("fred@far.test,bob@example.org")
        says = "Delivered to a mailbox here and handed to another server."
        self.assert_verdict("delivered", says)

    def test_answered_only(self):
        self.set_targets("bob#example.org@autoreply.localhost")
        self.assert_verdict(
            "answered", "Delivered nowhere; no vacation reply is sent at this time."
        )
        until = timezone.now() + datetime.timedelta(days=1)
        Vacation.objects.create(mailbox=self.bob, domain_id="example.org", activeuntil=until)
        self.assert_verdict("answered", "Answered only, delivered nowhere.")

    def test_an_answer_beside_a_bounce_is_not_a_delivery(self):
        self.set_targets("bob#example.org@autoreply.localhost,nobody@example.org")
        self.assert_verdict("bounces", "Accepted, then bounces.")

    def test_rejected_at_rcpt_with_its_reply(self):
        says = "Rejected: no mailbox, alias or catch-all matches this address."
        self.assert_verdict("rejected", says, "nobody@example.org")
        page = self.client.get("/explain/", {"address": "nobody@example.org"})
        self.assertContains(page, "550 5.1.1 &lt;nobody@example.org&gt;: Recipient address")

    def test_mail_for_a_missing_service_is_deferred(self):
        for transport in ("nosuch:", "Virtual:", " smtp:[mx.far.test]", "virtual:", "virtual"):
            self.set_targets(transport=transport)
            self.assert_verdict("deferred", "Accepted, then deferred: the delivery cannot work.")
            (end,) = explain(self.root, "info@example.org")["deliveries"]
            self.assertIn(transport.partition(":")[0], format_delivery(end))
            (end,) = explain(self.alice, "info@example.org")["deliveries"]
            self.assertEqual(
                format_delivery(end),
                "Mail to bob@example.org is deferred, because the delivery cannot work.",
            )

    def test_a_domain_with_such_a_transport_cannot_work_either(self):
        Domain.objects.filter(pk="example.org").update(transport="virtual:")
        self.assert_verdict("deferred", "Accepted, then deferred: the delivery cannot work.")

    @override_settings(MAILADMIN_SERVICES=("virtual", "maildrop"))
    def test_services_configured_by_the_operator_are_known(self):
        self.set_targets(transport="virtual:")
        self.assert_verdict("delivered", "Delivered to a mailbox here.")
        self.set_targets(transport="maildrop:")
        self.assert_verdict("handed_over", "Handed to another server.")

    def test_bounces_and_discarded(self):
        self.set_targets(transport="error:5.1.1 Gone")
        self.assert_verdict("bounces", "Accepted, then bounces.")
        self.set_targets(transport="discard:")
        self.assert_verdict("discarded", "Accepted, then silently discarded.")
        self.set_targets("bob@example.org,nobody@example.org,carol@example.com")
        self.assert_verdict(
            "partly",
            "Delivered to a mailbox here, but bounces for 1 of 3 recipients and silently discarded"
            " for 1 of 3 recipients.",
        )

    def test_a_name_without_a_domain_cannot_be_determined(self):
        self.set_targets("root")
        says = "Cannot be determined: it is handed to a system user of the mail server."
        self.assert_verdict("unknown", says)
        (end,) = explain(self.root, "info@example.org")["deliveries"]
        self.assertEqual(
            format_delivery(end), "Mail to root is handed to a system user of the mail server."
        )

    def test_a_loop_is_deferred_and_never_ends(self):
        self.set_targets("info+more@example.org")
        begun = time.monotonic()
        explanation = explain(self.root, "info@example.org")
        self.assertLess(time.monotonic() - begun, 3)
        self.assertEqual(explanation["outcome"], "deferred")
        self.assertEqual((len(explanation["steps"]), explanation["more_steps"]), (100, 98))
        self.assertLess(len(json.dumps(explanation)), 400_000)


class SystemUserTests(World):
    def test_a_system_user_is_not_another_server(self):
        Alias.objects.filter(pk="info@example.org").update(goto="root@localhost")
        explanation = explain(self.root, "info@example.org")
        self.assertEqual(explanation["outcome"], "unknown", explanation["says"])
        self.assertIn("Cannot be determined", explanation["says"])
