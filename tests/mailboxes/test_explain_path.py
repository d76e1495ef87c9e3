"""The steps of an explained route in sentences, and the sentence on the page of an address."""

import datetime
import re
from io import StringIO
from unittest import mock

from django.core.management import call_command
from django.utils import timezone
from django.utils.html import strip_tags

from domains.models import AliasDomain, Domain, Transport
from mailboxes import detail
from mailboxes.models import Alias, Mailbox, Usage, Vacation
from mailboxes.postfix.explain import explain
from mailboxes.postfix.explain.path import build_path
from mailboxes.postfix.explain.sentences import format_sentences
from mailboxes.services.mailboxes import create_mailboxes
from tests.base import World

AWAY = "bob#example.org@autoreply.localhost"
ACCEPTED = "Accepted, because example.org is a domain of this server and"
BOUNCES = "Mail to nobody@example.org bounces, because no active mailbox has this address."


class RouteWorld(World):
    def set_targets(self, *goto, key="info@example.org"):
        Alias.objects.filter(pk=key).update(goto=",".join(goto))

    def mirror(self, target="example.org"):
        Domain.objects.create(domain="mirror.example")
        AliasDomain.objects.create(alias_domain_id="mirror.example", target_domain_id=target)

    def send_vacation_replies(self):
        until = timezone.now() + datetime.timedelta(days=1)
        Vacation.objects.create(mailbox=self.bob, domain_id="example.org", activeuntil=until)

    def path(self, address, person=None):
        """Return the sentences, with the first as it is for every address left out."""
        texts = [
            strip_tags(step.text) for step in build_path(explain(person or self.root, address))
        ]
        self.assertEqual(texts[0], f"Received for {address}.")
        return texts[1:]

    def sentences(self, address, person=None):
        return strip_tags(format_sentences(explain(person or self.root, address)))


