"""Queries that are compiled once."""

from unittest import mock

from django.db import connection
from django.db.models import Value
from django.test.utils import CaptureQueriesContext

from domains.models import Domain
from mailadmin.accounts.backends import AdminBackend
from mailadmin.accounts.models import SessionEpoch
from mailadmin.accounts.sessions import SessionStore, end_sessions
from mailadmin.db.compiled import CompiledQuery
from mailboxes.models import Mailbox
from tests.base import World


class CompiledQueryTests(World):
    def setUp(self):
        self.build = mock.Mock(wraps=lambda domain: Mailbox.objects.filter(domain=domain))
        # The names of the parameters are read from the function.
        self.query = CompiledQuery(lambda domain: self.build(domain).order_by("pk"))

    def test_the_rows_are_those_of_the_queryset(self):
        for name in ("example.org", "example.net", "nowhere.example"):
            with self.subTest(domain=name):
                expected = [
                    vars(each) for each in Mailbox.objects.filter(domain=name).order_by("pk")
                ]
                found = [vars(each) for each in self.query.fetch(domain=name)]
                for row in (*expected, *found):
                    del row["_state"]
                self.assertEqual(found, expected)

    def test_the_queryset_is_built_once(self):
        for _time in range(3):
            self.query.fetch(domain="example.org")
        self.assertEqual(self.build.call_count, 1)

    def test_rows_can_be_saved_again(self):
        bob = next(row for row in self.query.fetch(domain="example.org") if row.pk == self.bob.pk)
        bob.name = "Bob again"
        bob.save()
        self.bob.refresh_from_db()
        self.assertEqual(self.bob.name, "Bob again")

    def test_annotations_and_constant_values_are_kept(self):
        query = CompiledQuery(
            lambda name: Domain.objects.filter(pk=name, active=True).annotate(half=Value(0.5))
        )
        self.assertEqual(query.first(name="example.org").half, 0.5)
        Domain.objects.filter(pk="example.org").update(active=False)
        self.assertIsNone(query.first(name="example.org"))

    def test_a_value_like_the_name_of_a_parameter_is_a_value(self):
        query = CompiledQuery(lambda name, other: Domain.objects.filter(pk=name).exclude(pk=other))
        self.assertEqual(query.first(name="example.org", other="name").pk, "example.org")
        self.assertIsNone(query.first(name="example.org", other="example.org"))

    def test_lists_are_parameters_of_any_length(self):
        query = CompiledQuery(lambda names: Domain.objects.filter(pk__in=names).order_by("pk"))
        for names in (["example.org"], ["example.net", "example.org"], ["nowhere.example"], []):
            with self.subTest(names=names):
                expected = list(Domain.objects.filter(pk__in=names).order_by("pk"))
                self.assertEqual(query.fetch(names=names), expected)
                self.assertEqual(query.fetch(names=names), expected)
        names = ["exämple.org", "example.org"]
        self.assertEqual([row.pk for row in query.fetch(names=names)], ["example.org"])

    def test_values_of_columns_are_read_as_the_queryset_reads_them(self):
        query = CompiledQuery(
            lambda names: (
                Mailbox.objects.filter(domain__in=names)
                .order_by("pk")
                .values_list("username", "created", "quota")
            )
        )
        rows = Mailbox.objects.filter(domain="example.org").order_by("pk")
        self.assertEqual(
            query.fetch(names=["example.org"]),
            list(rows.values_list("username", "created", "quota")),
        )

    def test_other_letters_are_compared_as_the_queryset_compares_them(self):
        self.assertEqual(self.query.fetch(domain="exämple.org"), [])
        self.assertEqual(self.build.call_args.args, ("exämple.org",))


class LoadedPrincipalTests(World):
    def test_a_page_loads_its_session_and_its_principal_in_two_queries(self):
        self.sign_in(self.bob)
        self.client.get("/account/")
        with CaptureQueriesContext(
            connection,
        ) as queries:
            self.client.get("/account/")
        self.assertEqual(len(queries), 2)

    def test_the_end_of_all_sessions_is_loaded_with_the_principal(self):
        self.assertIsNone(AdminBackend().get_user(self.root.pk).sessions_ended)
        end_sessions([self.root])
        ended = SessionEpoch.objects.get(pk=self.root.account_key).at
        self.assertEqual(AdminBackend().get_user(self.root.pk).sessions_ended, ended)

    def test_an_expired_session_is_empty_and_loses_its_key(self):
        session = SessionStore()
        session["known"] = True
        session.set_expiry(-1)
        session.save()
        expired = SessionStore(session.session_key)
        self.assertNotIn("known", expired)
        self.assertIsNone(expired.session_key)
