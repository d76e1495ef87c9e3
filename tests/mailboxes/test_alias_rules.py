"""Rules of aliases and their targets."""

from django.test import override_settings

from domains.models import AliasDomain, Domain, DomainAdmin
from mailboxes.models import Alias
from mailboxes.services.aliases import create_aliases, delete_aliases, edit_alias
from mailboxes.services.domains import create_domains
from mailboxes.services.forwardings import set_forwarding
from tests.mailboxes.base import VACATION_TARGET, AliasWorld


class AliasRuleTests(AliasWorld):
    def create(self, url="/aliases/create/", **data):
        self.sign_in(self.alice)
        given = {"local_part": "x", "domain": "example.org", "goto": "bob@example.org"}
        return self.client.post(url, given | data)

    def test_a_catch_all_is_created_by_checkbox_or_star(self):
        self.create(local_part="", catch_all="on")
        self.assertEqual(self.goto("@example.org"), "bob@example.org")
        self.perform(self.alice, delete_aliases, ["@example.org"])
        self.create(local_part="*")
        self.assertTrue(Alias.objects.filter(pk="@example.org").exists())

    def test_a_whole_address_of_another_domain_is_refused_with_its_domain(self):
        Domain.objects.create(domain="xn--mnchen-3ya.example")
        DomainAdmin.objects.create(admin=self.alice, domain_id="xn--mnchen-3ya.example")
        own = "This address belongs to %s: select that domain, or enter only the part before the @."
        foreign = "%s is not one of your domains. Enter only the part before the @."
        for typed, text, domain in (
            ("y@example.com", foreign, "example.com"),
            ("y@nowhere.example", foreign, "nowhere.example"),
            ("y@München.example", own, "münchen.example"),
        ):
            for url in ("/aliases/create/", "/mailboxes/create/"):
                answer = self.create(url, local_part=typed)
                self.assert_refused(answer, text % domain)
                self.assertNotContains(answer, "not a valid local part", status_code=422)
        for typed in ("y@", "@example.com", "y@z", "x y@example.com"):
            self.assert_refused(self.create(local_part=typed), "not a valid local part")

    def test_a_whole_address_of_the_selected_domain_is_taken(self):
        self.create(local_part="y@Example.org")
        self.assertEqual(self.goto("y@example.org"), "bob@example.org")

    def test_only_a_catch_all_may_point_to_a_whole_domain(self):
        self.assert_refused(self.create(goto="@elsewhere.example"), "Only a catch-all")
        self.create(local_part="*", goto="@elsewhere.example")
        self.assertEqual(self.goto("@example.org"), "@elsewhere.example")

    def test_targets_are_normalised_and_deduplicated(self):
        self.create(goto=" BOB@Example.ORG \n\nbob@example.org, x@München.example")
        self.assertEqual(self.goto("x@example.org"), "bob@example.org,x@xn--mnchen-3ya.example")

    def test_only_superadmins_may_enter_system_users(self):
        self.assert_refused(self.create(goto="root"), "Only superadmins can forward to “root”")
        row = {"local_part": "x", "domain": "example.org", "goto": ["root"]}
        self.assertEqual(self.api(self.alice).post("aliases", row).status_code, 422)
        names = ["root@localhost", "ROOT@LocalHost.LocalDomain", "root@[127.0.0.1]"]
        for goto in (["root"], ["bob@example.org", "root"], *([name] for name in names)):
            self.refused(self.alice, edit_alias, "info@example.org", {"goto": goto})
        self.refused(self.bob, set_forwarding, self.bob.pk, ["root"], True)
        self.alias("a", "root", person=self.root)
        self.perform(self.alice, edit_alias, "a@example.org", {"goto": ["root", "x@far.test"]})
        with override_settings(MAILADMIN_SYSTEM_USERS="admins"):
            self.create(goto="root")
            self.assertEqual(self.goto("x@example.org"), "root")
            self.refused(self.bob, set_forwarding, self.bob.pk, ["root"], True)

    def test_targets_may_be_pasted_from_a_mail_header(self):
        for goto in (
            "bob@example.org; x@y.example",
            "bob@example.org;x@y.example;",
            "bob@example.org\r\n\r\nx@y.example",
            "bob@example.org x@y.example",
            "Bob Builder <bob@example.org>, <x@y.example>",
            '"Builder, Bob" <BOB@example.org>\nx@y.example (at work)',
        ):
            with self.subTest(goto=goto):
                self.create(goto=goto)
                self.assertEqual(self.goto("x@example.org"), "bob@example.org,x@y.example")
                self.perform(self.alice, delete_aliases, ["x@example.org"])
                body = {"local_part": "x", "domain": "example.org", "goto": [goto]}
                self.assertEqual(self.api(self.alice).post("aliases", body).status_code, 201)
                self.assertEqual(self.goto("x@example.org"), "bob@example.org,x@y.example")
                self.perform(self.alice, delete_aliases, ["x@example.org"])

    def test_invalid_targets_are_refused(self):
        for goto, text in (
            ("", "at least one address to forward to"),
            ("x@example.org", "point to itself"),
            ("a..b@example.org", "is not a valid local part"),
            ("bob@@example.org", "is not a valid local part"),
            ("bob@nodot", "is not a domain name"),
            ("two words@example.org", "is not a valid local part"),
            ("Bob bob@example.org", "is not a valid local part"),
            ('Bob "B" bob@example.org', "is not a valid local part"),
            ("bob (at work)", "is not a valid email address"),
            ("bob.smith", "is not a valid email address"),
            ('"a b"@example.org', "is not a valid local part"),
            ("<bob@example.org", "is not a valid local part"),
            (VACATION_TARGET, "belongs to the vacation reply"),
            ("bob@example.org\x00", ""),
            ("bob@example.org\x07", ""),
            ("пример@example.org", "is not a valid local part"),
        ):
            with self.subTest(goto=goto):
                self.assert_refused(self.create(goto=goto), text)
        self.assertFalse(Alias.objects.filter(pk="x@example.org").exists())

    def test_an_address_is_unique(self):
        for name in ("bob", "info", "INFO"):
            self.assert_refused(self.create(local_part=name), "already exists")

    def test_bad_names_are_refused(self):
        for name in ("", "a..b", ".a", "a b", "a/b", "a@b", "ü", "x" * 65, 'a"b', "a,b"):
            with self.subTest(name=name):
                self.assert_refused(self.create(local_part=name))

    def test_a_loop_is_refused_and_shown(self):
        self.alias("a", "b@example.org")
        self.alias("b", "c@example.org")
        text = self.refused(
            self.alice,
            create_aliases,
            [
                {
                    "local_part": "c",
                    "domain": Domain.objects.get(pk="example.org"),
                    "goto": ["a@example.org"],
                }
            ],
        )
        self.assertIn("c@example.org → a@example.org → b@example.org → c@example.org", text)

    def test_a_loop_through_an_adopted_list_is_refused(self):
        for goto in ("x@y.test b@example.org", "B <b@example.org>", "x@y.test;b@example.org"):
            with self.subTest(goto=goto):
                row = Alias(address="a@example.org", goto=goto, domain_id="example.org")
                row.save()
                self.assertIn(
                    "a@example.org → b@example.org",
                    self.refused(
                        self.alice,
                        create_aliases,
                        [self.row("b", "a@example.org")],
                    ),
                )

    def test_a_loop_that_keeps_adding_an_extension_is_refused(self):
        self.alias("a", "bob+x@example.org")
        values = {"goto": ["a@example.org"], "goto_mailbox": True}
        text = self.refused(self.alice, edit_alias, "bob@example.org", values)
        self.assertIn("a+…@example.org → bob+x+…@example.org", text)

    def test_a_loop_entered_only_by_an_extension_is_refused(self):
        """bob+shop has an alias, but bob+x would point to bob+shop+x, +shop+shop+x …"""
        self.alias("sales+shop", "carol@example.com")
        row = {"local_part": "sales", "domain": Domain.objects.get(pk="example.org")}
        row["goto"] = ["sales+shop@example.org"]
        self.assertIn("sales+shop+…@example.org", self.refused(self.alice, create_aliases, [row]))

    def test_a_vacation_target_cannot_be_entered(self):
        target = "carol#example.com@autoreply.localhost"
        row = {
            "local_part": "spy",
            "domain": Domain.objects.get(pk="example.org"),
            "goto": [target],
        }
        text = self.refused(self.alice, create_aliases, [row])
        self.assertIn("belongs to the vacation reply", text)
        values = {"goto": [target], "goto_mailbox": True}
        self.refused(self.alice, edit_alias, "bob@example.org", values)

    def test_an_address_among_its_own_targets_is_not_a_loop(self):
        self.perform(
            self.alice,
            edit_alias,
            "bob@example.org",
            {"goto": ["info@example.org"], "goto_mailbox": True},
        )
        self.assertEqual(self.goto(), "info@example.org,bob@example.org")

    def test_a_loop_without_a_copy_is_refused(self):
        text = self.refused(
            self.alice,
            edit_alias,
            "bob@example.org",
            {"goto": ["info@example.org"], "goto_mailbox": False},
        )
        self.assertIn("loop", text)
        self.assertEqual(self.goto(), "bob@example.org")

    def test_a_loop_through_extension_catch_all_or_alias_domain_is_found(self):
        self.perform(self.root, create_domains, [{"domain": "mirror.example.org"}])
        AliasDomain.objects.create(
            alias_domain_id="mirror.example.org", target_domain_id="example.org"
        )
        for target in ("a+x@example.org", "a@mirror.example.org"):
            with self.subTest(target=target):
                row = {"local_part": "a", "domain": Domain.objects.get(pk="example.org")}
                self.assertIn(
                    "loop", self.refused(self.alice, create_aliases, [row | {"goto": [target]}])
                )

    def test_a_catch_all_pointing_to_an_address_it_catches_is_not_a_loop(self):
        self.alias("*", "nobody@example.org")
        self.assertEqual(self.goto("@example.org"), "nobody@example.org")

    def test_only_superadmins_may_change_default_aliases(self):
        self.alias("postmaster", "bob@example.org", person=self.root)
        for service, *rest in ((edit_alias, {"goto": ["x@y.example"]}), (delete_aliases,)):
            key = "postmaster@example.org"
            keys = key if service is edit_alias else [key]
            self.assertIn("protected", self.refused(self.alice, service, keys, *rest))
        with override_settings(MAILADMIN_SPECIAL_ALIAS_CONTROL=True):
            self.perform(self.alice, delete_aliases, ["postmaster@example.org"])

    def test_the_alias_of_a_mailbox_is_deleted_only_with_it(self):
        text = self.refused(self.root, delete_aliases, ["bob@example.org"])
        self.assertIn("belongs to a mailbox", text)

    @override_settings(MAILADMIN_ALIAS_CONTROL_ADMIN=False)
    def test_forwarding_of_mailboxes_may_be_restricted_to_superadmins(self):
        text = self.refused(self.alice, edit_alias, "bob@example.org", {"goto": ["x@y.example"]})
        self.assertIn("superadmins", text)
