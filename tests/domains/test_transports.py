from django.core.exceptions import PermissionDenied, ValidationError
from django.core.management import CommandError, call_command
from django.test import SimpleTestCase, override_settings

from domains.models import Domain, Transport
from domains.patterns import (
    get_transport_lookup_keys,
    normalize_pattern,
    validate_pattern,
    validate_transport,
)
from domains.services.transports import (
    create_transports,
    delete_transports,
    edit_transport,
    get_effective_transports,
    set_transports,
)
from mailadmin.changes.models import Change, Log
from mailadmin.changes.perform import Actor, perform
from mailboxes.models import Alias
from mailboxes.postfix.explain import explain
from mailboxes.postfix.explain.messages import format_delivery
from mailboxes.services.domains import create_domains
from mailboxes.transfer.row_types import domains as kinds
from tests.base import TableTests, World

SECRET = "smtp:[10.0.0.1]:2525"


class TransportWorld(World):
    @classmethod
    def setUpTestData(cls):
        super().setUpTestData()
        rows = [{"pattern": name, "transport": SECRET} for name in ("example.org", ".example.com")]
        perform(Actor.console(), create_transports, rows)
        Log.objects.all().delete()
        Change.objects.all().delete()

    def make(self, *pairs, **more):
        rows = [{"pattern": pattern, "transport": transport} | more for pattern, transport in pairs]
        self.perform(self.root, create_transports, rows)


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


class WildcardTests(TransportWorld):
    """The wildcard `*` and this server's own mailboxes."""

    def setUp(self):
        perform(
            Actor.console(),
            create_domains,
            [
                {"domain": "backup.example", "backupmx": True},
                {"domain": "off.example", "active": False},
                {"domain": "branch.example", "transport": "smtp:[10.0.0.2]"},
                {"domain": "sub.example.com"},
            ],
        )
        self.sign_in(self.root)

    def hint(self):
        return self.client.get("/transports/")

    def test_root_is_warned_about_domains_that_the_wildcard_matches(self):
        self.assertNotContains(self.hint(), "also reroutes")
        answer = self.client.post(
            "/transports/create/",
            {"pattern": "*", "transport": SECRET, "active": "on"},
            follow=True,
        )
        texts = [str(text) for text in answer.context["messages"]]
        self.assertTrue(
            any("also reroutes your own domains: example.com" in text for text in texts), texts
        )
        page = self.hint()
        self.assertContains(page, "/transports/create/?domain=example.com")
        for name in ("backup", "off", "branch"):
            self.assertNotContains(page, f"{name}.example")
        for name in ("example.org", "sub.example.com"):
            self.assertNotContains(page, f"?domain={name}")

    def test_the_offered_action_creates_the_missing_row(self):
        self.make(("*", SECRET))
        form = self.client.get("/transports/create/?domain=example.com").context["form"]
        data = {name: form[name].value() for name in ("pattern", "transport")}
        self.assertEqual(data, {"pattern": "example.com", "transport": ":"})
        self.client.post("/transports/create/", data | {"active": "on"})
        self.assertNotContains(self.hint(), "also reroutes")
        (end,) = explain(self.root, "carol@example.com")["deliveries"]
        self.assertEqual(end["kind"], "mailbox")

    def test_an_inactive_or_empty_wildcard_matches_nothing(self):
        self.make(("*", ":"))
        self.assertNotContains(self.hint(), "also reroutes")
        self.perform(self.root, edit_transport, "*", {"transport": SECRET})
        self.assertContains(self.hint(), "also reroutes")
        self.perform(self.root, set_transports, ["*"], "active", False)
        self.assertNotContains(self.hint(), "also reroutes")

    def test_the_effective_row_is_the_first_match_of_postfix(self):
        def found(name):
            return [
                row.pk
                for row in get_effective_transports(
                    Transport.objects.all(), Domain.objects.get(pk=name)
                )
            ]

        self.make(("*", SECRET), ("joe@branch.example", ":"), ("off@branch.example", ":"))
        self.perform(self.root, set_transports, ["off@branch.example"], "active", False)
        self.assertEqual(found("example.org"), ["example.org"])
        self.assertEqual(found("sub.example.com"), [".example.com"])
        self.assertEqual(found("example.com"), ["*"])
        self.assertEqual(found("branch.example"), ["joe@branch.example"])


class PatternTests(SimpleTestCase):
    def test_patterns_are_stored_as_postfix_looks_them_up(self):
        for typed, kept in {
            " Joe+X@Example.COM ": "joe+x@example.com",
            "Bücher.example.": "xn--bcher-kva.example",
            ".Bücher.example": ".xn--bcher-kva.example",
            ".test": ".test",
            "*": "*",
        }.items():
            with self.subTest(typed=typed):
                self.assertEqual(normalize_pattern(typed), kept)
                validate_pattern(kept)

    def test_keys_that_postfix_never_looks_up_are_refused(self):
        for text in (
            *("joe", "", ".", "..x.example", "x..example", "@x.example", "*@x.example", "joe@"),
            *("*.x.example", ".x.example.", "a b.example", "x.example\n", "joe@@x.example", "**"),
            *("joe@*", "ж@x.example", "x.example:", "10.0.0.1", ".*", f".{'a.' * 130}b", "-x.test"),
        ):
            with self.subTest(text=text), self.assertRaises(ValidationError):
                validate_pattern(text)

    def test_usable_transports_are_accepted(self):
        for value in (
            *(":", "smtp:", "smtp", ":[mx.example.org]", "lmtp:unix:private/x", "discard:"),
            *("smtp:[1.2.3.4]:2025", "smtp:[a.example],[b.example]", "error:5.1.1 No such user"),
            *("relay:mx.example.org:25", "slow_2:", "lmtp:inet:localhost:24", "smtp:[::1]:25"),
        ):
            with self.subTest(value=value):
                validate_transport(value)

    def test_unusable_transports_are_refused(self):
        for value in (
            *("", "a b:c", " smtp:", "smtp :x", "smtp:a\nb", "smtp:a\rb", "smtp:\x00", "x\x7f:"),
            *("mx.example.org", "mx.example.org:25", "[mx.example.org]", "[10.0.0.1]:25"),
            *("10.0.0.1:25", "-x:y", "smtp/x:", "smtp:[bücher.example]", "[x]:25", "'smtp':"),
        ):
            with self.subTest(value=value), self.assertRaises(ValidationError):
                validate_transport(value)

    def test_lookup_keys_are_the_domain_its_parents_and_the_wildcard(self):
        keys = ["a.b.example", ".b.example", ".example", "*"]
        self.assertEqual(get_transport_lookup_keys("a.b.example"), keys)
