"""Pages with columns that the operator has added."""

import json

import pytest
from django.test import override_settings

from domains.models import Domain
from mailadmin.changes.formatting import hide_values
from mailadmin.changes.models import Change, ChangeSecret
from mailadmin.hooks.models import HookDelivery
from mailboxes.integrity.checks import PlannedChange
from mailboxes.integrity.output import describe_change
from mailboxes.models import Alias, Mailbox
from mailboxes.services import cached_stats
from mailboxes.services.aliases import create_aliases, edit_alias
from mailboxes.services.mailboxes import delete_mailboxes, edit_mailbox
from tests.base import PASSWORD, World
from tests.mailboxes.test_search import cache_statistics

QUERIES = 6  # of a list, with and without custom columns
BOB = "bob@example.org"
NEW = {"local_part": "eve", "domain": "example.org", "password": PASSWORD, "password2": PASSWORD}
ALL = {
    "x_department": "Sales",
    "x_floor": "4",
    "x_level": "7",
    "x_price": "2.5",
    "x_rate": "1.5",
    "x_vip": "on",
    "x_since": "2026-01-02",
    "x_seen": "2026-02-03T04:05:06",
    "x_site": "south",
    "x_notes": "one\r\ntwo",
}


def shown_values(form):
    """Return what a browser sends of a form as it is shown."""
    shown = {name: form[name].value() for name in form.fields}
    return {n: value for n, value in shown.items() if value is not None and value is not False}


