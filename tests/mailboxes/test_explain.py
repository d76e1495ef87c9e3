"""Explanation of routes on the page, by the command and as JSON, redacted by scope."""

import datetime
import json
import time
from io import StringIO

from django.core.management import CommandError, call_command
from django.test import override_settings
from django.utils import timezone

from domains.models import AliasDomain, Domain, Transport
from mailboxes.models import Alias, Mailbox, Usage, Vacation
from mailboxes.postfix.explain import explain
from mailboxes.postfix.explain.messages import format_delivery
from tests.base import World


class ExplainTests(World):
    """Explanations for root."""

    def explanation(self, address, person=None, **more):
        return explain(person or self.root, address, **more)

    def ends(self, address, person=None):
        explanation = self.explanation(address, person)
        return {(each["address"], each["kind"]) for each in explanation["deliveries"]}

    def test_an_alias_is_followed_to_its_mailbox_with_path_and_quota(self):
        Usage.objects.create(mailbox=self.bob, bytes=40)
        (end,) = self.explanation("Info+x@Example.ORG")["deliveries"]
        self.assertEqual(
            {name: end[name] for name in ("address", "kind", "mailbox", "path", "quota", "used")},
            {
                "address": "bob+x@example.org",
                "kind": "mailbox",
                "mailbox": "bob@example.org",
                "path": "example.org/bob/",
                "quota": self.bob.quota,
                "used": 40,
            },
        )
        self.assertFalse(end["is_over"])

    def test_a_full_mailbox_is_shown_as_full(self):
        Usage.objects.create(mailbox=self.bob, bytes=self.bob.quota)
        (end,) = self.explanation("bob@example.org")["deliveries"]
        self.assertTrue(end["is_over"])
        self.assertIn("full", format_delivery(end))

    def test_every_lookup_is_shown_with_its_sql_and_matching_row(self):
        step = self.explanation("info@example.org")["steps"][1]
        (lookup,) = step["lookups"]
        self.assertEqual((lookup["table"], lookup["answer"]), ("virtual_alias", "bob@example.org"))
        self.assertIn("SELECT alias.goto", lookup["sql"])
        self.assertEqual(
            lookup["rows"],
            [
                {"table": "alias", "key": "info@example.org"}
                | {"url": "/aliases/info@example.org/edit/"}
            ],
        )

    def test_inactive_rows_are_shown_with_the_reason(self):
        Alias.objects.filter(pk="info@example.org").update(active=False)
        explanation = self.explanation("info@example.org")
        self.assertEqual(
            explanation["reply"],
            "550 5.1.1 <info@example.org>: Recipient address rejected: "
            "User unknown in virtual mailbox table",
        )
        asleep = [row for look in explanation["steps"][0]["lookups"] for row in look["inactive"]]
        self.assertIn(("info@example.org", "the alias is inactive"), _pairs(asleep))

    def test_an_inactive_mailbox_is_rejected_despite_a_catch_all(self):
        Alias.objects.create(address="@example.org", goto="x@far.test", domain_id="example.org")
        Mailbox.objects.filter(pk=self.bob.pk).update(active=False)
        Alias.objects.filter(pk=self.bob.pk).update(active=False)
        self.assertEqual(
            self.explanation("bob@example.org")["reply"],
            "550 5.2.1 <bob@example.org>: Recipient address rejected: Mailbox is inactive",
        )

    def test_mail_for_an_inactive_domain_is_not_accepted(self):
        Domain.objects.filter(pk="example.org").update(active=False)
        explanation = self.explanation("bob@example.org")
        self.assertEqual(explanation["reply"], "554 5.7.1 <bob@example.org>: Relay access denied")
        asleep = [row for look in explanation["steps"][0]["lookups"] for row in look["inactive"]]
        self.assertEqual(set(_pairs(asleep)), {("example.org", "the domain is inactive")})

    def test_an_extension_in_an_alias_domain_is_delivered_to_the_user_not_the_catch_all(self):
        Alias.objects.create(address="@example.org", goto="x@far.test", domain_id="example.org")
        Domain.objects.create(domain="mirror.example")
        AliasDomain.objects.create(alias_domain_id="mirror.example", target_domain_id="example.org")
        self.assertEqual(self.ends("bob+x@mirror.example"), {("bob+x@example.org", "mailbox")})
        self.assertEqual(self.ends("who@mirror.example"), {("x@far.test", "remote")})

    def test_the_reason_is_explained(self):
        Domain.objects.create(domain="off.example", active=False)
        Alias.objects.create(
            address="off@example.org", goto="x@y.test", domain_id="example.org", active=False
        )
        Alias.objects.create(address="empty@example.org", goto="", domain_id="example.org")
        carol = Mailbox.objects.filter(pk="carol@example.com")
        carol.update(active=False)
        Alias.objects.filter(pk="carol@example.com").update(active=False)
        for address, text in {
            "off@example.org": "Rejected: the alias is inactive (off@example.org).",
            "empty@example.org": "Rejected: the alias has no targets (empty@example.org).",
            "who@off.example": "Rejected: the domain is inactive (off.example).",
            "carol@example.com": "Rejected: the mailbox is inactive.",
            "who@example.org": "Rejected: no mailbox, alias or catch-all matches this address.",
            "who@far.test": "Rejected: this server does not handle the domain",
            "bob@example.org": "Delivered to a mailbox here.",
            "info@example.com": "Accepted, then bounces.",
        }.items():
            self.assertIn(text, self.explanation(address)["says"], address)

    def test_bounced_mail_is_not_shown_as_success(self):
        Usage.objects.create(mailbox=self.bob, bytes=self.bob.quota)
        Alias.objects.filter(pk="info@example.org").update(goto="bob@example.org,carol@example.com")
        explanation = self.explanation("info@example.org")
        self.assertEqual(explanation["outcome"], "partly")
        self.assertEqual(
            explanation["says"], "Delivered to a mailbox here, but bounces for 1 of 2 recipients."
        )
        self.assertEqual(self.explanation("bob@example.org")["outcome"], "bounces")

    def test_an_extension_uses_the_same_vacation(self):
        target = "bob#example.org@autoreply.localhost"
        Alias.objects.filter(pk=self.bob.pk).update(goto=f"bob@example.org,{target}")
        until = timezone.now() + datetime.timedelta(days=1)
        Vacation.objects.create(mailbox=self.bob, domain_id="example.org", activeuntil=until)
        for person in (self.root, self.alice):
            explanation = self.explanation("bob+x@example.org", person)["deliveries"]
            (reply,) = [each for each in explanation if each["kind"] == "autoreply"]
            self.assertEqual((reply["mailbox"], reply["answers"]), ("bob@example.org", True))

    def test_a_loop_is_shown(self):
        for one, other in (("a", "b"), ("b", "a")):
            Alias.objects.create(
                address=f"{one}@example.org", goto=f"{other}@example.org", domain_id="example.org"
            )
        explanation = self.explanation("a@example.org")
        self.assertTrue(explanation["reply"].startswith("451 "))
        self.assertEqual(explanation["loop"], ["a@example.org", "b@example.org", "a@example.org"])
        self.assertIn("a@example.org → b@example.org → a@example.org", explanation["says"])

    def test_a_vacation_answers_between_from_and_until(self):
        target = "bob#example.org@autoreply.localhost"
        Alias.objects.filter(pk=self.bob.pk).update(goto=f"bob@example.org,{target}")
        now, day = timezone.now(), datetime.timedelta(days=1)
        vacation = Vacation.objects.create(
            mailbox=self.bob,
            domain_id="example.org",
            activefrom=now - day,
            activeuntil=now + day,
        )
        for until, answers in ((now + day, True), (now - day / 2, False)):
            Vacation.objects.filter(pk=vacation.pk).update(activeuntil=until)
            explanation = self.explanation("bob@example.org")["deliveries"]
            (reply,) = [each for each in explanation if each["kind"] == "autoreply"]
            self.assertEqual(
                (reply["mailbox"], reply["answers"]), ("bob@example.org", answers), until
            )

    def test_a_backup_mx_relays_and_a_transport_is_followed(self):
        Domain.objects.create(domain="backup.example", backupmx=True)
        self.assertEqual(self.ends("who@backup.example"), {("who@backup.example", "relay")})
        Domain.objects.filter(pk="example.com").update(transport="smtp:[10.0.0.1]:25")
        (end,) = self.explanation("carol@example.com")["deliveries"]
        self.assertEqual((end["transport"], end["nexthop"]), ("smtp", "[10.0.0.1]:25"))

    def test_sender_logins_match_postfix(self):
        explanation = self.explanation("info@example.org", sender="carol@example.com")
        self.assertEqual(explanation["senders"], ["bob@example.org"])
        self.assertEqual(
            explanation["sender"]["reply"],
            "553 5.7.1 <info@example.org>: Sender address rejected: "
            "not owned by user carol@example.com",
        )
        self.assertTrue(
            self.explanation("info@example.org", sender="bob@example.org")["sender"]["may"]
        )

    def test_a_login_without_smtp_access_is_shown(self):
        Mailbox.objects.filter(pk=self.bob.pk).update(smtp_active=False)
        explanation = self.explanation("bob@example.org", sender="bob@example.org")["sender"]
        self.assertEqual(
            (explanation["may"], explanation["reply"]),
            (False, "bob@example.org may not sign in to send mail."),
        )

    def test_a_catch_all_does_not_let_its_owner_send_as_another_address(self):
        Alias.objects.create(
            address="@example.org", goto="carol@example.com", domain_id="example.org"
        )
        Mailbox.objects.filter(pk=self.bob.pk).update(active=False)
        self.assertFalse(
            self.explanation("bob@example.org", sender="carol@example.com")["sender"]["may"]
        )
        self.assertTrue(
            self.explanation("who@example.org", sender="carol@example.com")["sender"]["may"]
        )

    def mirror(self):
        Domain.objects.create(domain="mirror.example")
        AliasDomain.objects.create(alias_domain_id="mirror.example", target_domain_id="example.org")

    def test_own_rows_of_an_alias_domain_are_accepted(self):
        self.mirror()
        Mailbox.objects.filter(pk=self.bob.pk).update(active=False)
        Alias.objects.filter(pk=self.bob.pk).update(active=False)
        self.assertTrue(self.explanation("bob@mirror.example")["reply"].startswith("550 5.2.1"))
        own = {"goto": "carol@example.com", "domain_id": "mirror.example"}
        Alias.objects.create(address="bob+shop@mirror.example", **own)
        self.assertTrue(self.explanation("bob+shop@mirror.example")["accepted"])
        self.assertTrue(self.explanation("bob@mirror.example")["reply"].startswith("550 5.2.1"))
        Alias.objects.create(address="bob@mirror.example", **own)
        self.assertEqual(self.ends("bob@mirror.example"), {("carol@example.com", "mailbox")})

    def test_an_alias_to_itself_forwards_nothing(self):
        """Rows of other programs: the mailbox is inactive, but its own alias is active."""
        Mailbox.objects.filter(pk=self.bob.pk).update(active=False)
        self.assertTrue(self.explanation("bob@example.org")["reply"].startswith("550 5.2.1"))

    def test_an_autoreply_forwards_nothing(self):
        """Otherwise bounced mail would be answered."""
        self.mirror()
        Mailbox.objects.filter(pk=self.bob.pk).update(active=False)
        away = "bob#example.org@autoreply.localhost"
        for goto in (away, f"{away},bob@example.org", f"bob@example.org, {away.upper()}"):
            Alias.objects.filter(pk=self.bob.pk).update(goto=goto)
            for address in ("bob@example.org", "bob+x@example.org", "bob@mirror.example"):
                self.assertTrue(self.explanation(address)["reply"].startswith("550 5.2.1"), address)
        Alias.objects.filter(pk=self.bob.pk).update(goto=f"x@far.test,{away}")
        self.assertTrue(self.explanation("bob@example.org")["accepted"])

    def test_only_the_owner_of_an_address_in_the_alias_domain_sends_as_it(self):
        self.mirror()
        explanation = self.explanation("bob@mirror.example", sender="bob@example.org")
        self.assertTrue(explanation["sender"]["may"])
        Alias.objects.create(
            address="bob@mirror.example", goto="carol@example.com", domain_id="mirror.example"
        )
        explanation = self.explanation("bob@mirror.example", sender="bob@example.org")
        self.assertFalse(explanation["sender"]["may"])
        self.assertEqual(explanation["senders"], ["carol@example.com"])

    def test_targets_are_parsed_like_postfix(self):
        for goto in (
            "bob@example.org carol@example.com",
            "bob@example.org\ncarol@example.com",
            "bob@example.org; carol@example.com",
            '"Bob" <bob@example.org>, (away) carol@example.com',
        ):
            Alias.objects.filter(pk="info@example.org").update(goto=goto)
            self.assertEqual(
                self.ends("info@example.org"),
                {("bob@example.org", "mailbox"), ("carol@example.com", "mailbox")},
                goto,
            )

    def test_lists_without_a_usable_address_are_explained(self):
        for goto, reply, ends in (
            ("@", "", {("info@", "malformed")}),
            ("@,root", "", {("info@", "malformed"), ("root", "local")}),
            (",", "451 4.3.0 Error: queue file write error", set()),
            ("bob@example..org", "", {("bob@example..org", "malformed")}),
        ):
            Alias.objects.filter(pk="info@example.org").update(goto=goto)
            self.assertEqual(self.explanation("info@example.org")["reply"], reply, goto)
            self.assertEqual(self.ends("info@example.org"), ends, goto)
            self.sign_in(self.alice)
            page = self.client.get("/explain/", {"address": "info@example.org"})
            self.assertEqual(page.status_code, 200, goto)

    def test_sender_logins_are_parsed_like_the_sender_check(self):
        """Only spaces and commas separate logins; names and brackets are part of them."""
        for goto, senders in (
            ("bob@example.org carol@example.com", ["bob@example.org", "carol@example.com"]),
            ("bob@example.org;carol@example.com", []),
            ("Bob <bob@example.org>", []),
        ):
            Alias.objects.filter(pk="info@example.org").update(goto=goto)
            self.assertEqual(self.explanation("info@example.org")["senders"], senders, goto)

    def test_too_many_targets_are_not_a_loop(self):
        goto = ",".join(f"x{n}@far.test" for n in range(1001))
        Alias.objects.filter(pk="info@example.org").update(goto=goto)
        explanation = self.explanation("info@example.org")
        self.assertTrue(explanation["reply"].startswith("451"))
        self.assertIn("Alias chain too long or too many targets", explanation["says"])

    def test_a_mailbox_with_an_extension_in_its_name_is_unknown_to_dovecot(self):
        mailbox = {"local_part": "bob+shop", "domain_id": "example.org", "maildir": "x/"}
        Mailbox.objects.create(username="bob+shop@example.org", **mailbox)
        self.assertEqual(self.ends("bob+shop@example.org"), {("bob+shop@example.org", "mailbox")})
        (end,) = self.explanation("bob+shop@example.org")["deliveries"]
        self.assertEqual(end["mailbox"], "bob@example.org")

    @override_settings(MAILADMIN_RECIPIENT_DELIMITER="")
    def test_without_a_delimiter_there_are_no_extensions(self):
        self.assertEqual(self.ends("info@example.org"), {("bob@example.org", "mailbox")})
        self.assertFalse(self.explanation("info+x@example.org")["accepted"])

    @override_settings(MAILADMIN_RECIPIENT_DELIMITER="-")
    def test_an_owner_of_a_list_has_no_extension(self):
        self.assertFalse(self.explanation("bob-request@example.org")["accepted"])
        self.assertTrue(self.explanation("bob-shop@example.org")["accepted"])
        self.assertFalse(self.explanation("owner-bob@example.org")["accepted"])


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


