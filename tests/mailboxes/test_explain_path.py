"""The steps of an explained route in sentences."""

import datetime
from io import StringIO

from django.core.management import call_command
from django.utils import timezone

from domains.models import AliasDomain, Domain
from mailboxes.models import Alias, Mailbox, Usage, Vacation
from mailboxes.postfix.explain import explain
from mailboxes.postfix.explain.path import build_path
from mailboxes.postfix.routing import StaticTable, build_panel_config
from tests.mailboxes.route_world import ACCEPTED, AWAY, BOUNCES, RouteWorld


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

    def test_many_vacation_replies_are_counted(self):
        until = timezone.now() + datetime.timedelta(days=1)
        names = [f"away{number:02}" for number in range(12)]
        for name in names:
            key = {"username": f"{name}@example.org", "domain_id": "example.org"}
            mailbox = Mailbox.objects.create(**key, local_part=name, maildir=f"{name}/")
            goto = f"{mailbox.pk},{name}#example.org@autoreply.localhost"
            Alias.objects.create(address=mailbox.pk, goto=goto, domain_id="example.org")
            Vacation.objects.create(mailbox=mailbox, domain_id="example.org", activeuntil=until)
        self.set_targets(*(f"{name}@example.org" for name in names))
        delivered, answered = self.path("info@example.org")[-2:]
        self.assertEqual(delivered, "Delivered to 12 mailboxes here.")
        self.assertEqual(answered, "12 vacation replies are sent.")
        Vacation.objects.filter(pk__gt="away00@example.org").update(active=False)
        self.assertEqual(self.path("info@example.org")[-1], "1 vacation reply is sent.")
        Vacation.objects.update(active=False)
        answered = self.path("info@example.org")[-1]
        self.assertEqual(answered, "No vacation reply is sent at this time.")

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

    def test_a_recipient_restriction_is_not_a_transport(self):
        for action, text in (
            ("REJECT Blocked", "Rejected: a recipient restriction rejects it (Blocked)."),
            ("550 5.7.1", "Rejected: a recipient restriction rejects it."),
            ("450 4.7.1 Later", "Deferred: a recipient restriction defers it (Later)."),
        ):
            config = build_panel_config()
            config.smtpd_recipient_restrictions = [
                StaticTable("access", {"bob@example.org": action})
            ]
            explanation = explain(self.root, "bob@example.org", config=config)
            self.assertEqual(explanation["says"], text)
            self.assertEqual(build_path(explanation)[-1].text, text)

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
