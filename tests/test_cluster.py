"""Three nodes of Galera with a panel each under load: a node dies, another is isolated.

Each panel names the nodes in another order. Run with `-s` to see what was measured.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from mailadmin.accounts.throttling import MAX_FAILURES_PER_CLIENT
from mailadmin.conf import BASE_DIR
from tests.clients import PATIENCE, Person, Writer
from tests.galera import Galera
from tests.legacy_databases import environment
from tests.servers import Server, free_port

pytestmark = [pytest.mark.slow, pytest.mark.mariadb]
WRITERS = 4
FEW_SECONDS = 15
LIMIT, LARGE = 20, 1500
# Domains: open, with a limit, and with very many mailboxes.
PREPARE = f"""
import django
django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
from tests.base import build_world
build_world()
from mailadmin.changes.perform import Actor, perform
from mailboxes.services.domains import create_domains
for name, most in (("open.example", 0), ("limit.example", {LIMIT}), ("large.example", 0)):
    row = {{"domain": name, "mailboxes": most, "quota": 0, "maxquota": 0, "default_aliases": False}}
    perform(Actor.console(), create_domains, [row])
"""
CROWD = """
INSERT INTO mailbox (username, password, name, maildir, local_part, domain)
SELECT CONCAT('m', seq, '@large.example'), 'x', '', CONCAT('large.example/m', seq, '/'),
CONCAT('m', seq), 'large.example' FROM seq_1_to_{0};
INSERT INTO alias (address, goto, domain)
SELECT username, username, domain FROM mailbox WHERE domain = 'large.example';
UPDATE mailadmin_domain_state SET mailboxes = {0} WHERE domain = 'large.example';
"""
# A worker whose failure is noticed sooner than after a minute.
WORKER = """
import datetime, django
django.setup()
from django.core.management import call_command
from mailadmin.jobs import leases
leases.LEASE_DURATION = datetime.timedelta(seconds=3)
call_command("worker")
"""


class Panel(Server):
    """gunicorn as the service runs it."""

    def __init__(self, url):
        super().__init__()
        self.port = free_port()
        self.environ = environment(
            MAILADMIN_DATABASE_URL=url,
            MAILADMIN_BIND=f"127.0.0.1:{self.port}",
            GUNICORN_CMD_ARGS="--workers 1 --threads 8",
        )

    def run(self):
        config = BASE_DIR / "deploy/gunicorn.conf.py"
        arguments = ("-m", "gunicorn", "--config", config)
        self.start(sys.executable, *arguments, cwd=BASE_DIR, env=self.environ)
        self.wait_until(self.is_ready)
        return self

    def is_ready(self):
        try:
            return Person(self).get("/readyz").status == 200
        except OSError:
            return False


class Worker(Server):
    def __init__(self, url):
        super().__init__()
        self.environ = environment(MAILADMIN_DATABASE_URL=url)

    def run(self):
        self.start(sys.executable, "-c", WORKER, cwd=BASE_DIR, env=self.environ)
        return self

    def kill(self):
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@pytest.fixture(scope="module")
def cluster():
    with Galera() as galera:
        environ = environment(MAILADMIN_DATABASE_URL=galera.url())
        done = subprocess.run(
            [sys.executable, "-c", PREPARE], cwd=BASE_DIR, env=environ, capture_output=True
        )
        assert done.returncode == 0, done.stderr.decode()
        yield galera


@pytest.fixture(scope="module")
def panels(cluster):
    orders = (0, 1, 2), (1, 2, 0), (2, 0, 1)
    running = []
    try:
        for order in orders:
            running.append(Panel(cluster.url(*order)))
            running[-1].run()
        yield running
    finally:
        for panel in running:
            panel.stop()


@pytest.fixture(scope="module")
def storm(cluster, panels):
    """Return the writers after one node was killed and another isolated, and both returned."""
    over = threading.Event()
    writers = [Writer(number, panels[:2], over) for number in range(WRITERS)]
    first, second, _third = cluster.nodes
    with ThreadPoolExecutor(WRITERS) as pool:
        working = [pool.submit(writer.work) for writer in writers]
        try:
            wait_for_progress(writers, working)
            first.kill()
            wait_for_progress(writers, working)
            first.restart()
            wait_for_progress(writers, working)
            second.provider("gmcast.isolate=1")
            wait_for_progress(writers, working)
            second.provider("gmcast.isolate=0")
            second.wait_until(second.is_ready)
            wait_for_progress(writers, working)
        finally:
            over.set()
        for one in working:
            one.result()
    return writers


def wait_for_progress(writers, working, more=10):
    """Wait until each writer has created this many more mailboxes."""
    before = [len(writer.done) for writer in writers]
    deadline = time.monotonic() + 2 * PATIENCE
    while any(len(w.done) < n + more for w, n in zip(writers, before, strict=True)):
        for one in working:
            if one.done():
                one.result()
                pytest.fail("a writer has ended")
        assert time.monotonic() < deadline, "the panels accept no changes any more"
        time.sleep(0.1)


def acknowledged(storm):
    return sorted(address for writer in storm for _moment, address in writer.done)


def of_open(table, column, more=""):
    return f"SELECT {column} FROM {table} WHERE domain = 'open.example' {more} ORDER BY 1"


@pytest.mark.release
def test_every_acknowledged_change_is_on_all_nodes(cluster, storm):
    there = cluster.wait_until_equal(of_open("mailbox", "username"))
    assert set(acknowledged(storm)) <= set(there)
    assert len(acknowledged(storm)) == len(set(acknowledged(storm)))


@pytest.mark.release
def test_no_change_is_duplicated_or_partial(cluster, storm):
    there = sorted(cluster.wait_until_equal(of_open("mailbox", "username")))
    assert sorted(cluster.wait_until_equal(of_open("alias", "address"))) == there
    lines = of_open("log", "data", "AND action = 'create_mailbox'")
    assert sorted(cluster.wait_until_equal(lines)) == there
    for table in ("mailbox", "alias"):
        records = f"AND `table` = '{table}' AND verb = 'create'"
        found = cluster.wait_until_equal(of_open("mailadmin_change", "`key`", records))
        assert sorted(found) == there
    tally = "SELECT mailboxes FROM mailadmin_domain_state WHERE domain = 'open.example'"
    assert cluster.wait_until_equal(tally) == [str(len(there))]


@pytest.mark.release
def test_interruptions_last_seconds_only(storm):
    gap = max(writer.longest_gap() for writer in storm)
    failed = [status for writer in storm for _moment, status in writer.failed]
    print(
        f"\n{len(acknowledged(storm))} mailboxes by {WRITERS} writers, {len(failed)} requests"
        f" failed ({sorted(set(failed))}), longest time without a success {gap:.1f} s"
    )
    assert gap < FEW_SECONDS


@pytest.mark.release
def test_a_limit_is_kept_exactly_by_writers_on_all_nodes(cluster, panels, storm):
    people = [Person(panel) for panel in panels for _each in range(2)]
    for person in people:
        assert person.sign_in().status == 302

    def create(numbered):
        number, person = numbered
        names = [f"l{number}-{count}" for count in range(6)]
        return [person.create(name, "limit.example").status for name in names]

    with ThreadPoolExecutor(len(people)) as pool:
        answers = [status for some in pool.map(create, enumerate(people)) for status in some]
    assert set(answers) == {302, 422}
    assert answers.count(302) == LIMIT
    count = "SELECT COUNT(*) FROM mailbox WHERE domain = 'limit.example'"
    assert cluster.wait_until_equal(count) == [str(LIMIT)]


def test_a_session_is_valid_on_a_panel_whose_node_lags(cluster, storm):
    with Panel(cluster.url(0)) as here, Panel(cluster.url(1)) as there:
        me = Person(here.run())
        there.run()
        with lagging(cluster.nodes[1], seconds=1.5):
            assert me.sign_in().status == 302
            me.panel = there
            assert me.get("/domains/").status == 200


@contextmanager
def lagging(node, seconds):
    """Let this node apply no writes in this block."""
    sql = f"FLUSH TABLES WITH READ LOCK; SELECT 'held'; DO SLEEP({seconds});"
    with ThreadPoolExecutor(1) as pool:
        holding = pool.submit(node.client.execute, sql)
        time.sleep(0.3)
        assert not holding.done()
        yield
        holding.result()


def test_many_sign_in_at_all_panels_at_the_same_moment(panels, storm):
    def sign_in(panel):
        return [Person(panel).sign_in().status for _each in range(10)]

    with ThreadPoolExecutor(6) as pool:
        answers = [status for some in pool.map(sign_in, panels * 2) for status in some]
    assert answers == [302] * 60


def test_wrong_passwords_count_at_all_panels_together(cluster, panels, storm):
    answers = []
    for number in range(MAX_FAILURES_PER_CLIENT + 1):
        person = Person(panels[number % len(panels)])
        answers.append(person.sign_in("bob@example.org", "a wrong password").status)
    assert answers[:-1] == [200] * MAX_FAILURES_PER_CLIENT
    assert answers[-1] == 429


@pytest.mark.release
def test_a_read_only_node_is_left_for_another(cluster, storm):
    first = cluster.nodes[0]
    with Panel(cluster.url(0)) as alone, Panel(cluster.url(0, 1)) as choosing:
        alone.run()
        first.client.execute("SET GLOBAL read_only = 1")
        try:
            response = Person(alone).get("/readyz")
            choosing.run()
        finally:
            first.client.execute("SET GLOBAL read_only = 0")
    assert (response.status, "read only" in response.text) == (503, True)


@pytest.mark.release
def test_without_a_quorum_panels_report_it_in_seconds_and_recover(cluster, panels, storm):
    me = Person(panels[0])
    me.sign_in()
    for node in cluster.nodes:
        node.provider("gmcast.isolate=1")
    took = until(panels, "/readyz", 503)
    for node in cluster.nodes:
        node.wait_until(lambda node=node: not node.is_ready())
    assert me.get("/domains/").status == 503
    assert me.get("/healthz").status == 200
    for node in cluster.nodes:
        node.provider("gmcast.isolate=0")
    back = until(panels, "/readyz", 200)
    for node in cluster.nodes:
        node.wait_until(node.is_ready)
    print(f"\nno majority: reported after {took:.1f} s, back after {back:.1f} s")
    assert took < FEW_SECONDS
    assert me.get("/domains/").status == 200


def until(panels, path, status):
    """Return the seconds until all respond with this; each response takes seconds too."""
    began = time.monotonic()
    for panel in panels:
        while (answer := in_seconds(panel, path)).status != status:
            assert time.monotonic() - began < PATIENCE, answer
            time.sleep(0.2)
    return time.monotonic() - began


def in_seconds(panel, path):
    began = time.monotonic()
    answer = Person(panel).get(path)
    assert time.monotonic() - began < FEW_SECONDS
    return answer


def test_a_job_continues_elsewhere_when_its_machine_and_node_die(cluster, panels, storm):
    cluster.nodes[0].client.execute(CROWD.format(LARGE), "mailadmin")
    root = Person(panels[1])
    root.sign_in()
    assert root.post("/domains/large.example/delete/", confirm="large.example").status == 302
    with Worker(cluster.url(0, 1, 2)) as dying, Worker(cluster.url(2, 1, 0)) as other:
        dying.run()
        wait_for_job(cluster.nodes[1], lambda state, done: 0 < done < LARGE)
        dying.kill()
        cluster.nodes[0].kill()
        other.run()
        wait_for_job(cluster.nodes[1], lambda state, done: state == "done")
    cluster.nodes[0].restart()
    deleted = "AND `table` = 'mailbox' AND verb = 'delete'"
    count = "SELECT COUNT(*), COUNT(DISTINCT `key`) FROM mailadmin_change"
    found = cluster.wait_until_equal(f"{count} WHERE domain = 'large.example' {deleted}")
    assert found == [f"{LARGE}\t{LARGE}"]
    assert cluster.wait_until_equal(
        "SELECT COUNT(*) FROM mailbox WHERE domain = 'large.example'"
    ) == ["0"]


def wait_for_job(node, is_done):
    deadline = time.monotonic() + PATIENCE
    sql = "SELECT state, done FROM mailadmin_job WHERE kind = 'delete-domains'"
    while True:
        # Before the first response the row is being replicated.
        found = node.client.execute(sql, "mailadmin") or ["waiting\t0"]
        state, done = found[0].split("\t")
        if is_done(state, int(done)):
            return
        assert time.monotonic() < deadline, (state, done)
        time.sleep(0.02)
