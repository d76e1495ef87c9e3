"""Deletion of a large domain in steps, with killed workers."""

import signal
import subprocess
import sys
import time

import pytest

from mailadmin.conf import BASE_DIR
from tests.bench import filling
from tests.legacy_databases import Database, environment

pytestmark = pytest.mark.mariadb

DOMAIN = filling.LARGEST
CONFIRM = f"""
import django
django.setup()
from mailadmin import registry
from mailadmin.tables.actions import DELETE
from mailadmin.changes.perform import Actor
assert registry.tables["domains"].run_action(Actor.console(), DELETE, [{DOMAIN!r}])
"""
JOB = "SELECT state, done, total FROM mailadmin_job"
LEFT = " UNION ALL ".join(
    f"SELECT COUNT(*) FROM {table} WHERE {column} LIKE '%{DOMAIN}'"
    for table, column in (
        *(("mailbox", "domain"), ("alias", "domain"), ("vacation", "domain")),
        *(("quota2", "username"), ("domain", "domain"), ("mailadmin_lone_alias", "domain")),
    )
)


@pytest.fixture
def database(mariadb):
    database = Database(mariadb, "large_deletion")
    mariadb.create(database.name)
    database.migrate()
    filling.fill(database, filling.SIZES["XS4"])
    database.execute(f"DELETE FROM alias_domain WHERE target_domain = '{DOMAIN}'")
    yield database
    database.drop()


def progress(database):
    state, done, total = database.rows(JOB)[0]
    return state, int(done), int(total)


def kill_midway(database):
    """Kill a worker after it has deleted a part of the domain."""
    worker = subprocess.Popen(
        [sys.executable, "manage.py", "worker"],
        cwd=BASE_DIR,
        env=environment(MAILADMIN_DATABASE_URL=database.server.url(database.name)),
    )
    deadline = time.monotonic() + 60
    while progress(database)[1] < 300 and time.monotonic() < deadline:
        time.sleep(0.02)
    worker.send_signal(signal.SIGKILL)
    worker.wait()


def test_a_deletion_of_a_killed_worker_is_finished_by_the_next(database):
    others = int(database.value(f"SELECT COUNT(*) FROM mailbox WHERE domain <> '{DOMAIN}'"))
    mailboxes = int(database.value(f"SELECT COUNT(*) FROM mailbox WHERE domain = '{DOMAIN}'"))
    database.panel("-c", CONFIRM)
    assert database.value(f"SELECT active FROM domain WHERE domain = '{DOMAIN}'") == "0"
    kill_midway(database)
    state, done, total = progress(database)
    assert state == "running"
    assert 300 <= done < total
    left = int(database.value(f"SELECT COUNT(*) FROM mailbox WHERE domain = '{DOMAIN}'"))
    assert left == mailboxes - done  # the reported numbers are correct
    database.execute("UPDATE mailadmin_job SET lease_until = NOW() - INTERVAL 1 DAY")
    database.panel("manage.py", "worker", "--once")
    assert progress(database) == ("done", total, total)
    assert {number for (number,) in database.rows(LEFT)} == {"0"}
    assert int(database.value("SELECT COUNT(*) FROM mailbox")) == others
    lines = f"SELECT COUNT(*) FROM log WHERE action = 'delete_domain' AND data = '{DOMAIN}'"
    assert database.value(lines) == "1"
