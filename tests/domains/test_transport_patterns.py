"""Patterns of transports, and the wildcard."""

from django.core.exceptions import ValidationError
from django.test import SimpleTestCase

from domains.models import Domain, Transport
from domains.patterns import (
    get_transport_lookup_keys,
    normalize_pattern,
    validate_pattern,
    validate_transport,
)
from domains.services.transports import (
    edit_transport,
    get_effective_transports,
    set_transports,
)
from mailadmin.changes.perform import Actor, perform
from mailboxes.postfix.explain import explain
from mailboxes.services.domains import create_domains
from tests.domains.transport_world import SECRET, TransportWorld


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
