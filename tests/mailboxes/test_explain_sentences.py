"""The sentence of a route, also on the page of an address."""

import re
from unittest import mock

from domains.models import Domain, Transport
from mailboxes import detail
from mailboxes.models import Alias, Mailbox
from mailboxes.postfix.explain import explain
from mailboxes.postfix.explain.sentences import format_sentences
from mailboxes.postfix.routing import StaticTable, build_panel_config
from mailboxes.services.mailboxes import create_mailboxes
from tests.mailboxes.route_world import AWAY, BOUNCES, RouteWorld


class SentenceTests(RouteWorld):
    def test_delivered_here_and_forwarded(self):
        self.assertEqual(
            self.sentences("bob@example.org"), "Mail to bob@example.org is delivered here."
        )
        self.set_targets("carol@example.com", "bob@example.org", key="bob@example.org")
        self.assertEqual(
            self.sentences("bob@example.org"),
            "Mail to bob@example.org is delivered here and to carol@example.com.",
        )
        self.send_vacation_replies()
        self.set_targets("carol@example.com", AWAY, "bob@example.org", key="bob@example.org")
        self.assertEqual(
            self.sentences("bob@example.org"),
            "Mail to bob@example.org is delivered here and to carol@example.com and answered with"
            " a vacation reply.",
        )

    def test_the_own_targets_and_the_mailboxes_at_the_end_are_named(self):
        self.set_targets("carol@example.com", key="bob@example.org")
        self.assertEqual(
            self.sentences("info@example.org"),
            "Mail to info@example.org is forwarded to bob@example.org and delivered to"
            " carol@example.com.",
        )
        self.set_targets("x@far.test", "carol@example.com", key="bob@example.org")
        self.assertEqual(
            self.sentences("bob@example.org"),
            "Mail to bob@example.org is forwarded to x@far.test and delivered to"
            " carol@example.com.",
        )

    def test_an_alias_names_those_who_get_none(self):
        self.set_targets("bob@example.org", "nobody@example.org")
        self.assertEqual(
            self.sentences("info@example.org"),
            "Mail to info@example.org is forwarded to nobody@example.org and delivered to"
            f" bob@example.org. {BOUNCES}",
        )

    def test_other_ends(self):
        self.set_targets(AWAY, key="bob@example.org")
        self.assertEqual(
            self.sentences("bob@example.org"),
            "Delivered nowhere; no vacation reply is sent at this time.",
        )
        Mailbox.objects.filter(pk=self.bob.pk).update(active=False)
        self.assertEqual(
            self.sentences("bob@example.org"),
            "Mail to bob@example.org is rejected: the mailbox is inactive.",
        )
        Transport.objects.create(pattern="carol@example.com", transport="smtp:[mx.far.test]")
        self.assertEqual(
            self.sentences("carol@example.com"),
            "Mail to carol@example.com is handed to another server.",
        )

    def test_mailboxes_are_links(self):
        html = format_sentences(explain(self.root, "info@example.org"))
        self.assertEqual(re.findall(r'href="([^"]*)"', html), ["/mailboxes/bob@example.org/"])

    def test_several_recipients_are_summed_up(self):
        self.set_targets("bob@example.org", "carol@example.com", "nobody@example.org")
        self.assertEqual(
            explain(self.root, "info@example.org")["says"],
            "Delivered to 2 mailboxes, but bounces for 1 of 3 recipients.",
        )
        self.set_targets("bob@example.org", "carol@example.com")
        self.assertEqual(
            explain(self.alice, "info@example.org")["says"],
            "Delivered to a mailbox here and forwarded outside your domains.",
        )

    def test_a_delivery_and_a_vacation_reply_are_summed_up(self):
        self.send_vacation_replies()
        self.set_targets(AWAY, "bob@example.org", key="bob@example.org")
        self.assertEqual(
            explain(self.root, "bob@example.org")["says"],
            "Delivered to a mailbox here and answered with a vacation reply.",
        )


class PageTests(RouteWorld):
    def test_a_target_that_forwards_back_is_named(self):
        self.set_targets("carol@example.com", "bob@example.org", key="bob@example.org")
        self.set_targets("bob@example.org", key="carol@example.com")
        self.assertIn(
            "Not delivered to bob@example.org again: alias loop.", self.path("bob@example.org")
        )

    def test_many_deliveries_of_one_kind_are_one_step(self):
        names = [f"m{n}" for n in range(12)]
        row = {"domain": Domain.objects.get(pk="example.org"), "password": "x", "quota": 1}
        self.perform(self.root, create_mailboxes, [row | {"local_part": name} for name in names])
        nobody = [f"n{n}@example.org" for n in range(11)]
        self.set_targets(*(f"{name}@example.org" for name in names), *nobody)
        steps = self.path("info@example.org")[-2:]
        texts = ["Delivered to 12 mailboxes here.", "11 recipients: Accepted, then bounces."]
        self.assertEqual(steps, texts)
        self.sign_in(self.root)
        page = self.client.get("/explain/", {"address": "info@example.org"})
        self.assertContains(page, "Delivered to the mailbox", count=12)

    def test_a_rejection_is_explained_once(self):
        self.sign_in(self.root)
        page = self.client.get("/explain/", {"address": "nobody@example.org"})
        self.assertContains(page, "Mail is rejected.")
        self.assertContains(page, "no mailbox, alias or catch-all matches this address", count=1)

    def test_an_overview_does_not_follow_too_many_targets(self):
        with mock.patch.object(detail, "MAX_LOOKUPS", 3):
            self.sign_in(self.root)
            page = self.client.get("/addresses/info@example.org/route/")
        self.assertContains(page, "Cannot be determined: it has so many targets that more than 3")
        self.assertContains(page, "/explain/?address=info%40example.org")

    def test_an_overview_says_why_it_cannot_tell(self):
        config = build_panel_config()
        config.smtpd_recipient_restrictions = [StaticTable("access", {"info@example.org": "HOLD"})]
        with mock.patch.object(detail, "build_panel_config", return_value=config):
            self.sign_in(self.root)
            page = self.client.get("/addresses/info@example.org/route/")
        self.assertContains(page, "Cannot be determined: HOLD")

    def test_lookups_are_folded(self):
        self.sign_in(self.alice)
        page = self.client.get("/explain/", {"address": "info@example.org"}).content.decode()
        shown = re.sub(r"(?s)<details class=\"technical\">.*?</details>", "", page)
        self.assertIn("SELECT", page)
        self.assertNotIn("SELECT", shown)
        self.assertIn('<a href="/aliases/info@example.org/">info@example.org</a>', shown)
        self.assertIn('<a href="/domains/example.org/">example.org</a>', shown)

    def test_addresses_are_escaped(self):
        Alias.objects.create(
            address='a"<b>"@example.org', goto="bob@example.org", domain_id="example.org"
        )
        self.sign_in(self.root)
        page = self.client.get("/explain/", {"address": 'a"<b>"@example.org'})
        self.assertNotContains(page, "<b>")
