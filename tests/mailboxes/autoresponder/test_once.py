"""Each sender is answered once, also after failures."""

import concurrent.futures
import contextlib
import datetime
import sqlite3
import subprocess
import threading
import time

import pytest
from django.db import connection

from domains.models import Domain
from mailadmin.changes.perform import Actor, perform
from mailboxes.mailserver import autoresponder
from mailboxes.mailserver.autoresponder import tables
from mailboxes.models import Mailbox, VacationNotification, vacation_target
from mailboxes.models import Vacation as Row
from mailboxes.postfix.vacation_addresses import find_possible_owners
from mailboxes.services.vacations import set_vacation
from tests import servers
from tests.mailboxes.autoresponder.post import (
    BOB,
    FRIEND,
    ROWS,
    SCHEMA,
    ZONE,
    at,
    build_mail,
    environ,
    notes,
    store_notification,
    vacation,
)

# Vacations


NOBODY_AWAY = """
alice#example.org@autoreply.localhost nobody#example.org@autoreply.localhost bob@example.org
bob#example.org@elsewhere.example bob #@ bob# bob@autoreply.localhost
боб#example.org@autoreply.localhost bob#\udcff@autoreply.localhost
"""


@pytest.mark.parametrize("recipient", ["", "#" * 900, *NOBODY_AWAY.split()])
def test_a_recipient_who_is_not_away_causes_no_bounce(post, recipient):
    assert post.deliver(recipient=recipient) == 0
    assert post.answers() == []
    assert "the vacation reply is not active" in post.log.getvalue()


@pytest.mark.parametrize(
    "recipient",
    [
        "BOB#Example.ORG@Autoreply.LOCALHOST",
        BOB.replace("@", "+news@"),
        BOB.replace("@", "+a#b.c@"),
    ],
)
def test_bob_is_found_behind_extensions_and_capitals(post, recipient):
    post.deliver(recipient=recipient)
    assert len(post.answers()) == 1


def test_delimiters_may_be_several_and_occur_in_names(post):
    post.settings["MAILADMIN_RECIPIENT_DELIMITER"] = "+-"
    domain = Domain.objects.create(domain="my-example.org", active=True)
    name, place = "d-d#a@my-example.org", {"local_part": "d-d#a", "domain": domain}
    Mailbox.objects.create(username=name, **place, password="x", maildir="x")
    Row.objects.create(mailbox_id=name, domain=domain, activeuntil=at(days=1))
    post.deliver(build_mail(To=name), recipient="d-d#a#my-example.org-x@autoreply.localhost")
    assert [answer["From"] for answer in post.answers()] == [name]


def test_a_delimiter_in_a_domain_splits_only_as_a_last_resort(post):
    post.settings["MAILADMIN_RECIPIENT_DELIMITER"] = "-"
    found = find_possible_owners("bob#my-example.org@autoreply.localhost", post.settings)
    assert found == ["bob@my-example.org", "bob@my"]


def test_bob_and_carol_both_answer_a_mail_to_both(post):
    carol = "carol#example.com@autoreply.localhost"
    post.deliver(build_mail(Cc="carol@example.com"), recipient=[BOB, carol], original=["x", "y"])
    assert {answer["From"].addresses[0].username for answer in post.answers()} == {"bob", "carol"}


@pytest.mark.parametrize(
    "switch",
    [
        lambda: vacation(active=False),
        lambda: vacation(activefrom=at(hours=1)),
        lambda: vacation(activeuntil=at(hours=-1)),
        lambda: Mailbox.objects.filter(pk="bob@example.org").update(active=False),
        lambda: Mailbox.objects.filter(pk="bob@example.org").delete(),
        lambda: Domain.objects.filter(pk="example.org").update(active=False),
    ],
)
def test_inactive_vacations_are_not_answered(post, switch):
    switch()
    assert post.deliver() == 0
    assert post.answers() == []


def test_a_disabled_feature_answers_nobody(post):
    post.settings["MAILADMIN_VACATION"] = False
    post.deliver()
    assert post.answers() == []


@pytest.mark.parametrize("unknown", ["2000-01-01 00:00:00", "0000-00-00 00:00:00"])
def test_unknown_dates_are_no_limits(post, unknown):
    table = Row._meta.db_table
    with connection.cursor() as cursor:
        if connection.vendor == "mysql":
            cursor.execute("SET sql_mode = ''")
        cursor.execute(f"UPDATE {table} SET activefrom = %s, activeuntil = %s", [unknown] * 2)
    connection.close()  # and with it the sql_mode
    post.deliver()
    post.deliver()
    assert len(post.answers()) == 1


def test_the_dates_are_local_time(post):
    """Berlin is ahead of UTC."""
    vacation(activefrom=at(minutes=-5), activeuntil=at(minutes=5))
    post.deliver()
    assert len(post.answers()) == 1
    post.settings["MAILADMIN_TIME_ZONE"] = "UTC"
    post.deliver(sender="other@example.net")
    assert len(post.answers()) == 1


def test_the_vacation_saved_in_the_panel_is_answered(post):
    dates = {"activefrom": at(minutes=-1), "activeuntil": at(days=1)}
    values = {"subject": "At sea", "body": "Ahoy", "interval_time": 0, **dates}
    target = {"recipient": vacation_target("bob@example.org")}
    for active, count in ((True, 1), (True, 2), (False, 2)):
        perform(Actor.console(), set_vacation, "bob@example.org", values | {"active": active})
        post.deliver(**target)
        post.deliver(**target)
        assert len(post.answers()) == count
    assert {answer["Subject"] for answer in post.answers()} == {"At sea"}


