"""A minute of outages under load: the panel reports them, recovers and loses no data.

`deploy/serve.py` runs as `deploy/run` runs it. Users create mailboxes, an API client creates
aliases and a job deactivates rows while the database is killed, stopped, locked, made read-only,
out of connections or out of disk, and processes of the panel are killed at random. The seed is
printed; `--chaos-seconds` makes it longer.
"""

import http.client
import json
import random
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path

from mailadmin.conf import BASE_DIR
from tests.clients import Person, Writer
from tests.legacy_databases import environment
from tests.servers import Server, free_port

WRITERS = 2
LIMIT = 15
RECOVERY = 120  # seconds after the last outage until everything has to work
ALLOWED = {200, 201, 302, 409, 422, 502, 503}
TOKEN = "mailadmin_" + "t" * 43
PREPARE = f"""
import django
django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
from tests.base import build_world
build_world()
from domains.models import Admin, Domain
from mailadmin.api.tokens import create_token
from mailadmin.changes.perform import Actor, perform
from mailboxes.services.domains import create_domains
from mailboxes.services.mailboxes import create_mailboxes
console = Actor.console()
limits = (("open.example", 0, 0), ("limit.example", {LIMIT}, 0), ("bulk.example", 0, 0))
for name, most, aliases in limits:
    row = {{"domain": name, "mailboxes": most, "quota": 0, "maxquota": 0, "aliases": aliases}}
    perform(console, create_domains, [row | {{"default_aliases": False}}])
bulk = Domain.objects.get(pk="bulk.example")
one = {{"domain": bulk, "password": "x", "quota": 0}}
perform(console, create_mailboxes, [one | {{"local_part": f"b{{n}}"}} for n in range(900)])
root = Admin.objects.get(pk="root@example.net")
perform(console, create_token, root, {{"name": "chaos", "domains": []}}, {TOKEN!r})
"""
# Rows that must be consistent with one another in the end.
REPORT = """
import json, django
django.setup()
from domains.models import DomainState
from mailadmin.models import Change, Job, Log
from mailboxes.models import Alias, Mailbox
def keys(rows, name="pk"):
    return sorted(rows.values_list(name, flat=True))
opened = {"domain": "open.example"}
print(json.dumps({
    "mailboxes": keys(Mailbox.objects.filter(**opened)),
    "own aliases": keys(Alias.objects.filter(pk__startswith="w", **opened)),
    "aliases": keys(Alias.objects.filter(pk__startswith="p", **opened)),
    "mailbox lines": keys(Log.objects.filter(action="create_mailbox", **opened), "data"),
    "alias lines": keys(Log.objects.filter(action="create_alias", **opened), "data"),
    "mailbox records": keys(Change.objects.filter(table="mailbox", verb="create", **opened), "key"),
    "limited": Mailbox.objects.filter(domain="limit.example").count(),
    "active in bulk": Mailbox.objects.filter(domain="bulk.example", active=True).count(),
    "bulk lines": Log.objects.filter(action="edit_mailbox", domain="bulk.example").count(),
    "tallies": {s.pk: [s.mailboxes, s.aliases] for s in DomainState.objects.all()},
    "jobs": sorted(Job.objects.exclude(state="draft").values_list("kind", "state", "message")),
}))
"""


