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
        "description": "Until he has moved",
        "active": "on",
    }
    created_key = "joe@xn--bcher-kva.example"
    create_verb, delete_verb = "create_transport", "delete_transport"
    edit_data = {"transport": "lmtp:unix:private/x", "description": "Branch", "active": "on"}
    edited = {"transport": "lmtp:unix:private/x", "description": "Branch"}

    def more_rows(self, count):
        self.make(*((f"d{n:02}.example", "discard:") for n in range(count)))

    # Whose affair it is

    def test_alice_opens_no_transport_and_changes_none(self):
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

    def test_no_service_lets_alice_touch_a_row(self):
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

    def test_alice_reads_of_no_transport_anywhere(self):
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

    # What root sees

    def test_the_log_page_tells_of_transports_and_what_changed(self):
        self.perform(self.root, edit_transport, self.own_key, {"transport": "discard:"})
        self.sign_in(self.root)
        page = self.client.get("/log/")
        self.assertContains(page, "transport changed")
        self.assertContains(page, "discard:")
        self.assertEqual(self.logged(), [("edit_transport", "", "example.org")])

    def test_search_and_the_domains_page_lead_to_the_row(self):
        self.make(("bob@example.org", "discard:"))
        self.sign_in(self.root)
        self.assertContains(self.client.get("/search/?q=2525"), "/transports/example.org/edit/")
        page = self.client.get("/domains/example.org/")
        self.assertContains(page, "/transports/example.org/edit/")
        self.assertContains(page, "/transports/bob@example.org/edit/")
        self.assertNotContains(self.client.get("/domains/example.com/"), "/transports/.example")

    def test_explain_leads_to_the_row_that_answered(self):
        told = explain(self.root, "bob@example.org")
        (end,) = told["deliveries"]
        self.assertEqual((end["transport"], end["nexthop"]), ("smtp", "[10.0.0.1]:2525"))
        rows = [row for look in end["lookups"] for row in look["rows"]]
        row = {"table": "transport", "key": "example.org", "url": "/transports/example.org/edit/"}
        self.assertIn(row, rows)

    def test_a_row_switched_off_is_told_and_not_followed(self):
        self.perform(self.root, set_transports, ["example.org"], "active", False)
        (end,) = explain(self.root, "bob@example.org")["deliveries"]
        self.assertEqual(end["kind"], "mailbox")
        asleep = [row for look in end["lookups"] for row in look["inactive"]]
        self.assertEqual(asleep[0]["reason"], "the transport is switched off")

    def test_what_is_thrown_away_does_not_arrive(self):
        self.make(("bob@example.org", "discard:"), ("x@far.test", "error:5.1.1 Gone"))
        told = explain(self.root, "bob@example.org")
        self.assertEqual((told["outcome"], told["deliveries"][0]["kind"]), ("discarded",) * 2)
        self.assertEqual(told["says"], "Accepted, then silently discarded.")

    def test_what_its_transport_refuses_or_puts_off_does_not_arrive(self):
        alias = Alias.objects.filter(pk="info@example.org")
        for transport, kind, text in (
            ("error:5.1.1 Gone", "bounced", "its transport sends it back"),
            ("retry:", "deferred", "is deferred by its transport"),
        ):
            self.perform(self.root, edit_transport, "example.org", {"transport": ":"})
            Transport.objects.filter(pk="x@far.test").delete()
            self.make(("x@far.test", transport))
            alias.update(goto="bob@example.org,x@far.test")
            told = explain(self.root, "info@example.org")
            self.assertEqual(told["outcome"], "partly")
            self.assertEqual(
                told["says"],
                "Accepted, but bounces at 1 of 2 places."
                if kind == "bounced"
                else "Accepted, but deferred at 1 of 2 places.",
            )
            (end,) = [each for each in told["deliveries"] if each["address"] == "x@far.test"]
            self.assertEqual(end["kind"], kind)
            self.assertIn(text, format_delivery(end))
        told = explain(self.root, "x@example.org")
        self.assertEqual(told["outcome"], "rejected")

    def test_a_copy_thrown_away_is_told_beside_one_that_arrives(self):
        self.make(("x@far.test", "discard:"), ("bob@example.org", ":"))
        Alias.objects.filter(pk="info@example.org").update(goto="bob@example.org,x@far.test")
        told = explain(self.root, "info@example.org")
        self.assertEqual(told["outcome"], "partly")
        self.assertEqual(told["says"], "Accepted, but silently discarded at 1 of 2 places.")

    def test_the_domain_filter_finds_what_names_the_domain(self):
        self.make(("joe@example.org", ":"), (".example.org", ":"), ("notexample.org", ":"))
        self.sign_in(self.root)
        rows = self.client.get("/transports/?domain=Example.ORG").context["rows"]
        expected = {"example.org", "joe@example.org", ".example.org"}
        self.assertEqual({row.pk for row in rows}, expected)

    # What is refused

    def test_a_pattern_is_taken_once_however_it_is_written(self):
        self.sign_in(self.root)
        for pattern in ("example.org", " EXAMPLE.org. "):
            data = self.create_data | {"pattern": pattern}
            self.assert_refused(self.client.post(self.url("create"), data), "already")
        with self.assertRaisesMessage(ValidationError, "x.example already"):
            self.make(("x.example", ":"), ("X.example", "discard:"))
        self.assertFalse(Transport.objects.filter(pk="x.example").exists())

    def test_the_responders_domain_keeps_its_transport(self):
        for pattern in ("autoreply.localhost", "bob#example.org@autoreply.localhost"):
            with self.assertRaisesMessage(ValidationError, "vacation responder"):
                self.make((pattern, "discard:"))

    def test_a_service_that_is_not_there_is_refused_however_it_comes(self):
        self.sign_in(self.root)
        for transport, text in (
            ("nosuch:", "is not a delivery service of master.cf"),
            ("Virtual:", "is not a delivery service of master.cf"),
            ("cleanup:", "is not a delivery service of master.cf"),
            ("virtual", "the written main.cf has no settings for it"),
            ("virtual:", "the written main.cf has no settings for it"),
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
    def test_services_of_the_operators_own_are_taken(self):
        self.make(("a.example", "virtual:"), ("b.example", "maildrop:"), ("c.example", "x:y"))

    def test_an_adopted_one_is_marked_and_edited_and_not_switched_on(self):
        Transport.objects.create(pattern="x.example", transport="nosuch:", active=False)
        values = {"transport": "nosuch:", "description": "as it was"}
        self.perform(self.root, edit_transport, "x.example", values)
        self.sign_in(self.root)
        self.assertContains(self.client.get(self.url("list")), "cannot work")
        with self.assertRaises(ValidationError):
            self.perform(self.root, set_transports, ["x.example"], "active", True)

    def test_a_service_refuses_what_the_form_refuses(self):
        for pattern, transport in (("x.example", "a b:c"), ("joe", ":"), ("x.example", "")):
            with self.subTest(pattern=pattern), self.assertRaises(ValidationError):
                self.make((pattern, transport))
        with self.assertRaises(ValidationError):
            self.perform(self.root, edit_transport, "example.org", {"transport": "x\ny:"})
        self.assertEqual(Transport.objects.get(pk="example.org").transport, SECRET)

    def test_the_refusal_stands_beside_its_field(self):
        self.sign_in(self.root)
        for field, value, text in (
            ("pattern", "@example.net", "write example.net alone"),
            ("pattern", "*@example.net", "write example.net alone"),
            ("pattern", "*.example.net", "write .example.net with a dot"),
            ("transport", "mx.example.net", "smtp:[mx.example.net]"),
            ("transport", "", "required"),
        ):
            with self.subTest(value=value):
                answer = self.client.post(self.url("create"), self.create_data | {field: value})
                self.assert_refused(answer, text)
                self.assertEqual(list(answer.context["form"].errors), [field])

    def test_an_edit_leaves_the_pattern(self):
        self.sign_in(self.root)
        page = self.client.get(self.url("edit", self.own_key))
        self.assertNotIn("pattern", page.context["form"].fields)


class EverythingTests(TransportWorld):
    """What `*` does to this server's own mailboxes."""

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

    def test_root_is_warned_of_domains_whose_mail_it_takes(self):
        self.assertNotContains(self.hint(), "mailboxes too")
        answer = self.client.post(
            "/transports/create/",
            {"pattern": "*", "transport": SECRET, "active": "on"},
            follow=True,
        )
        texts = [str(text) for text in answer.context["messages"]]
        self.assertTrue(any("mailboxes too: example.com" in text for text in texts), texts)
        page = self.hint()
        self.assertContains(page, "/transports/create/?domain=example.com")
        for name in ("backup", "off", "branch"):
            self.assertNotContains(page, f"{name}.example")
        for name in ("example.org", "sub.example.com"):
            self.assertNotContains(page, f"?domain={name}")

    def test_the_offer_makes_the_row_that_mends_it(self):
        self.make(("*", SECRET))
        form = self.client.get("/transports/create/?domain=example.com").context["form"]
        data = {name: form[name].value() for name in ("pattern", "transport")}
        self.assertEqual(data, {"pattern": "example.com", "transport": ":"})
        self.client.post("/transports/create/", data | {"active": "on"})
        self.assertNotContains(self.hint(), "mailboxes too")
        (end,) = explain(self.root, "carol@example.com")["deliveries"]
        self.assertEqual(end["kind"], "mailbox")

    def test_a_star_that_is_off_or_says_nothing_takes_nothing(self):
        self.make(("*", ":"))
        self.assertNotContains(self.hint(), "mailboxes too")
        self.perform(self.root, edit_transport, "*", {"transport": SECRET})
        self.assertContains(self.hint(), "mailboxes too")
        self.perform(self.root, set_transports, ["*"], "active", False)
        self.assertNotContains(self.hint(), "mailboxes too")

    def test_the_row_in_force_is_the_one_postfix_finds_first(self):
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
    def test_patterns_are_kept_as_postfix_asks_for_them(self):
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

    def test_what_postfix_never_asks_for_is_no_pattern(self):
        for text in (
            *("joe", "", ".", "..x.example", "x..example", "@x.example", "*@x.example", "joe@"),
            *("*.x.example", ".x.example.", "a b.example", "x.example\n", "joe@@x.example", "**"),
            *("joe@*", "ж@x.example", "x.example:", "10.0.0.1", ".*", f".{'a.' * 130}b", "-x.test"),
        ):
            with self.subTest(text=text), self.assertRaises(ValidationError):
                validate_pattern(text)

    def test_transports_that_postfix_can_use(self):
        for value in (
            *(":", "smtp:", "smtp", ":[mx.example.org]", "lmtp:unix:private/x", "discard:"),
            *("smtp:[1.2.3.4]:2025", "smtp:[a.example],[b.example]", "error:5.1.1 No such user"),
            *("relay:mx.example.org:25", "slow_2:", "lmtp:inet:localhost:24", "smtp:[::1]:25"),
        ):
            with self.subTest(value=value):
                validate_transport(value)

    def test_transports_that_postfix_cannot_use(self):
        for value in (
            *("", "a b:c", " smtp:", "smtp :x", "smtp:a\nb", "smtp:a\rb", "smtp:\x00", "x\x7f:"),
            *("mx.example.org", "mx.example.org:25", "[mx.example.org]", "[10.0.0.1]:25"),
            *("10.0.0.1:25", "-x:y", "smtp/x:", "smtp:[bücher.example]", "[x]:25", "'smtp':"),
        ):
            with self.subTest(value=value), self.assertRaises(ValidationError):
                validate_transport(value)

    def test_a_domain_is_asked_for_by_itself_its_parents_and_everything(self):
        keys = ["a.b.example", ".b.example", ".example", "*"]
        self.assertEqual(get_transport_lookup_keys("a.b.example"), keys)
