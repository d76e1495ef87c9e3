import pytest
from django.core.exceptions import ValidationError
from django.test import override_settings

from domains.models import Admin, Domain, Transport
from domains.services.alias_domains import create_alias_domains
from domains.services.domains import edit_domain
from mailboxes.models import Alias
from mailboxes.postfix.explain import explain
from mailboxes.services.domains import create_domains
from tests.base import World
from tests.table_tests import TableTests

pytestmark = pytest.mark.mysql


class DomainTests(TableTests, World):
    slug = "domains"
    own_key, foreign_key, delete_key = "example.org", "example.com", "example.com"
    create_data = {
        "domain": "Shop.Example.NET ",
        "aliases": 10,
        "mailboxes": 10,
        "maxquota": 10,
        "quota": 2048,
        "transport": "virtual",
        "active": "on",
        "default_aliases": "on",
    }
    created_key = "shop.example.net"
    create_verb, delete_verb = "create_domain", "delete_domain"
    edit_data = create_data | {"description": "Bakery", "mailboxes": 7}
    edited = {"description": "Bakery", "mailboxes": 7}

    def more_rows(self, count):
        rows = [{"domain": f"d{n:02}.example", "default_aliases": False} for n in range(count)]
        self.perform(self.root, create_domains, rows)

    def test_a_new_domain_has_no_limits_unless_settings_give_them(self):
        self.sign_in(self.root)
        limits = ("aliases", "mailboxes", "maxquota", "quota")
        initial = self.client.get(self.url("create")).context["form"].initial
        self.assertEqual([initial[name] for name in limits], [0, 0, 0, 0])
        with override_settings(MAILADMIN_DOMAIN_QUOTA=500):
            initial = self.client.get(self.url("create")).context["form"].initial
        self.assertEqual(initial["quota"], 500)

    def test_the_form_says_once_what_a_limit_of_zero_is(self):
        self.sign_in(self.root)
        for page in (self.url("create"), self.url("edit", self.own_key)):
            self.assertContains(self.client.get(page), "0 is unlimited", count=1)

    def test_a_pasted_web_address_is_taken_as_its_domain(self):
        self.sign_in(self.root)
        data = self.create_data | {"domain": "https://Shop.Example/index.html"}
        self.assertEqual(self.client.post(self.url("create"), data).status_code, 302)
        self.assertTrue(Domain.objects.filter(pk="shop.example").exists())

    def gotos(self, **data):
        self.sign_in(self.root)
        page = self.client.post(self.url("create"), self.create_data | data, follow=True)
        rows = Alias.objects.filter(domain=self.created_key)
        return set(rows.values_list("goto", flat=True)), page

    def test_default_aliases_point_to_the_form_value(self):
        page = self.client.get(self.url("create")) if self.sign_in(self.root) else None
        self.assertEqual(page.context["form"].initial["default_aliases_to"], self.root.pk)
        gotos, page = self.gotos(default_aliases_to="Bob@Example.org")
        self.assertEqual(gotos, {"bob@example.org"})
        self.assertNotContains(page, "does not exist")

    def test_no_warning_if_a_transport_takes_the_mail_elsewhere(self):
        Transport.objects.create(pattern="example.org", transport="smtp:[helpdesk.example]")
        _gotos, page = self.gotos(default_aliases_to="nobody@example.org")
        self.assertNotContains(page, "does not exist")

    def test_a_nonexistent_destination_causes_a_warning(self):
        gotos, page = self.gotos(default_aliases_to="nobody@example.org")
        self.assertEqual(gotos, {"nobody@example.org"})
        self.assertContains(page, "The standard aliases point to nobody@example.org, which does")

    def test_an_admin_without_a_mailbox_must_enter_a_destination(self):
        Admin.objects.filter(pk=self.root.pk).update(username="root@example.org")
        self.sign_in(Admin.objects.get(pk="root@example.org"))
        form = self.client.get(self.url("create")).context["form"]
        self.assertEqual(form.initial["default_aliases_to"], "")
        self.assertIn("If left blank", form.fields["default_aliases_to"].help_text)
        self.client.post(self.url("create"), self.create_data)
        self.assertFalse(Alias.objects.filter(domain=self.created_key).exists())

    def test_an_unusable_transport_is_refused_by_every_interface(self):
        for transport in ("nosuch:", "virtual:", "Smtp:", " smtp:[x]", "mx.far.test"):
            rows = [{"domain": "x.example", "transport": transport}]
            with self.subTest(transport=transport), self.assertRaises(ValidationError):
                self.perform(self.root, create_domains, rows)
            with self.subTest(transport=transport), self.assertRaises(ValidationError):
                self.perform(self.root, edit_domain, "example.org", {"transport": transport})
        Domain.objects.filter(pk="example.org").update(transport="nosuch:")
        values = {"transport": "nosuch:", "description": "as it was"}
        self.perform(self.root, edit_domain, "example.org", values)
        self.perform(self.root, edit_domain, "example.org", {"transport": "smtp:[mx.far.test]"})

    def test_the_domain_page_shows_the_verdict_of_the_tracer(self):
        """The same verdict as the tracer gives for a mailbox in the domain."""
        ways = [("virtual", "delivered"), ("", "delivered"), ("relay", "handed_over")]
        ways += [("nosuch:", "deferred"), ("virtual:", "deferred"), ("discard:", "discarded")]
        ways += [("smtp:[mx.far.test]", "handed_over"), ("error:gone", "bounces")]
        for person in (self.root, self.alice):
            self.sign_in(person)
            for transport, outcome in ways:
                Domain.objects.filter(pk="example.org").update(transport=transport)
                page = self.client.get("/domains/example.org/")
                self.assertEqual(page.context["outcome"], outcome, transport)
                self.assertContains(page, page.context["says"])
                self.assertEqual(explain(self.root, "bob@example.org")["outcome"], outcome)
        Domain.objects.filter(pk="example.org").update(transport="virtual")
        for pattern, transport, outcome in (
            (".org", "discard:", "discarded"),
            ("example.org", "error:", "bounces"),
        ):
            Transport.objects.create(pattern=pattern, transport=transport)
            page = self.client.get("/domains/example.org/")
            self.assertEqual(page.context["outcome"], outcome)
            self.assertEqual(explain(self.root, "bob@example.org")["outcome"], outcome)
        Domain.objects.filter(pk="example.org").update(active=False)
        page = self.client.get("/domains/example.org/")
        self.assertEqual(page.context["outcome"], "rejected")

    def test_the_domain_page_counts_hidden_targets(self):
        goto = ",".join(f"user{n}@far.test" for n in range(40))
        Alias.objects.filter(pk="info@example.org").update(goto=goto)
        self.sign_in(self.alice)
        self.assertContains(self.client.get("/domains/example.org/"), "user2@far.test +37")

    def test_a_domain_is_created_with_its_default_aliases(self):
        self.sign_in(self.root)
        self.client.post(self.url("create"), self.create_data)
        names = {
            a.local_part: a.goto for a in Domain.objects.get(pk=self.created_key).alias_set.all()
        }
        self.assertEqual(
            names, dict.fromkeys(["abuse", "hostmaster", "postmaster", "webmaster"], self.root.pk)
        )


class AliasDomainVerdictTests(World):
    """The domain page shows the same verdict as the explanation of an address."""

    def verdict_text(self, name="mirror.example"):
        self.sign_in(self.root)
        return self.client.get(f"/domains/{name}/").content.decode()

    def test_mail_is_routed_like_mail_for_the_target(self):
        row = {"domain": "mirror.example", "default_aliases": False}
        self.perform(self.root, create_domains, [row])
        ends = {"alias_domain": "mirror.example", "target_domain": "example.org"}
        rows = {name: Domain.objects.get(pk=key) for name, key in ends.items()}
        self.perform(self.root, create_alias_domains, [rows])
        self.assertIn("Mail is delivered as mail to example.org.", self.verdict_text())
        Domain.objects.filter(pk="example.org").update(active=False)
        self.assertIn("Mail is rejected", self.verdict_text())

    def test_a_transport_of_the_panel_is_not_an_error(self):
        for transport, text in (
            ("lmtp:unix:private/dovecot-lmtp", "Mail is delivered to the mailboxes here."),
            ("mailadmin-autoreply:", "Answered only, delivered nowhere."),
        ):
            Domain.objects.filter(pk="example.org").update(transport=transport)
            self.assertIn(text, self.verdict_text("example.org"))