class ScopeTests(World):
    """Explanations for alice, who administers example.org."""

    def explanation(self, address, **more):
        return explain(self.alice, address, **more)

    def test_a_foreign_address_is_outside_the_scope(self):
        self.sign_in(self.alice)
        for address in ("carol@example.com", "who@example.com", "who@nowhere.test"):
            page = self.client.get("/explain/", {"address": address})
            self.assertContains(page, "This address is not in one of your domains.")

    def test_a_step_into_a_foreign_domain_is_redacted(self):
        secret = "very-secret@far.test"
        Alias.objects.filter(pk="carol@example.com").update(goto=f"{secret},bob@example.org")
        Alias.objects.filter(pk="info@example.org").update(goto="carol@example.com")
        text = json.dumps(self.explanation("info@example.org"))
        self.assertNotIn("very-secret", text)
        (end,) = self.explanation("info@example.org")["deliveries"]
        self.assertEqual(
            format_delivery(end), "Mail to carol@example.com is forwarded outside your domains."
        )
        self.assertEqual(end["lookups"], [])

    def test_a_foreign_target_of_an_alias_domain_is_redacted(self):
        Alias.objects.filter(pk="info@example.com").update(goto="very-secret@far.test")
        AliasDomain.objects.create(alias_domain_id="example.org", target_domain_id="example.com")
        Alias.objects.filter(pk="info@example.org").delete()
        explanation = self.explanation("info@example.org", sender="alice@example.org")
        self.assertNotIn("very-secret", json.dumps(explanation))
        self.assertNotIn("example.com", json.dumps(explanation))
        self.assertEqual([each["kind"] for each in explanation["deliveries"]], ["foreign"])

    def test_foreign_hops_of_a_loop_are_redacted(self):
        Alias.objects.filter(pk="info@example.org").update(goto="info@example.com")
        Alias.objects.filter(pk="info@example.com").update(goto="hidden@example.com")
        Alias.objects.create(
            address="hidden@example.com", goto="info@example.org", domain_id="example.com"
        )
        explanation = self.explanation("info@example.org")
        self.assertEqual(explanation["loop"], ["info@example.org", "…", "info@example.org"])
        self.assertNotIn("hidden", json.dumps(explanation))

    def test_transports_are_visible_to_superadmins_only(self):
        Domain.objects.filter(pk="example.org").update(transport="smtp:[10.0.0.1]")
        for address in ("bob@example.org", "nobody@example.org"):
            self.assertNotIn("10.0.0.1", json.dumps(self.explanation(address)))

    def test_the_sender_option_reveals_no_foreign_aliases(self):
        Alias.objects.filter(pk="info@example.com").update(goto="very-secret@far.test")
        Alias.objects.filter(pk="info@example.org").delete()
        AliasDomain.objects.create(alias_domain_id="example.org", target_domain_id="example.com")
        explanation = [
            self.explanation("info@example.org", sender=sender)
            for sender in ("very-secret@far.test", "who@far.test")
        ]
        self.assertEqual(explanation[0], explanation[1])

    def test_foreign_mailboxes_are_not_shown_among_senders(self):
        Alias.objects.filter(pk="info@example.org").update(
            goto="bob@example.org,carol@example.com,dave@example.com"
        )
        self.assertEqual(self.explanation("info@example.org")["senders"], ["bob@example.org"])

    def test_foreign_vacations_are_not_shown(self):
        goto = "carol#example.com@autoreply.localhost"
        Alias.objects.filter(pk="info@example.org").update(goto=goto)
        Vacation.objects.create(mailbox=self.carol, domain_id="example.com")
        (end,) = self.explanation("info@example.org")["deliveries"]
        self.assertEqual((end["kind"], end["lookups"]), ("foreign", []))

    def test_rejected_mail_has_no_destinations(self):
        self.assertEqual(self.explanation("nobody@example.org")["deliveries"], [])

    def test_links_point_to_permitted_pages(self):
        self.sign_in(self.alice)
        explanation = self.explanation("info+x@example.org")
        steps = [*explanation["steps"], *explanation["deliveries"]]
        rows = [r for step in steps for lookup in step["lookups"] for r in lookup["rows"]]
        self.assertTrue(rows)
        for row in rows:
            self.assertEqual(self.client.get(row["url"]).status_code, 200, row)


