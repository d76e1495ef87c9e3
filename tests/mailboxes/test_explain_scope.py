"""Explanation of routes, redacted by scope."""

import json

from domains.models import AliasDomain, Domain
from mailboxes.models import Alias, Vacation
from mailboxes.postfix.explain import explain
from mailboxes.postfix.explain.messages import format_delivery
from tests.base import World


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
