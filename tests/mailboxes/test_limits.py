"""Limits of domains, as in PostfixAdmin: -1 means none allowed, 0 unlimited."""

from unittest import mock

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.test.utils import CaptureQueriesContext

from domains.models import Domain, DomainState
from mailboxes.models import Mailbox
from mailboxes.services import tallies
from mailboxes.services.aliases import create_aliases, delete_aliases
from mailboxes.services.contents import count_contents
from mailboxes.services.mailboxes import create_mailboxes, delete_mailboxes, edit_mailbox
from mailboxes.services.tallies import recount_tallies
from tests.base import World

pytestmark = pytest.mark.mysql

MB = 1024000


class LimitTests(World):
    def limit(self, **limits):
        Domain.objects.filter(pk="example.org").update(**limits)

    def mailbox(self, name, quota=10, person=None):
        row = {"local_part": name, "domain": Domain.objects.get(pk="example.org")}
        return self.perform(
            person or self.alice, create_mailboxes, [row | {"password": "x", "quota": quota}]
        )

    def alias(self, name, person=None):
        row = {"local_part": name, "domain": Domain.objects.get(pk="example.org")}
        return self.perform(
            person or self.alice, create_aliases, [row | {"goto": ["bob@example.org"]}]
        )

    def assert_refuses(self, text, call, *arguments, **named):
        with self.assertRaises(ValidationError) as caught:
            call(*arguments, **named)
        self.assertIn(text, " ".join(caught.exception.messages))

    def test_all_errors_of_a_form_are_reported_at_once(self):
        self.limit(maxquota=100)
        self.sign_in(self.alice)
        row = {"local_part": "a b", "domain": "example.org", "password": "x", "password2": "x"}
        errors = self.client.post("/mailboxes/create/", row | {"quota": 500}).context["form"].errors
        self.assertLessEqual({"local_part", "password", "quota"}, set(errors))

    def test_the_form_tells_domain_admins_to_ask_a_superadmin(self):
        self.limit(quota=100)
        row = {"local_part": "a b", "domain": "example.org", "quota": 0}
        for person, advice in (
            (self.root, "another mailbox, or raise the domain quota."),
            (self.alice, "another mailbox, or ask a superadmin to raise the domain quota."),
        ):
            self.sign_in(person)
            form = self.client.post("/mailboxes/create/", row).context["form"]
            self.assertIn("local_part", form.errors)
            self.assertIn(advice, form.errors["quota"][0])

    def test_a_limit_counts_existing_rows(self):
        self.limit(mailboxes=2)
        self.mailbox("one")
        self.assert_refuses("mailbox limit", self.mailbox, "two")

    def test_a_limit_holds_for_superadmins_too(self):
        self.limit(mailboxes=1)
        self.assert_refuses("mailbox limit", self.mailbox, "one", person=self.root)

    def test_minus_one_allows_none_and_zero_any(self):
        self.limit(mailboxes=-1, aliases=-1)
        self.assert_refuses("allows no mailboxes", self.mailbox, "one")
        self.assert_refuses("allows no aliases", self.alias, "one")
        self.limit(mailboxes=0, aliases=0)
        self.mailbox("one")
        self.alias("two")

    def test_the_aliases_of_mailboxes_do_not_count(self):
        self.limit(aliases=2, mailboxes=0)
        self.mailbox("one")
        self.alias("two")
        self.assert_refuses("alias limit", self.alias, "three")

    def test_many_at_once_count_together(self):
        self.limit(mailboxes=3)
        domain = Domain.objects.get(pk="example.org")
        rows = [
            {"local_part": f"m{n}", "domain": domain, "password": "x", "quota": 1} for n in range(3)
        ]
        self.assert_refuses("mailbox limit", self.perform, self.alice, create_mailboxes, rows)
        self.assertEqual(Mailbox.objects.filter(domain=domain).count(), 1)

    def test_a_mailbox_cannot_exceed_the_maximum_quota(self):
        self.limit(maxquota=100)
        self.assert_refuses("maximum quota per mailbox", self.mailbox, "one", quota=101)
        self.mailbox("one", quota=100)

    def test_an_unlimited_quota_is_refused_when_quotas_are_limited(self):
        self.limit(maxquota=100)
        self.assert_refuses("cannot be unlimited", self.mailbox, "one", quota=0)
        self.limit(maxquota=0, quota=500)
        self.assert_refuses("cannot be unlimited", self.mailbox, "one", quota=0)

    def test_the_domains_quota_is_shared(self):
        self.limit(quota=150)
        text = "Not enough domain quota: 50 of 150 MB are left"
        self.assert_refuses(text, self.mailbox, "one", quota=51)
        self.mailbox("one", quota=50)
        text = "Not enough domain quota: 0 of 150 MB are left"
        self.assert_refuses(text, self.mailbox, "two", quota=1)

    def test_errors_name_the_numbers_and_the_cause(self):
        self.limit(quota=100, maxquota=0)
        text = "All 100 MB of the domain quota are assigned"
        self.assert_refuses(text, self.mailbox, "one", quota=0)
        self.limit(quota=300)
        self.assert_refuses("enter 1 to 200 MB", self.mailbox, "one", quota=0)
        self.limit(maxquota=50)
        self.assert_refuses("enter 1 to 50 MB", self.mailbox, "one", quota=0)
        self.limit(mailboxes=1, quota=0, maxquota=0)
        self.assert_refuses("mailbox limit (1)", self.mailbox, "one")
        self.limit(mailboxes=-1)
        self.assert_refuses("allows no mailboxes", self.mailbox, "one")

    def test_the_largest_quota_of_an_edited_mailbox_includes_its_own(self):
        self.limit(quota=1000)
        self.mailbox("one", quota=900)
        with self.assertRaises(ValidationError) as caught:
            self.perform(self.alice, edit_mailbox, "one@example.org", {"quota": 0})
        self.assertIn("enter 1 to 900 MB", " ".join(caught.exception.messages))

    def proposal(self, **limits):
        self.limit(**limits)
        self.sign_in(self.alice)
        page = self.client.get("/mailboxes/create/?domain=example.org")
        return page.context["form"].initial["quota"]

    def test_a_new_mailbox_gets_a_gigabyte_or_the_remaining_quota(self):
        self.assertEqual(self.proposal(quota=0, maxquota=0), 1024)
        self.assertEqual(self.proposal(quota=0, maxquota=500), 500)
        self.assertEqual(self.proposal(quota=2048, maxquota=0), 1024)
        self.mailbox("one", quota=1024)
        self.assertEqual(self.proposal(quota=2048, maxquota=0), 924)
        self.mailbox("two", quota=924)
        self.assertIsNone(self.proposal(quota=2048, maxquota=0))
        page = self.client.get("/mailboxes/create/?domain=example.org")
        self.assertContains(page, "2,048 MB of the domain quota are assigned")
        self.assertContains(page, "or ask a superadmin to raise the domain quota.")
        hint = self.client.get("/mailboxes/room/?domain=example.org")
        self.assertEqual(hint["HX-Trigger"], '{"suggestedquota": ""}')
        self.sign_in(self.root)
        page = self.client.get("/mailboxes/create/?domain=example.org")
        self.assertContains(page, "or raise the domain quota.")
        self.assertEqual(self.proposal(quota=-1, maxquota=0), 0)

    def test_the_api_gets_the_same_default(self):
        self.limit(quota=0, maxquota=0)
        row = {"local_part": "one", "domain": "example.org", "password": "correct-horse-43"}
        self.assertEqual(self.api(self.alice).post("mailboxes", row).json()["quota"], 1024)

    def test_no_default_quota_when_quotas_are_disabled(self):
        self.limit(maxquota=-1)
        self.assert_refuses("Quotas are disabled", self.mailbox, "one", quota=1)
        self.mailbox("one", quota=0)

    def test_an_edit_counts_its_own_quota_once(self):
        self.limit(quota=100)
        self.perform(self.alice, edit_mailbox, "bob@example.org", {"quota": 90})
        self.perform(self.alice, edit_mailbox, "bob@example.org", {"quota": 100})
        self.assert_refuses(
            "Not enough domain quota",
            self.perform,
            self.alice,
            edit_mailbox,
            "bob@example.org",
            {"quota": 101},
        )

    def test_a_limit_below_the_current_count_does_not_prevent_other_edits(self):
        self.limit(quota=10, maxquota=10)
        self.perform(self.alice, edit_mailbox, "bob@example.org", {"name": "Robert"})
        self.assertEqual(Mailbox.objects.get(pk="bob@example.org").name, "Robert")

    # Warnings

    def warned(self, **limits):
        """Return the warnings after superadmins set these limits."""
        self.sign_in(self.root)
        url = "/domains/example.org/edit/"
        form = self.client.get(url).context["form"]
        data = {"transport": "virtual", "active": "on", "seen": form.initial["seen"]}
        data |= {"mailboxes": 0, "aliases": 0, "quota": 0, "maxquota": 0}
        page = self.client.post(url, data | limits, follow=True)
        return [str(each) for each in page.context["messages"] if each.level_tag == "warning"]

    def test_limits_below_what_is_in_use_cause_warnings(self):
        for name in ("one", "two"):
            self.mailbox(name)
            self.alias(f"{name}-list")
        self.assertEqual(
            self.warned(mailboxes=2, aliases=1, quota=100),
            [
                "Already in use: 3 mailboxes. No new ones can be created.",
                "Already in use: 3 aliases. No new ones can be created.",
                "120 MB are assigned to mailboxes already; no mailbox can get more.",
            ],
        )
        self.assertEqual(
            self.warned(mailboxes=-1)[0], "Already in use: 3 mailboxes. No new ones can be created."
        )
        self.assertEqual(self.warned(mailboxes=3, aliases=3, quota=120), [])

    def test_the_api_warns_of_limits_too(self):
        answer = self.api(self.root).patch("domains/example.org", {"mailboxes": -1})
        self.assertEqual(
            answer.json()["warnings"], ["Already in use: 1 mailbox. No new ones can be created."]
        )

    # Forms

    def form_page(self, person, table="mailboxes", domain="example.org"):
        self.sign_in(person)
        return self.client.get(f"/{table}/create/" + (f"?domain={domain}" if domain else ""))

    def test_a_reached_limit_is_shown_before_anything_is_typed(self):
        self.limit(mailboxes=1, aliases=1)
        for table in ("mailboxes", "aliases"):
            text = f"example.org: 1 of 1 {table} are used."
            page = self.form_page(self.root, table)
            self.assertContains(page, text)
            self.assertContains(page, 'href="/domains/example.org/edit/" target="_blank"')
            page = self.form_page(self.alice, table)
            self.assertContains(page, text)
            self.assertContains(page, "Ask a superadmin to raise the limit.")
            self.assertNotContains(page, "Raise the limit (new tab)")

    def test_a_reached_limit_is_shown_once_its_domain_is_chosen(self):
        self.limit(mailboxes=1, aliases=1)
        self.sign_in(self.root)
        for table, swap in (("mailboxes", ' hx-swap-oob="true"'), ("aliases", "")):
            notice = f'<div id="limit-notice" aria-live="polite"{swap}>'
            self.assertContains(self.form_page(self.root, table), 'id="limit-notice"')
            answer = self.client.get(f"/{table}/room/?domain=example.org")
            self.assertContains(answer, notice)
            self.assertContains(answer, f"example.org: 1 of 1 {table} are used.")
            answer = self.client.get(f"/{table}/room/?domain=example.com")
            self.assertContains(answer, notice)
            self.assertNotContains(answer, "are used.")
        self.sign_in(self.alice)
        Domain.objects.filter(pk="example.com").update(aliases=1)
        answer = self.client.get("/aliases/room/?domain=example.com")
        self.assertNotContains(answer, "are used.")

    def test_larger_mailboxes_are_named_when_the_maximum_is_lowered(self):
        program = self.api(self.root)
        answer = program.patch("domains/example.org", {"maxquota": 100})
        self.assertNotIn("warnings", answer.json())
        answer = program.patch("domains/example.org", {"maxquota": 99})
        texts = ["1 mailbox has a quota above 99 MB. Existing quotas are not changed."]
        self.assertEqual(answer.json()["warnings"], texts)

    def test_the_only_domain_is_checked_without_being_named(self):
        self.limit(mailboxes=-1)
        text = "example.org allows no mailboxes"
        self.assertContains(self.form_page(self.alice, domain=""), text)
        self.assertNotContains(self.form_page(self.root, domain=""), text)

    def test_a_limit_that_is_not_reached_is_not_shown(self):
        for limit in (0, 2):
            self.limit(mailboxes=limit, aliases=limit)
            for table in ("mailboxes", "aliases"):
                self.assertNotContains(self.form_page(self.alice, table), "are used.")

    def test_an_edited_mailbox_is_not_stopped_by_the_limit(self):
        self.limit(mailboxes=1)
        self.sign_in(self.alice)
        page = self.client.get("/mailboxes/bob@example.org/edit/")
        self.assertNotContains(page, "are used.")

    def test_domain_admins_are_told_whom_to_ask_after_saving(self):
        self.limit(aliases=1)
        self.sign_in(self.alice)
        data = {"local_part": "new", "domain": "example.org", "goto": "bob@example.org"}
        answer = self.client.post("/aliases/create/", data)
        self.assert_refused(answer, "has reached its alias limit (1)")
        self.assert_refused(answer, "Ask a superadmin to raise the limit.")
        self.assertNotContains(answer, "are used.", status_code=422)

    # Tallies

    def tally(self):
        state = DomainState.objects.get(pk="example.org")
        return state.mailboxes, state.aliases, state.quota_assigned

    def test_tallies_are_updated_by_every_change(self):
        self.assertEqual(self.tally(), (1, 1, 100 * MB))
        self.mailbox("one", quota=7)
        self.alias("two")
        self.assertEqual(self.tally(), (2, 2, 107 * MB))
        self.perform(self.alice, edit_mailbox, "one@example.org", {"quota": 9})
        self.assertEqual(self.tally(), (2, 2, 109 * MB))
        self.perform(self.alice, delete_mailboxes, ["one@example.org"])
        self.perform(self.alice, delete_aliases, ["two@example.org"])
        self.assertEqual(self.tally(), (1, 1, 100 * MB))

    def all_tallies(self):
        return list(DomainState.objects.order_by("pk").values("pk", "mailboxes", "quota_assigned"))

    def test_domains_that_change_alike_share_a_statement(self):
        counts = {"example.org": 1, "example.com": 1, "third.example": 2}
        Domain.objects.create(domain="third.example")
        Domain.objects.update(mailboxes=0, quota=0, maxquota=0)
        rows = [
            {"local_part": f"m{n}", "domain": Domain(domain=name), "password": "x", "quota": 1}
            for name, count in counts.items()
            for n in range(count)
        ]
        with CaptureQueriesContext(connection) as queries:
            self.perform(self.root, create_mailboxes, rows)
        adjusted = self.all_tallies()
        recount_tallies()
        self.assertEqual(adjusted, self.all_tallies())
        written = [each["sql"].partition(" SET ")[2] for each in queries]
        self.assertEqual(len([columns for columns in written if "quota_assigned" in columns]), 2)

    def test_the_worker_corrects_wrong_tallies(self):
        DomainState.objects.filter(pk="example.org").update(mailboxes=77, aliases=-3)
        DomainState.objects.filter(pk="example.com").delete()
        recount_tallies()
        self.assertEqual(self.tally(), (1, 1, 100 * MB))
        self.assertEqual(DomainState.objects.get(pk="example.com").mailboxes, 1)

    def test_a_recount_does_not_overwrite_concurrent_changes(self):

        def count_and_write(**which):
            counted = count_contents(**which)
            self.mailbox("meanwhile", quota=7)
            return counted

        DomainState.objects.filter(pk="example.org").update(quota_used=99)  # wrong: to be corrected
        with mock.patch.object(tallies, "count_contents", count_and_write):
            recount_tallies()
        self.assertEqual(self.tally(), (2, 1, 107 * MB))
