"""Several hosts of one database, and lost connections."""

import contextlib
import json
import os
import socket
import time
from unittest import mock

import pytest
from django.db import OperationalError, connection
from django.test import Client, RequestFactory, TransactionTestCase

from mailadmin.accounts.models import LoginFailure
from mailadmin.changes.models import Change, Log
from mailadmin.changes.perform import Actor, perform
from mailadmin.db.mysql import base, timeouts
from mailadmin.db.mysql.errors import CommitOutcomeUnknown
from mailadmin.error_pages import server_error
from mailboxes.models import Mailbox
from tests import servers
from tests.base import BACKENDS, build_world

pytestmark = pytest.mark.mariadb
REAL_COMMIT = getattr(base.base.DatabaseWrapper, "_commit", None)


def server():
    return servers.MariaDBClient(**json.loads(os.environ["TEST_MARIADB"]))


def live():
    return f"127.0.0.1:{server().port}"


@contextlib.contextmanager
def wrapper(*hosts):
    """Return a separate connection to the first available host."""
    own = connection.copy()
    own.settings_dict |= {"HOST": ",".join(hosts), "PORT": ""}
    base.HOST_FAILURE_TIMES.clear()
    try:
        yield own
    finally:
        own.close()


@contextlib.contextmanager
def silent_host():
    """A host that accepts connections and never responds, like a hanging machine."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"


def one(own):
    with own.cursor() as cursor:
        cursor.execute("SELECT 1")
        return cursor.fetchone()[0]


def kill(number):
    server().execute(f"KILL {number}")


def lose():
    """Kill this thread's connection on the server without its knowledge."""
    kill(connection.connection.thread_id())


@pytest.mark.django_db
def test_a_refusing_host_is_skipped_for_the_next():
    with wrapper(f"127.0.0.1:{servers.free_port()}", live()) as own:
        assert one(own) == 1


@pytest.mark.django_db
def test_a_silent_host_costs_its_timeout_once():
    with silent_host() as silent, wrapper(silent, live()) as own:
        began = time.monotonic()
        assert one(own) == 1
        assert time.monotonic() - began < 6
        own.close()
        began = time.monotonic()
        assert one(own) == 1
        assert time.monotonic() - began < 1


@pytest.mark.django_db
def test_when_no_host_answers_the_last_error_is_raised():
    dead = [f"127.0.0.1:{servers.free_port()}" for _host in range(2)]
    with wrapper(*dead) as own, pytest.raises(OperationalError) as error:
        one(own)
    assert error.value.args[0] in (2002, 2003)


def test_hosts_may_be_ipv6_addresses():
    assert base.host_params("[::1]:3307") == {"host": "::1", "port": 3307}
    assert base.host_params("[::1]") == {"host": "::1"}
    assert base.host_params("db.example.org:3307") == {"host": "db.example.org", "port": 3307}
    assert base.host_params("") == {}


@pytest.mark.django_db
def test_a_lock_wait_times_out_before_the_connection():
    for seconds in (timeouts.PAGE_SECONDS, timeouts.COMMAND_SECONDS, timeouts.UPGRADE_SECONDS):
        with wrapper(live()) as own:
            own.settings_dict["OPTIONS"] |= timeouts.driver_options(seconds)
            with own.cursor() as cursor:
                cursor.execute("SELECT @@innodb_lock_wait_timeout, @@lock_wait_timeout")
                assert max(cursor.fetchone()) < seconds


