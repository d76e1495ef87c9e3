"""Saved filters and chosen columns of lists."""

from django.db import connection
from django.test.utils import CaptureQueriesContext

from domains.models import DomainState
from domains.services.admins import delete_admins
from mailadmin.tables.models import SavedFilter
from mailadmin.tables.saved_filters import MAX_SAVED_FILTERS
from tests.base import World

FILTER_QUERY = f"SELECT {connection.ops.quote_name('mailadmin_saved_filter')}"


class SavedFilterTests(World):
    def save(self, name="Inactive", query="active=0&domain=example.org", table="mailboxes"):
        return self.client.post("/filters/", {"table": table, "query": query, "name": name})

    def test_a_filter_is_saved_as_a_link_and_removed(self):
        self.sign_in(self.alice)
        answer = self.save()
        self.assertRedirects(answer, "/mailboxes/?domain=example.org&active=0")
        self.assertContains(self.client.get("/mailboxes/"), "?domain=example.org&amp;active=0")
        self.assertNotContains(self.client.get("/aliases/"), "Inactive")
        pk = SavedFilter.objects.get().pk
        self.assertRedirects(self.client.post(f"/filters/{pk}/delete/"), "/mailboxes/")
        self.assertFalse(SavedFilter.objects.exists())

    def test_only_who_has_filters_costs_a_query_for_them(self):
        self.sign_in(self.alice)
        for has_filter, queries in ((False, 0), (True, 1)):
            if has_filter:
                self.save()
            with self.subTest(has_filter=has_filter), CaptureQueriesContext(connection) as found:
                self.client.get("/mailboxes/")
            asked = [each for each in found if each["sql"].startswith(FILTER_QUERY)]
            self.assertEqual(len(asked), queries)

    def test_one_of_the_same_name_is_replaced(self):
        self.sign_in(self.alice)
        self.save()
        self.save(query="q=bob")
        self.assertEqual(SavedFilter.objects.get().query, "q=bob")

    def test_only_the_parameters_of_the_list_are_saved(self):
        self.sign_in(self.alice)
        self.save(query="q=bob&after=x&nonsense=1")
        self.assertEqual(SavedFilter.objects.get().query, "q=bob")

    def test_a_filter_without_a_name_or_values_is_refused(self):
        self.sign_in(self.alice)
        long = "q=" + "ä" * 400
        for name, query in (
            *(("", "q=bob"), ("x", ""), ("x", "nonsense=1"), ("x", long)),
            *(("a\x00b", "q=bob"), ("a\nb", "q=bob")),
        ):
            self.assertRedirects(self.save(name, query), "/mailboxes/")
        self.assertFalse(SavedFilter.objects.exists())

    def test_their_number_is_limited(self):
        self.sign_in(self.alice)
        for number in range(MAX_SAVED_FILTERS + 1):
            self.save(f"filter {number}")
        self.assertEqual(SavedFilter.objects.count(), MAX_SAVED_FILTERS)

    def test_the_filters_of_deleted_admins_are_deleted_with_them(self):
        for person in (self.root, self.alice):
            self.sign_in(person)
            self.save()
        self.perform(self.root, delete_admins, ["alice@example.org"])
        self.assertEqual(SavedFilter.objects.get().owner_key, "root@example.net")

    def test_nobody_sees_or_removes_the_filters_of_others(self):
        self.sign_in(self.root)
        self.save("of root")
        pk = SavedFilter.objects.get().pk
        self.sign_in(self.alice)
        self.assertNotContains(self.client.get("/mailboxes/"), "of root")
        self.assertEqual(self.client.post(f"/filters/{pk}/delete/").status_code, 404)
        self.sign_in(self.bob)
        self.assertEqual(self.save().status_code, 403)
        self.assertEqual(SavedFilter.objects.count(), 1)

    def test_a_list_that_is_closed_has_no_filters(self):
        self.sign_in(self.alice)
        self.assertEqual(self.save(table="admins").status_code, 404)
        self.assertEqual(self.save(table="nonsense").status_code, 404)


class ColumnTests(World):
    def test_chosen_columns_are_remembered(self):
        self.sign_in(self.alice)
        self.assertNotContains(self.client.get("/mailboxes/"), ">Created</th>")
        answer = self.client.get("/mailboxes/?choose_columns=1&column=created&column=nonsense")
        self.assertRedirects(answer, "/mailboxes/")
        page = self.client.get("/mailboxes/")
        self.assertContains(page, ">Created</th>")
        self.assertNotContains(page, ">Usage</th>")
        self.assertContains(page, "bob@example.org")

    def test_the_first_column_stays_when_none_is_chosen(self):
        self.sign_in(self.alice)
        self.client.get("/mailboxes/?choose_columns=1")
        page = self.client.get("/mailboxes/")
        self.assertContains(page, "bob@example.org")
        self.assertNotContains(page, ">Name</th>")

    def test_a_filter_stays_when_columns_are_chosen(self):
        self.sign_in(self.alice)
        answer = self.client.get("/mailboxes/?choose_columns=1&column=name&q=bob")
        self.assertRedirects(answer, "/mailboxes/?q=bob")

    def test_the_order_stays_when_columns_are_chosen(self):
        self.sign_in(self.alice)
        answer = self.client.get("/mailboxes/?choose_columns=1&column=name&dir=desc")
        self.assertRedirects(answer, "/mailboxes/?dir=desc")

    def test_garbage_in_the_cookie_shows_the_first_column(self):
        self.sign_in(self.alice)
        self.client.cookies["mailadmin_columns"] = "\x00..<b>.name"
        self.assertContains(self.client.get("/mailboxes/"), "bob@example.org")


class CountTests(World):
    def test_the_number_of_rows_is_shown_where_it_is_known(self):
        self.sign_in(self.alice)
        self.assertEqual(self.client.get("/mailboxes/").context["count"], 1)
        self.sign_in(self.root)
        with self.settings(MAILADMIN_PAGE_SIZE=1):
            self.assertEqual(self.client.get("/mailboxes/").context["count"], 2)
            self.assertEqual(self.client.get("/mailboxes/?domain=example.com").context["count"], 1)
            self.assertEqual(self.client.get("/domains/").context["count"], 2)
            self.assertIsNone(self.client.get("/mailboxes/?q=example").context["count"])

    def test_tallies_that_are_missing_are_not_shown(self):
        DomainState.objects.all().delete()
        self.sign_in(self.root)
        with self.settings(MAILADMIN_PAGE_SIZE=1):
            self.assertIsNone(self.client.get("/mailboxes/").context["count"])