class InterfaceTests(World):
    """The page, the command, the API."""

    def test_owners_and_anonymous_visitors_have_no_access(self):
        self.assertRedirects(self.client.get("/explain/"), "/login/?next=/explain/")
        self.assertEqual(
            self.client.get("/api/v1/explain?address=bob@example.org").status_code, 401
        )
        self.sign_in(self.bob)
        self.assertEqual(self.client.get("/explain/").status_code, 403)
        self.assertEqual(self.client.get("/mailserver/").status_code, 403)
        self.sign_in(self.alice)
        self.assertEqual(self.client.get("/explain/").status_code, 200)
        self.assertEqual(self.client.get("/mailserver/").status_code, 403)
        self.assertEqual(self.client.get("/mailboxes/bob@example.org/seen/").status_code, 403)

    def test_the_page_shows_the_route(self):
        self.sign_in(self.root)
        page = self.client.get("/explain/", {"address": "info@example.org", "sender": "x@y.test"})
        self.assertContains(page, 'Delivered to the mailbox <a href="/mailboxes/bob@example.org/">')
        self.assertContains(page, 'href="/aliases/info@example.org/edit/"')
        self.assertContains(page, "not owned by user x@y.test")

    def test_invalid_addresses_are_refused_without_an_error_page(self):
        self.sign_in(self.alice)
        token = {"Authorization": f"Bearer {self.token(self.alice)}"}
        for text in (
            "",
            "bob",
            "@",
            "a@",
            "@b",
            "a b@c",
            "<script>@x",
            "a@" + "x" * 300,
            "ж@ж",
            "\0@a",
        ):
            for url in ("/explain/", "/api/v1/explain"):
                answer = self.client.get(url, {"address": text}, headers=token)
                self.assertIn(answer.status_code, (200, 422), text)
                self.assertNotIn(b"<script>@x", answer.content)

    def test_an_alias_with_very_many_targets_is_given_up_on_the_page(self):
        goto = ",".join(f"x{n}@far{n}.test" for n in range(900))
        Alias.objects.filter(pk="info@example.org").update(goto=goto)
        self.sign_in(self.alice)
        with self.assertNumQueries(FewerThan(2200)):
            page = self.client.get("/explain/", {"address": "info@example.org"})
        self.assertContains(page, "more than 2000 lookups")
        self.assertLess(len(page.content), 200_000)
        self.assertEqual(len(explain(self.root, "info@example.org")["deliveries"]), 900)

    def test_the_api_returns_the_same_and_its_errors_name_the_field(self):
        program = self.api(self.alice)
        explanation = program.get("explain", address="info@example.org").json()
        self.assertEqual(
            explanation, json.loads(json.dumps(explain(self.alice, "info@example.org")))
        )
        refused = program.get("explain", address="carol@example.com")
        self.assertEqual(refused["Content-Type"], "application/problem+json")
        self.assertEqual(
            (refused.status_code, refused.json()["errors"]),
            (422, {"address": ["This address is not in one of your domains."]}),
        )

    def test_the_command_prints_the_route(self):
        printed = StringIO()
        call_command("explain", "info@example.org", "--sender", "x@y.test", stdout=printed)
        for text in (
            "info@example.org: Delivered to a mailbox here.",
            "virtual_alias                  info@example.org → bob@example.org",
            "Delivered to the mailbox bob@example.org (0 MB of 100 MB used).",
            "  Folder: example.org/bob/",
            "May send as info@example.org: bob@example.org",
            "not owned by user x@y.test",
        ):
            self.assertIn(text, printed.getvalue())

    def test_an_invalid_folder_is_an_error(self):
        with self.assertRaisesMessage(CommandError, "/nonexistent/main.cf"):
            call_command("explain", "bob@example.org", "--postfix", "/nonexistent")

    def test_the_command_prints_json_and_refuses_garbage(self):
        printed = StringIO()
        call_command("explain", "info@example.org", "--json", stdout=printed)
        self.assertTrue(json.loads(printed.getvalue())["accepted"])
        with self.assertRaisesMessage(CommandError, "“garbage” is not a valid email address."):
            call_command("explain", "garbage")


class FewerThan(int):
    """A number of queries that is not exact."""

    def __eq__(self, other):
        return other < int(self)

    __hash__ = int.__hash__


def _pairs(rows):
    return [(row["key"], row["reason"]) for row in rows]


class SystemUserTests(World):
    def test_a_system_user_is_not_another_server(self):
        Alias.objects.filter(pk="info@example.org").update(goto="root@localhost")
        explanation = explain(self.root, "info@example.org")
        self.assertEqual(explanation["outcome"], "unknown", explanation["says"])
        self.assertIn("Cannot be determined", explanation["says"])
