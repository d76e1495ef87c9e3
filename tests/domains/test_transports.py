"""Transports."""

from django.core.exceptions import PermissionDenied, ValidationError
from django.core.management import CommandError, call_command
from django.test import override_settings

from domains.models import Transport
from domains.services.transports import (
    create_transports,
    delete_transports,
    edit_transport,
    set_transports,
)
from mailadmin.changes.models import Log
from mailboxes.models import Alias
from mailboxes.postfix.explain import explain
from mailboxes.postfix.explain.messages import format_delivery
from mailboxes.transfer.row_types import domains as kinds
from tests.domains.transport_world import SECRET, TransportWorld
from tests.table_tests import TableTests


class TransportTests(TableTests, TransportWorld):
    slug = "transports"
    own_key, foreign_key = "example.org", ".example.com"
    create_data = {
        "pattern": " Joe@Bücher.example",
        "transport": "smtp:[mx.example.net]:25",
        "description": "Until the move",
        "active": "on",
    }
    created_key = "joe@xn--bcher-kva.example"
    create_verb, delete_verb = "create_transport", "delete_transport"
    edit_data = {"transport": "lmtp:unix:private/x", "description": "Branch", "active": "on"}
    edited = {"transport": "lmtp:unix:private/x", "description": "Branch"}

    def more_rows(self, count):
        self.make(*((f"d{n:02}.example", "discard:") for n in range(count)))

    # Permissions

    def test_alice_can_neither_open_nor_change_transports(self):
        self.sign_in(self.alice)
        for screen in self.table.roles:
            for key in (self.own_key, self.foreign_key, "nothing.example"):
                with self.subTest(screen=screen, key=key):
                    self.assertEqual(self.open(screen, key).status_code, 403)
        for screen, data in (
            ("create", self.create_data),
            ("edit", self.edit_data),
            ("delete", {}),
            ("bulk", {"action": "delete", "keys": [self.own_key], "confirmed": "1"}),
        ):
            answer = self.client.post(self.url(screen, self.own_key), data)
            self.assertEqual(answer.status_code, 403)
        self.assertEqual(set(Transport.objects.values_list("transport", flat=True)), {SECRET})
        self.assertEqual(Transport.objects.count(), 2)

    def test_no_service_lets_alice_change_a_transport(self):
        for service, *arguments in (
            (edit_transport, self.own_key, {"transport": "discard:"}),
            (set_transports, [self.own_key], "active", False),
            (delete_transports, [self.own_key]),
        ):
            with self.subTest(service=service.__name__), self.assertRaises(ValidationError):
                self.perform(self.alice, service, *arguments)
        rows = [{"pattern": "x.example.org", "transport": "discard:"}]
        with self.assertRaises(PermissionDenied):
            self.perform(self.alice, create_transports, rows)
        self.assertFalse(Transport.objects.filter(pk="x.example.org").exists())
        self.assertEqual(Log.objects.count(), 0)

    def test_no_page_shows_alice_a_transport(self):
        self.make(("bob@example.org", SECRET), ("*", SECRET))
        self.perform(self.root, edit_transport, "example.org", {"description": SECRET})
        self.sign_in(self.alice)
        token = {"Authorization": f"Bearer {self.token(self.alice)}"}
        for url in (
            "/",
            "/search/?q=2525",
            "/log/",
            "/domains/example.org/",
            "/explain/?address=bob@example.org",
            "/explain/?address=info@example.org&sender=bob@example.org",
            "/api/v1/explain?address=bob@example.org",
        ):
            with self.subTest(url=url):
                page = self.client.get(url, headers=token)
                self.assertEqual(page.status_code, 200)
                self.assertNotContains(page, "10.0.0.1")
                self.assertNotContains(page, "/transports/")
                self.assertNotContains(page, "mailadmin_transport")

    # Pages of a superadmin

    def test_the_log_page_shows_changes_of_transports(self):
        self.perform(self.root, edit_transport, self.own_key, {"transport": "discard:"})
        self.sign_in(self.root)
        page = self.client.get("/log/")
        self.assertContains(page, "transport changed")
        self.assertContains(page, "discard:")
        self.assertEqual(self.logged(), [("edit_transport", "", "example.org")])

    def test_search_and_the_domain_page_link_to_the_row(self):
        self.make(("bob@example.org", "discard:"))
        self.sign_in(self.root)
        self.assertContains(self.client.get("/search/?q=2525"), "/transports/example.org/edit/")
        page = self.client.get("/domains/example.org/")
        self.assertContains(page, "/transports/example.org/edit/")
        self.assertContains(page, "/transports/bob@example.org/edit/")
        self.assertNotContains(self.client.get("/domains/example.com/"), "/transports/.example")

    def test_explain_links_to_the_row_that_matched(self):
        explanation = explain(self.root, "bob@example.org")
        (end,) = explanation["deliveries"]
        self.assertEqual((end["transport"], end["nexthop"]), ("smtp", "[10.0.0.1]:2525"))
        rows = [row for look in end["lookups"] for row in look["rows"]]
        row = {"table": "transport", "key": "example.org", "url": "/transports/example.org/edit/"}
        self.assertIn(row, rows)

    def test_an_inactive_row_is_shown_but_not_followed(self):
        self.perform(self.root, set_transports, ["example.org"], "active", False)
        (end,) = explain(self.root, "bob@example.org")["deliveries"]
        self.assertEqual(end["kind"], "mailbox")
        asleep = [row for look in end["lookups"] for row in look["inactive"]]
        self.assertEqual(asleep[0]["reason"], "the transport is inactive")

    def test_discarded_mail_is_not_delivered(self):
        self.make(("bob@example.org", "discard:"), ("x@far.test", "error:5.1.1 Gone"))
        explanation = explain(self.root, "bob@example.org")
        self.assertEqual(
            (explanation["outcome"], explanation["deliveries"][0]["kind"]), ("discarded",) * 2
        )
        self.assertEqual(explanation["says"], "Accepted, then silently discarded.")

    def test_mail_rejected_or_deferred_by_its_transport_is_not_delivered(self):
        alias = Alias.objects.filter(pk="info@example.org")
        for transport, kind, text in (
            ("error:5.1.1 Gone", "bounced", "its transport rejects it"),
            ("retry:", "deferred", "deferred by its transport"),
        ):
            self.perform(self.root, edit_transport, "example.org", {"transport": ":"})
            Transport.objects.filter(pk="x@far.test").delete()
            self.make(("x@far.test", transport))
            alias.update(goto="bob@example.org,x@far.test")
            explanation = explain(self.root, "info@example.org")
            self.assertEqual(explanation["outcome"], "partly")
            self.assertEqual(
                explanation["says"],
                "Delivered to a mailbox here, but bounces for 1 of 2 recipients."
                if kind == "bounced"
                else "Delivered to a mailbox here, but deferred for 1 of 2 recipients.",
            )
            (end,) = [each for each in explanation["deliveries"] if each["address"] == "x@far.test"]
            self.assertEqual(end["kind"], kind)
            self.assertIn(text, format_delivery(end))
        explanation = explain(self.root, "x@example.org")
        self.assertEqual(explanation["outcome"], "rejected")

    def test_a_discarded_copy_is_shown_beside_a_delivered_one(self):
        self.make(("x@far.test", "discard:"), ("bob@example.org", ":"))
        Alias.objects.filter(pk="info@example.org").update(goto="bob@example.org,x@far.test")
        explanation = explain(self.root, "info@example.org")
        self.assertEqual(explanation["outcome"], "partly")
        self.assertEqual(
            explanation["says"],
            "Delivered to a mailbox here, but silently discarded for 1 of 2 recipients.",
        )

    def test_the_domain_filter_finds_rows_of_the_domain(self):
        self.make(("joe@example.org", ":"), (".example.org", ":"), ("notexample.org", ":"))
        self.sign_in(self.root)
        rows = self.client.get("/transports/?domain=Example.ORG").context["rows"]
        expected = {"example.org", "joe@example.org", ".example.org"}
        self.assertEqual({row.pk for row in rows}, expected)

    # Validation

    def test_a_pattern_is_unique_in_any_spelling(self):
        self.sign_in(self.root)
        for pattern in ("example.org", " EXAMPLE.org. "):
            data = self.create_data | {"pattern": pattern}
            self.assert_refused(self.client.post(self.url("create"), data), "already")
        with self.assertRaisesMessage(ValidationError, "x.example already"):
            self.make(("x.example", ":"), ("X.example", "discard:"))
        self.assertFalse(Transport.objects.filter(pk="x.example").exists())

    def test_the_autoresponder_domain_keeps_its_transport(self):
        for pattern in ("autoreply.localhost", "bob#example.org@autoreply.localhost"):
            with self.assertRaisesMessage(ValidationError, "vacation responder"):
                self.make((pattern, "discard:"))

    def test_a_missing_service_is_refused_by_every_interface(self):
        self.sign_in(self.root)
        for transport, text in (
            ("nosuch:", "is not a delivery service of master.cf"),
            ("Virtual:", "is not a delivery service of master.cf"),
            ("cleanup:", "is not a delivery service of master.cf"),
            ("virtual", "the generated main.cf has no settings for it"),
            ("virtual:", "the generated main.cf has no settings for it"),
        ):
            with self.subTest(transport=transport):
                data = self.create_data | {"transport": transport}
                self.assert_refused(self.client.post(self.url("create"), data), text)
                row = {"pattern": "x.example", "transport": transport}
                answer = self.api(self.root).post("transports", row)
                self.assertIn(text, str(answer.json()["errors"]["transport"]))
                with self.assertRaisesMessage(CommandError, text):
                    call_command("transport", "add", "x.example", "--transport", transport)
                with self.assertRaisesMessage(ValidationError, text):
                    kinds.TransportRowType().clean(row)
        self.assertEqual(Transport.objects.count(), 2)

    @override_settings(MAILADMIN_SERVICES=("virtual", "maildrop"), MAILADMIN_TRANSPORTS=("x:",))
    def test_services_configured_by_the_operator_are_accepted(self):
        self.make(("a.example", "virtual:"), ("b.example", "maildrop:"), ("c.example", "x:y"))

    def test_an_adopted_unusable_transport_is_editable_but_cannot_be_activated(self):
        Transport.objects.create(pattern="x.example", transport="nosuch:", active=False)
        values = {"transport": "nosuch:", "description": "as it was"}
        self.perform(self.root, edit_transport, "x.example", values)
        self.sign_in(self.root)
        self.assertContains(self.client.get(self.url("list")), "cannot work")
        with self.assertRaises(ValidationError):
            self.perform(self.root, set_transports, ["x.example"], "active", True)

    def test_services_validate_like_the_form(self):
        for pattern, transport in (("x.example", "a b:c"), ("joe", ":"), ("x.example", "")):
            with self.subTest(pattern=pattern), self.assertRaises(ValidationError):
                self.make((pattern, transport))
        with self.assertRaises(ValidationError):
            self.perform(self.root, edit_transport, "example.org", {"transport": "x\ny:"})
        self.assertEqual(Transport.objects.get(pk="example.org").transport, SECRET)

    def test_the_error_belongs_to_its_field(self):
        self.sign_in(self.root)
        for field, value, text in (
            ("pattern", "@example.net", "Use example.net for all"),
            ("pattern", "*@example.net", "Use example.net for all"),
            ("pattern", "*.example.net", "Use .example.net (with a dot)"),
            ("transport", "mx.example.net", "smtp:[mx.example.net]"),
            ("transport", "", "required"),
        ):
            with self.subTest(value=value):
                answer = self.client.post(self.url("create"), self.create_data | {field: value})
                self.assert_refused(answer, text)
                self.assertEqual(list(answer.context["form"].errors), [field])

    def test_an_edit_keeps_the_pattern(self):
        self.sign_in(self.root)
        page = self.client.get(self.url("edit", self.own_key))
        self.assertNotIn("pattern", page.context["form"].fields)