class Served(Server):
    """The panel as `deploy/run` starts it, once it is installed."""

    def __init__(self, url, temporary):
        super().__init__()
        self.port = free_port()
        self.environ = environment(
            MAILADMIN_DATABASE_URL=url,
            MAILADMIN_BIND=f"127.0.0.1:{self.port}",
            MAILADMIN_API_RATE="0",
            GUNICORN_CMD_ARGS="--workers 2 --threads 4",
            TMPDIR=str(temporary),
        )

    def python(self, code):
        command_line = [sys.executable, "-c", code]
        done = subprocess.run(
            command_line, cwd=BASE_DIR, env=self.environ, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def run(self):
        self.start(sys.executable, BASE_DIR / "deploy/serve.py", cwd=BASE_DIR, env=self.environ)
        self.wait_until(lambda: self.status("/readyz") == 200)
        return self

    def status(self, path):
        with suppress(OSError, http.client.HTTPException):
            return Person(self).get(path).status
        return 0

    def processes(self):
        """Return all child processes of `deploy/serve.py`: gunicorn, its workers, the worker."""
        found, level = [], [self.process.pid]
        while level:
            level = [child for pid in level for child in children(pid)]
            found += level
        return found


def children(pid):
    with suppress(OSError):
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
        return [int(child) for child in text.split()]
    return []


# Load


class Program(threading.Thread):
    """Create aliases by the API, each repeated with its idempotency key until acknowledged."""

    def __init__(self, panel, over):
        super().__init__(daemon=True)
        self.panel, self.over, self.done, self.statuses = panel, over, [], set()

    def run(self):
        for number in range(100_000):
            row = {"local_part": f"p{number}", "domain": "open.example", "goto": ["x@example.net"]}
            while self.send(row, f"key-{number}") != 201:
                if self.over.is_set():
                    return
                time.sleep(0.2)
            self.done.append(f"p{number}@open.example")
            if self.over.is_set():
                return

    def send(self, row, key):
        headers = {
            "Authorization": f"Bearer {TOKEN}",
            "Content-Type": "application/json",
            "Idempotency-Key": key,
        }
        url = f"http://127.0.0.1:{self.panel.port}/api/v1/aliases"
        request = urllib.request.Request(url, json.dumps(row).encode(), headers)
        try:
            status = urllib.request.urlopen(request, timeout=30).status  # noqa: S310
        except urllib.error.HTTPError as error:
            status = error.code
        except (OSError, http.client.HTTPException):
            status = 502
        self.statuses.add(status)
        return status


class Filler(threading.Thread):
    """Create mailboxes in the domain that has a limit, and open its pages."""

    def __init__(self, panel, over):
        super().__init__(daemon=True)
        self.panel, self.over, self.statuses = panel, over, set()

    def run(self):
        me, number = Person(self.panel), 0
        while not self.over.is_set():
            number += 1
            with suppress(OSError, http.client.HTTPException):
                if me.get("/mailboxes/?domain=limit.example").status == 302:
                    me.sign_in()
                self.statuses.add(me.get("/").status)
                self.statuses.add(me.create(f"l{number}", "limit.example").status)
            time.sleep(0.05)


def start_bulk_job(panel):
    """Deactivate the mailboxes of a domain, by a job."""
    me = Person(panel)
    me.sign_in()
    data = {"action": "deactivate", "all": "1", "confirmed": "1"}
    answer = me.post("/mailboxes/bulk/?domain=bulk.example", **data)
    assert answer.status == 302 and "/jobs/" in answer.place, answer


def storm(panels, outages, seconds):
    """Run users and API clients while one outage follows another; return their responses."""
    over = threading.Event()
    writers = [Writer(number, panels, over) for number in range(WRITERS)]
    threads = [threading.Thread(target=writer.work, daemon=True) for writer in writers]
    program, filler = Program(panels[-1], over), Filler(panels[0], over)
    for thread in (*threads, program, filler):
        thread.start()
    time.sleep(2)
    start_bulk_job(panels[0])
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        outages.one()
        for panel in panels:
            assert panel.process.poll() is None, panel.log.read_text()[-5000:]
        time.sleep(outages.chance.uniform(0.5, 3))
    for panel in panels:
        recover(panel)
    over.set()
    for thread in (*threads, program, filler):
        thread.join(120)
        assert not thread.is_alive(), f"{thread} waits still\n{panel.log.read_text()[-3000:]}"
    return writers, program, filler


def recover(panel):
    """Wait until the panel works normally again, jobs included."""
    end = time.monotonic() + RECOVERY
    while panel.status("/readyz") != 200 or jobs_unfinished(panel):
        assert panel.process.poll() is None, panel.log.read_text()[-5000:]
        assert time.monotonic() < end, panel.log.read_text()[-5000:]
        time.sleep(0.5)


def jobs_unfinished(panel):
    me = Person(panel)
    with suppress(OSError, http.client.HTTPException):
        me.sign_in()
        page = me.get("/jobs/")
        return page.status != 200 or "waiting" in page.text or "running" in page.text
    return True


def assert_invariants(panel, writers, program, filler):
    there = json.loads(panel.python(REPORT).splitlines()[-1])
    acknowledged = {address for writer in writers for _moment, address in writer.done}
    assert acknowledged <= set(there["mailboxes"])
    assert set(program.done) <= set(there["aliases"])
    for name in ("own aliases", "mailbox lines", "mailbox records"):
        assert there[name] == there["mailboxes"], name
    assert there["alias lines"] == there["aliases"]
    assert there["limited"] <= LIMIT
    assert there["active in bulk"] == 0
    assert there["bulk lines"] == 900
    assert there["tallies"]["open.example"] == [len(there["mailboxes"]), len(there["aliases"])]
    assert there["tallies"]["limit.example"] == [there["limited"], 0]
    assert {state for _kind, state, _message in there["jobs"]} <= {"done"}, there["jobs"]
    assert program.statuses | filler.statuses <= ALLOWED
    return there


def run_chaos(panels, outages, seconds, seed):
    writers, program, filler = storm(panels, outages, seconds)
    there = assert_invariants(panels[0], writers, program, filler)
    failed = sum(len(writer.failed) for writer in writers)
    print(
        f"\nseed {seed}, {seconds} s: {outages.counts}; {len(there['mailboxes'])} mailboxes and "
        f"{len(there['aliases'])} aliases, {failed} requests of users failed"
    )
    for panel in panels:
        assert panel.status("/readyz") == 200
        panel.process.terminate()
        assert panel.process.wait(60) == 0, panel.log.read_text()[-3000:]


def repeatable(seed):
    return random.Random(seed)  # noqa: S311 (no secret)