class LostConnectionTests(TransactionTestCase):
    def setUp(self):
        build_world()

    def rename(self, changes, *steps):
        """Return a service that runs each step once, in the middle of a change."""
        bob = changes.find_one(Mailbox, "bob@example.org")
        for step in self.steps:
            self.steps.remove(step)
            step()
        changes.update([bob], name="Robert")
        changes.log("edit_mailbox", "example.org", "bob@example.org")

    def perform_rename(self, *steps):
        self.steps, lines = list(steps), Log.objects.count()
        perform(Actor.console(), self.rename)
        self.assertEqual(Log.objects.count(), lines + 1)
        self.assertEqual(Mailbox.objects.get(pk="bob@example.org").name, "Robert")

    def test_a_query_is_retried_on_another_connection(self):
        connection.ensure_connection()
        lose()
        self.assertEqual(Mailbox.objects.count(), 2)

    def test_a_statement_that_may_have_written_is_not_repeated(self):
        LoginFailure.objects.create(pk="x", since="2026-01-01T00:00:00Z")
        lose()
        with self.assertRaises(OperationalError):
            LoginFailure.objects.update(failures=1)
        connection.close()
        self.assertEqual(LoginFailure.objects.get().failures, 0)

    def test_a_statement_refused_by_a_server_is_retried_on_another(self):
        LoginFailure.objects.create(pk="x", since="2026-01-01T00:00:00Z")
        refusals = iter([base.Database.OperationalError(1047, "not prepared")])
        execute = base.base.CursorWrapper.execute

        def once_refused(cursor, query, args=None):
            if query.startswith("UPDATE") and (refusal := next(refusals, None)):
                raise refusal
            return execute(cursor, query, args)

        with mock.patch.object(base.base.CursorWrapper, "execute", once_refused):
            LoginFailure.objects.update(failures=1)
        self.assertIsNone(next(refusals, None))
        self.assertEqual(LoginFailure.objects.get().failures, 1)

    def test_a_change_with_a_lost_connection_happens_once(self):
        self.perform_rename(lose)

    def test_a_change_continues_when_a_node_is_cut_off(self):
        def refused():
            raise OperationalError(1047, "not prepared")

        self.perform_rename(refused)

    def test_a_commit_without_an_answer_is_detected(self):
        def unanswered(wrapper):
            REAL_COMMIT(wrapper)
            raise OperationalError(2013, "lost")

        with mock.patch.object(base.base.DatabaseWrapper, "_commit", unanswered):
            self.perform_rename()

    def test_a_committed_change_succeeds_although_its_connection_ends(self):
        def ended(wrapper):
            REAL_COMMIT(wrapper)
            kill(wrapper.connection.thread_id())

        with mock.patch.object(base.base.DatabaseWrapper, "_commit", ended):
            self.perform_rename()

    def lost_in_commit(self):
        def lost(wrapper):
            kill(wrapper.connection.thread_id())
            REAL_COMMIT(wrapper)

        return mock.patch.object(base.base.DatabaseWrapper, "_commit", lost)

    def test_a_commit_of_unknown_outcome_is_not_repeated(self):
        attempts, records = [], Change.objects.count()

        def service(changes):
            attempts.append(changes)
            self.steps = []
            self.rename(changes)

        with self.lost_in_commit(), self.assertRaises(CommitOutcomeUnknown):
            perform(Actor.console(), service)
        self.assertEqual(len(attempts), 1)
        self.assertEqual(Change.objects.count(), records)

    def test_an_unknown_outcome_is_not_hidden_by_unreachable_hosts(self):
        def gone(wrapper):
            wrapper.settings_dict["PORT"] = servers.free_port()
            raise OperationalError(2013, "lost")

        self.steps, port = [], connection.settings_dict["PORT"]
        try:
            with (
                mock.patch.object(base.base.DatabaseWrapper, "_commit", gone),
                self.assertRaises(CommitOutcomeUnknown),
            ):
                perform(Actor.console(), self.rename)
        finally:
            connection.settings_dict["PORT"] = port

    def test_the_page_reports_an_unknown_outcome(self):
        request = RequestFactory().post("/")
        for error, message in (
            (CommitOutcomeUnknown(2013, "lost"), "Check before you try again"),
            (OperationalError(1047, "not prepared"), "Nothing was changed"),
        ):
            try:
                raise error
            except OperationalError:
                response = server_error(request)
            self.assertContains(response, message, status_code=503)

    def test_a_session_survives_a_connection_lost_while_saving(self):
        client, bob = Client(), Mailbox.objects.get(pk="bob@example.org")
        client.force_login(bob, backend=BACKENDS[Mailbox])
        session = client.session
        session["greeting"] = "hello"
        execute = base.base.CursorWrapper.execute
        left = iter([True])

        def lost_once(cursor, query, args=None):
            if query.startswith("UPDATE `django_session`") and next(left, False):
                lose()
            return execute(cursor, query, args)

        with mock.patch.object(base.base.CursorWrapper, "execute", lost_once):
            session.save()
        self.assertEqual(client.session["greeting"], "hello")