class MailboxPageTests(World):
    def edit(self, person, **values):
        """Send the form of bob's mailbox as it is shown, with other values."""
        self.sign_in(person)
        form = self.client.get("/mailboxes/bob@example.org/edit/").context["form"]
        return self.client.post("/mailboxes/bob@example.org/edit/", shown_values(form) | values)

    def test_a_new_mailbox_has_them(self):
        self.sign_in(self.alice)
        response = self.client.post("/mailboxes/create/", NEW | ALL)
        self.assertEqual(response.status_code, 302, response.content)
        eve = Mailbox.objects.get(pk="eve@example.org")
        self.assertEqual((eve.x_department, eve.x_floor, eve.x_level), ("Sales", 4, 7))
        self.assertEqual(
            (str(eve.x_rate), eve.x_vip, str(eve.x_since)), ("1.500", True, "2026-01-02")
        )
        self.assertEqual((eve.x_site, eve.x_notes), ("south", "one\ntwo"))
        self.assertContains(self.client.get("/mailboxes/eve@example.org/"), "Department</dt>")

    def test_the_form_of_a_new_mailbox_has_the_defaults_of_the_database(self):
        self.sign_in(self.alice)
        form = self.client.get("/mailboxes/create/").context["form"]
        self.assertEqual(form["x_level"].value(), 3)
        self.assertNotIn("x_contract", form.fields)
        self.assertNotIn("x_number", form.fields)

    def test_a_form_that_changes_nothing_changes_nothing(self):
        self.perform(self.root, edit_mailbox, BOB, {"x_notes": "a\nb", "x_seen": self.bob.created})
        Change.objects.all().delete()
        self.assertEqual(self.edit(self.alice).status_code, 302)
        self.assertFalse(Change.objects.exists())

    def test_a_change_is_recorded_with_both_values(self):
        self.edit(self.alice, **ALL)
        self.edit(self.alice, x_floor="5", x_since="2026-01-03", x_rate="")
        change = Change.objects.latest("pk")
        self.assertEqual(change.values["x_floor"], [4, 5])
        self.assertEqual(change.values["x_since"], ["2026-01-02", "2026-01-03"])
        self.assertEqual(change.values["x_rate"], ["1.500", None])
        self.assertContains(self.client.get("/mailboxes/bob@example.org/"), "<del>4</del>")

    def test_what_is_no_value_of_the_type_is_refused(self):
        for name, value in (
            ("x_floor", "many"),
            ("x_level", ""),
            ("x_rate", "1.2345"),
            ("x_since", "tomorrow"),
            ("x_site", "roof"),
            ("x_department", "one\ntwo"),
        ):
            with self.subTest(name=name, value=value):
                response = self.edit(self.alice, **{name: value})
                self.assertEqual(response.status_code, 422)
                self.assertIn(name, response.context["form"].errors)

    @pytest.mark.mariadb
    def test_what_the_column_cannot_hold_is_refused(self):
        """SQLite holds any value in any column."""
        for name, value in (
            ("x_department", "x" * 41),
            ("x_department", "日本"),
            ("x_floor", "-1"),
            ("x_floor", "70000"),
            ("x_rate", "1000"),
        ):
            with self.subTest(name=name, value=value):
                response = self.edit(self.alice, **{name: value})
                self.assertEqual(response.status_code, 422)
                self.assertIn(name, response.context["form"].errors)

    def test_a_value_that_is_not_offered_is_kept(self):
        self.perform(self.root, edit_mailbox, BOB, {"x_site": "roof"})
        self.assertEqual(self.edit(self.alice, name="Robert").status_code, 302)
        self.assertEqual(Mailbox.objects.get(pk=BOB).x_site, "roof")

    def test_an_empty_text_is_null_where_the_column_allows_it(self):
        self.edit(self.alice, x_department="Sales", x_site="north")
        self.edit(self.alice, x_department="", x_site="")
        rows = Mailbox.objects.filter(pk=BOB, x_department__isnull=True, x_site__isnull=True)
        self.assertTrue(rows.exists())
        self.assertEqual(Mailbox.objects.get(pk=BOB).x_department, "")

    # Roles

    def test_an_admin_neither_sees_nor_changes_what_is_for_superadmins(self):
        self.perform(self.root, edit_mailbox, BOB, {"x_contract": "K-4711", "x_number": "17"})
        self.edit(self.alice, x_contract="mine", x_number="18", name="Robert")
        bob = Mailbox.objects.get(pk=BOB)
        self.assertEqual((bob.name, bob.x_contract, bob.x_number), ("Robert", "K-4711", "17"))
        for url in (
            "/mailboxes/",
            "/mailboxes/bob@example.org/",
            "/mailboxes/bob@example.org/edit/",
            "/mailboxes/export/",
            "/log/",
            "/log/export/",
        ):
            response = self.client.get(url)
            content = b"".join(response) if response.streaming else response.content
            with self.subTest(url=url):
                self.assertNotIn(b"K-4711", content)
                self.assertNotIn(b"Contract", content)
        self.client.cookies["mailadmin_columns"] = "x_contract.x_number"
        self.assertNotContains(self.client.get("/mailboxes/"), "K-4711")
        self.assertContains(self.client.get("/mailboxes/"), "17")
        self.assertContains(self.client.get("/mailboxes/bob@example.org/"), "17")

    def test_the_preview_of_a_fix_shows_an_admin_no_hidden_value(self):
        self.perform(self.root, edit_mailbox, BOB, {"x_contract": "K-4711"})
        change = PlannedChange("delete", Mailbox.objects.get(pk=BOB))
        for person, is_shown in ((self.root, True), (self.alice, False)):
            values = describe_change(change, person)["record"].values
            self.assertEqual("x_contract" in values, is_shown)
            self.assertIn("x_floor", values)

    def test_an_admin_does_not_see_a_column_that_the_setting_names_no_more(self):
        self.perform(self.root, edit_mailbox, BOB, {"x_floor": 4})
        change = Change.objects.get(table="mailbox")
        change.values = {"x_former": ["K-4711", ""], "x_floor": [None, 4]}
        hide_values(change, self.root)
        self.assertIn("x_former", change.values)
        hide_values(change, self.alice)
        self.assertEqual(list(change.values), ["x_floor"])

    def test_a_superadmin_sees_and_changes_it(self):
        self.edit(self.root, x_contract="K-4711", x_number="17")
        self.assertEqual(Mailbox.objects.get(pk=BOB).x_contract, "K-4711")
        for url in ("/mailboxes/", "/mailboxes/bob@example.org/", "/log/"):
            self.assertContains(self.client.get(url), "K-4711")

    def test_an_admin_cannot_find_out_a_hidden_value(self):
        self.perform(self.root, edit_mailbox, BOB, {"x_contract": "K-4711"})
        self.sign_in(self.alice)
        self.assertContains(self.client.get("/mailboxes/?x_contract=other"), BOB)
        for url in ("/mailboxes/?q=K-4711", "/search/?q=K-4711"):
            self.assertNotContains(self.client.get(url), BOB)

    def test_a_mailbox_owner_sees_none(self):
        self.perform(self.root, edit_mailbox, BOB, {"x_department": "Sales"})
        self.sign_in(self.bob)
        for url in ("/", "/account/", "/account/password/", "/account/forwarding/"):
            self.assertNotContains(self.client.get(url), "Sales")

    # Lists

    def test_lists_show_search_and_filter_them(self):
        values = {"x_department": "Sales", "x_floor": 4, "x_vip": True, "x_site": "south"}
        self.perform(self.root, edit_mailbox, BOB, values)
        self.sign_in(self.root)
        for query in ("q=sale", "x_department=Sales", "x_floor=4", "x_vip=1", "x_site=south"):
            with self.subTest(query=query):
                response = self.client.get(f"/mailboxes/?{query}")
                self.assertContains(response, BOB)
                self.assertNotContains(response, "carol@example.com")
        for query in ("x_department=Sale", "x_floor=5", "x_floor=x", "x_vip=0", "x_since=x"):
            with self.subTest(query=query):
                self.assertNotContains(self.client.get(f"/mailboxes/?{query}"), BOB)
        self.assertContains(self.client.get("/mailboxes/?x_vip=0"), "carol@example.com")
        self.assertContains(self.client.get("/search/?q=sales"), BOB)

    def test_a_column_outside_the_list_can_be_chosen(self):
        self.perform(self.root, edit_mailbox, BOB, {"x_number": "N-17"})
        self.sign_in(self.root)
        self.assertNotContains(self.client.get("/mailboxes/"), "N-17")
        self.client.get("/mailboxes/?choose_columns=1&column=x_number")
        self.assertContains(self.client.get("/mailboxes/"), "N-17")

    def test_a_list_takes_no_more_queries(self):
        self.sign_in(self.root)
        self.client.get("/mailboxes/")
        with self.assertNumQueries(QUERIES):
            self.client.get("/mailboxes/")

    # Webhooks and deletion

    def test_webhooks_are_told_of_them(self):
        with override_settings(MAILADMIN_WEBHOOKS=["https://hooks.example.org/"]):
            self.edit(self.alice, **ALL)
        changes = json.loads(HookDelivery.objects.get().body)["changes"]
        self.assertEqual(changes["x_since"], [None, "2026-01-02"])
        self.assertEqual(changes["x_rate"], [None, "1.500"])

    def test_what_brings_a_deleted_mailbox_back_has_them(self):
        self.edit(self.alice, **ALL)
        self.perform(self.root, delete_mailboxes, [BOB])
        row = ChangeSecret.objects.get(table="mailbox", key=BOB).row
        self.assertEqual((row["x_floor"], row["x_rate"]), (4, "1.500"))
        self.assertEqual((row["x_since"], row["x_seen"]), ("2026-01-02", "2026-02-03 04:05:06"))
        deleted = Change.objects.get(table="mailbox", verb="delete")
        self.assertEqual(deleted.values["x_department"], ["Sales", None])


