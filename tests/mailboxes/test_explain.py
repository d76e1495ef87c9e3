"""Explanation of routes, for superadmins."""

import datetime

from django.test import override_settings
from django.utils import timezone

from domains.models import AliasDomain, Domain
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


def _pairs(rows):
    return [(row["key"], row["reason"]) for row in rows]