class PathTests(RouteWorld):
    def test_a_mailbox_is_received_accepted_and_delivered(self):
        Usage.objects.create(mailbox=self.bob, bytes=self.bob.quota // 4)
        self.assertEqual(
            self.path("bob@example.org"),
            [
                f"{ACCEPTED} the mailbox bob@example.org exists.",
                "Delivered to the mailbox bob@example.org (25 MB of 100 MB used).",
            ],
        )

    def test_an_alias_forwards_to_its_targets(self):
        self.set_targets("bob@example.org", "x@far.test", "nobody@example.org")
        self.assertEqual(
            self.path("info@example.org"),
            [
                f"{ACCEPTED} the alias info@example.org exists.",
                "The alias info@example.org forwards to bob@example.org, x@far.test and"
                " nobody@example.org.",
                "Delivered to the mailbox bob@example.org (0 MB of 100 MB used).",
                "Mail to x@far.test is handed to another server.",
                BOUNCES,
            ],
        )

    def test_an_extension_is_no_step_of_its_own(self):
        self.assertEqual(
            self.path("bob+x@example.org")[1:],
            ["Delivered to the mailbox bob@example.org (0 MB of 100 MB used)."],
        )

    def test_a_mailbox_forwards_with_and_without_a_copy(self):
        self.set_targets("x@far.test", "bob@example.org", key="bob@example.org")
        step = self.path("bob@example.org")[1]
        self.assertEqual(
            step, "The mailbox bob@example.org keeps a copy and forwards to x@far.test."
        )
        self.set_targets("x@far.test", key="bob@example.org")
        step = self.path("bob@example.org")[1]
        self.assertEqual(
            step, "The mailbox bob@example.org forwards to x@far.test and keeps no copy."
        )

    def test_a_catch_all_takes_other_addresses(self):
        Alias.objects.create(address="@example.org", goto="x@far.test", domain_id="example.org")
        self.assertEqual(
            self.path("who@example.org")[:2],
            [
                f"{ACCEPTED} the catch-all @example.org takes all other addresses.",
                "The catch-all @example.org forwards mail for who@example.org to x@far.test.",
            ],
        )

    def test_a_vacation_reply_is_sent_or_not(self):
        self.set_targets(AWAY, key="bob@example.org")
        self.assertEqual(
            self.path("bob@example.org")[1:],
            ["The vacation reply of bob@example.org is not active now, so none is sent."],
        )
        self.send_vacation_replies()
        self.assertEqual(
            self.path("bob@example.org")[1:], ["bob@example.org sends a vacation reply."]
        )

    def test_a_rejection_ends_the_path_with_its_reply(self):
        step = build_path(explain(self.root, "who@example.org"))[-1]
        self.assertEqual(
            step.text, "Rejected: no mailbox, alias or catch-all matches this address."
        )
        self.assertTrue(step.reply.startswith("550 5.1.1 <who@example.org>"))
        Alias.objects.filter(pk="info@example.org").update(active=False)
        step = build_path(explain(self.root, "info@example.org"))[-1]
        self.assertEqual(
            step.text,
            "Rejected: the alias is inactive"
            ' (<a href="/aliases/info@example.org/">info@example.org</a>).',
        )

    def test_the_reason_of_a_rejection_is_exact(self):
        local_parts = (
            "Rejected: Postfix takes no mail for local parts that start with “-” or contain “%” or"
            " “!”."
        )
        self.assertEqual(self.path("-x@example.org"), [local_parts])
        self.assertEqual(self.path("a%b@example.org"), [local_parts])
        for transport, text in (
            ("error:5.1.1 Gone", "Rejected: its transport rejects all mail."),
            ("retry:", "Deferred: its transport defers all mail."),
        ):
            Domain.objects.filter(pk="example.org").update(transport=transport)
            self.assertEqual(self.path("who@example.org"), [text])
            self.assertEqual(explain(self.root, "who@example.org")["says"], text)

    def test_a_loop_ends_the_path(self):
        for one, other in (("a", "b"), ("b", "a")):
            Alias.objects.create(
                address=f"{one}@example.org", goto=f"{other}@example.org", domain_id="example.org"
            )
        path = self.path("a@example.org")
        self.assertEqual(path[1], "The alias a@example.org forwards to b@example.org.")
        self.assertIn("Alias loop: mail is never delivered.", path[-1])

    def test_a_full_mailbox_bounces(self):
        Usage.objects.create(mailbox=self.bob, bytes=self.bob.quota)
        self.assertEqual(
            self.path("bob@example.org")[-1],
            "The mailbox bob@example.org is full (100 MB of 100 MB used), so mail bounces.",
        )

    def test_a_backup_mx_passes_mail_on(self):
        Domain.objects.create(domain="backup.example", backupmx=True)
        self.assertEqual(
            self.path("who@backup.example"),
            [
                "Accepted, because this server is a backup MX of backup.example.",
                "Mail to who@backup.example is passed on, because this server is a backup MX of"
                " its domain.",
            ],
        )

    def test_a_broken_transport_is_named_to_superadmins_only(self):
        Domain.objects.filter(pk="example.org").update(transport="nosuch:")
        text = "Mail to bob@example.org is deferred, because the delivery cannot work."
        self.assertEqual(
            self.path("bob@example.org")[-1],
            f"{text} Reason: master.cf has no delivery service “nosuch”.",
        )
        self.assertEqual(self.path("bob@example.org", self.alice)[-1], text)

    def test_very_many_targets_are_cut(self):
        self.set_targets(*(f"x{n}@far.test" for n in range(40)))
        self.assertIn("x9@far.test and 30 more.", self.path("info@example.org")[1])

    def test_nothing_foreign_is_named(self):
        self.set_targets("x@far.test", key="carol@example.com")
        self.set_targets("carol@example.com")
        self.assertEqual(
            self.path("info@example.org", self.alice)[2:],
            ["Mail to carol@example.com is forwarded outside your domains."],
        )


class AliasDomainTests(RouteWorld):
    HANDLED_AS = (
        "%s@mirror.example is handled as %s@example.org, because mirror.example is an alias domain"
        " of example.org."
    )

    def test_an_address_of_an_alias_domain_names_its_target(self):
        self.mirror()
        for name in ("info", "bob+x", "who"):
            text = self.HANDLED_AS % (name, name)
            self.assertEqual(self.path(f"{name}@mirror.example")[0], text)
            self.assertTrue(self.sentences(f"{name}@mirror.example").startswith(text))
        handled_as = explain(self.root, "info@mirror.example")["handled_as"]
        self.assertEqual(handled_as["address"], "info@example.org")
        self.assertEqual(handled_as["url"], "/alias-domains/mirror.example/edit/")

    def test_a_forwarding_mailbox_is_shown_once(self):
        self.mirror()
        self.set_targets("x@far.test", "bob@example.org", key="bob@example.org")
        self.assertEqual(
            self.path("bob+x@mirror.example")[2:-2],
            ["The mailbox bob@example.org keeps a copy and forwards to x+x@far.test."],
        )

    def test_the_page_links_the_alias_domain(self):
        self.mirror()
        self.sign_in(self.root)
        page = self.client.get("/explain/", {"address": "info@mirror.example"})
        self.assertContains(
            page, '<a href="/alias-domains/mirror.example/edit/">mirror.example</a>'
        )

    def test_the_command_names_the_target_too(self):
        self.mirror()
        printed = StringIO()
        call_command("explain", "info@mirror.example", stdout=printed)
        self.assertIn(self.HANDLED_AS % ("info", "info"), printed.getvalue())

    def test_rows_of_the_alias_domain_itself_come_first(self):
        self.mirror()
        own = {"goto": "x@far.test", "domain_id": "mirror.example"}
        Alias.objects.create(address="info@mirror.example", **own)
        Alias.objects.create(address="@mirror.example", **own)
        for name, is_handled_as in (("info", False), ("bob", True), ("who", False)):
            explanation = explain(self.root, f"{name}@mirror.example")
            self.assertEqual(explanation["handled_as"] is not None, is_handled_as, name)

    def test_an_inactive_mailbox_of_the_target_is_named(self):
        self.mirror()
        Mailbox.objects.filter(pk=self.bob.pk).update(active=False)
        Alias.objects.filter(pk=self.bob.pk).update(active=False)
        self.assertEqual(
            self.path("bob@mirror.example"),
            [self.HANDLED_AS % ("bob", "bob"), "Rejected: the mailbox is inactive."],
        )

    def test_inactive_and_foreign_alias_domains_are_not_named(self):
        AliasDomain.objects.create(alias_domain_id="example.org", target_domain_id="example.com")
        Alias.objects.filter(pk="info@example.org").delete()
        self.assertIsNone(explain(self.alice, "info@example.org")["handled_as"])
        self.assertIsNotNone(explain(self.root, "info@example.org")["handled_as"])
        AliasDomain.objects.update(active=False)
        self.assertIsNone(explain(self.root, "info@example.org")["handled_as"])


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
        self.assertContains(page, "Too many targets to follow here.")
        self.assertContains(page, "/explain/?address=info%40example.org")

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