class OtherTableTests(World):
    def test_an_alias_has_them(self):
        self.sign_in(self.alice)
        data = {"local_part": "team", "domain": "example.org", "goto": BOB, "x_reason": "Project"}
        self.assertEqual(self.client.post("/aliases/create/", data).status_code, 302)
        alias = Alias.objects.get(pk="team@example.org")
        self.assertEqual((alias.x_reason, alias.x_owner), ("Project", ""))
        response = self.client.get("/aliases/?x_reason=Project")
        self.assertContains(response, "team@example.org")
        self.assertNotContains(response, "info@example.org")

    def test_aliases_of_a_large_installation_are_filtered(self):
        self.perform(self.root, edit_alias, "info@example.org", {"x_reason": "Desk"})
        cache_statistics()
        self.assertTrue(cached_stats.get_last_refresh())
        self.sign_in(self.alice)
        for query, is_found in (
            ("x_reason=Desk", True),
            ("x_reason=Other", False),
            ("q=desk", True),
        ):
            with self.subTest(query=query):
                content = self.client.get(f"/aliases/?{query}").content
                self.assertEqual(b"info@example.org" in content, is_found)

    def test_a_service_that_names_no_value_takes_the_default_of_the_database(self):
        domain = Domain.objects.get(pk="example.org")
        row = {"local_part": "team", "domain": domain, "goto": [BOB]}
        self.perform(self.alice, create_aliases, [row])
        self.assertEqual(Alias.objects.get(pk="team@example.org").x_owner, "nobody's")

    def test_an_admin_sees_those_of_a_domain_and_a_superadmin_changes_them(self):
        self.sign_in(self.root)
        form = self.client.get("/domains/example.org/edit/").context["form"]
        data = shown_values(form) | {"x_customer": "ACME"}
        response = self.client.post("/domains/example.org/edit/", data)
        self.assertEqual(
            response.status_code, 302, response.context and response.context["form"].errors
        )
        self.sign_in(self.alice)
        self.assertContains(self.client.get("/domains/"), "ACME")
        self.assertContains(self.client.get("/domains/example.org/"), "ACME")
        self.assertEqual(self.client.post("/domains/example.org/edit/", data).status_code, 403)