# Once


def test_a_sender_is_answered_once(post):
    for sender in (FRIEND, FRIEND, "Friend@Example.NET"):
        assert post.deliver(sender=sender) == 0
    assert len(post.answers()) == 1
    assert post.log.getvalue().count("already notified") == 2
    post.deliver(sender="other@example.net")
    assert len(post.answers()) == 2


@pytest.mark.parametrize(
    ("interval", "ago", "count"),
    [
        (0, {"days": -6}, 0),
        (0, {"days": -8}, 1),  # in an earlier vacation
        (86400, {"hours": -25}, 1),
        (86400, {"hours": -23}, 0),
        (30 * 86400, {"days": -8}, 1),  # an earlier vacation, but not long ago
        (-1, {"days": -6}, 0),
        (60, {"minutes": -2}, 1),
    ],
)
def test_a_sender_is_answered_again_after_the_interval_and_in_a_new_vacation(
    post, interval, ago, count
):
    vacation(interval_time=interval)
    store_notification(**ago)
    post.deliver()
    post.deliver()
    assert len(post.answers()) == count


def test_only_one_of_several_concurrent_mails_is_answered(post):
    """As processes: each has read its settings and waits for the end of its mail."""
    options = {"stdin": subprocess.PIPE, "stderr": subprocess.DEVNULL, "env": environ()}
    many = [subprocess.Popen(post.command(), **options) for _ in range(6)]
    for process in many:
        process.stdin.write(build_mail())
        process.stdin.flush()
    time.sleep(0.5)
    for process in many:
        process.stdin.close()
    assert [process.wait() for process in many] == [0] * 6
    assert len(post.answers()) == 1


@pytest.mark.parametrize("before", [None, {"days": -2}])
def test_only_one_of_several_concurrent_notifications_is_sent(post, before):
    vacation(interval_time=86400)
    if before:
        store_notification(**before)
    start = threading.Barrier(12)

    def arrive(_):
        start.wait()
        return post.deliver()

    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        assert list(pool.map(arrive, range(12))) == [0] * 12
    assert len(post.answers()) == 1
    assert post.log.getvalue().count("already notified") == 11


# Failures


@pytest.mark.parametrize("before", [None, {"days": -2}])
def test_a_failed_answer_is_retried_and_sent_once(post, before):
    vacation(interval_time=86400)
    if before:
        store_notification(**before)
    stored = notes()
    with post.with_sendmail("busy"):
        assert post.deliver() == 75
    assert notes() == stored and post.answers() == []
    assert "the queue is full" in post.log.getvalue()
    assert [post.deliver(), post.deliver()] == [0, 0]
    assert len(post.answers()) == 1


def test_a_missing_sendmail_defers_the_mail(post):
    post.sendmail.unlink()
    assert post.deliver() == 75
    assert notes() == {}


def test_a_responder_killed_while_sending_never_sends_twice(post):
    with post.with_sendmail("killer"):
        assert post.run_command(environ=environ()).returncode == -9
    assert list(notes()) == [FRIEND]
    assert post.run_command(environ=environ()).returncode == 0
    assert len(post.answers()) == 1


def test_a_notification_changed_meanwhile_is_not_reverted(post):
    """The owner has started a new vacation, and another process has notified the sender."""
    with tables.open_database(post.settings) as database:
        now = datetime.datetime.now(ZONE)
        away = autoresponder.find_active_vacation(database, ["bob@example.org"], now)
        note = autoresponder.record_notification(
            database, away, FRIEND, now - datetime.timedelta(hours=1)
        )
        VacationNotification.objects.all().delete()
        store_notification(seconds=0)
        stored = notes()
        note.revert()
    assert notes() == stored


@pytest.mark.mariadb
def test_mail_is_deferred_while_mariadb_is_down(post):
    with servers.MariaDB() as server:
        client = server.client
        client.create("mailadmin", dump=SCHEMA)
        client.execute(ROWS, "mailadmin")
        post.settings = autoresponder.load_settings(
            environ=environ(MAILADMIN_DATABASE_URL=client.url())
        )
        server.stop(keep=True)
        assert post.deliver() == 75
        assert client.password not in post.log.getvalue()
        server._run()
        assert post.deliver() == 0
    assert len(post.answers()) == 1


@pytest.mark.mariadb
def test_the_database_password_is_not_logged(post):
    post.settings["MAILADMIN_DATABASE_URL"]["PASSWORD"] = "guessed-wrongly"
    assert post.deliver() == 75
    assert "guessed" not in post.log.getvalue()
    assert "Access denied" in post.log.getvalue()


@pytest.mark.sqlite
def test_mail_is_deferred_while_sqlite_is_locked_or_missing(post, monkeypatch, tmp_path):
    monkeypatch.setattr(tables, "LOCK_TIMEOUT_SECONDS", 0.1)
    entry = post.settings["MAILADMIN_DATABASE_URL"]
    with contextlib.closing(sqlite3.connect(entry["NAME"], isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert post.deliver() == 75
        other.execute("ROLLBACK")
    assert post.deliver() == 0
    assert len(post.answers()) == 1
    entry["NAME"] = tmp_path / "missing.sqlite3"
    assert post.deliver() == 75
    assert not entry["NAME"].exists()
