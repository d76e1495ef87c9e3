"""Bring the database up, then run the web server and the worker until stopped.

Both are forks of this process, which has the panel loaded already: a start takes a second less.
One that ends is started again, after a wait that grows while it keeps ending.
"""

import atexit
import ctypes
import os
import shutil
import signal
import socket
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mailadmin.settings")

from mailadmin import reduce_garbage_collection  # noqa: E402

reduce_garbage_collection()  # before everything is loaded

import django  # noqa: E402
from django.conf import settings  # noqa: E402
from django.core.management import BaseCommand, CommandError, call_command  # noqa: E402
from django.core.management.base import SystemCheckError  # noqa: E402
from django.db import DatabaseError, connections  # noqa: E402
from django.db.migrations.executor import MigrationExecutor  # noqa: E402

SIGNALS = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD}
GRACE = 25  # seconds; gunicorn gives requests under way 20
STEADY = 60  # seconds after which a part that ends did not fail at its start
# Seconds until a part that keeps ending is started again. Meanwhile nobody answers at the address.
LONGEST_WAIT = {"the web server": 5, "the worker": 60}
PR_SET_PDEATHSIG, PR_SET_NAME = 1, 15


def stop(message):
    sys.exit(f"mailadmin: {message}")


def listener(bind):
    """The listening socket; taken before anything is changed, so that a second start ends here."""
    try:
        if bind.startswith("unix:"):
            return unix_listener(bind.removeprefix("unix:"))
        host, _, port = bind.rpartition(":")
        family = socket.AF_INET6 if host.startswith("[") else socket.AF_INET
        return socket.create_server((host.strip("[]"), int(port)), family=family, backlog=2048)
    except OSError as error:
        stop(f"MAILADMIN_BIND {bind}: {os.strerror(error.errno)}")


def unix_listener(path):
    """A socket for the proxy beside us; one left behind by a panel that was killed is replaced."""
    server = socket.socket(socket.AF_UNIX)
    with socket.socket(socket.AF_UNIX) as client:
        if os.path.exists(path) and client.connect_ex(path):
            os.unlink(path)
    umask = os.umask(0)
    server.bind(path)
    os.umask(umask)
    server.listen(2048)
    return server


def count_together():
    """Where the web server's processes keep their numbers; known before they load the panel."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        folder = tempfile.mkdtemp(prefix="mailadmin-metrics-")
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        atexit.register(forget_numbers, folder, os.getpid())


def forget_numbers(folder, owner):
    """Not when one of the forks ends, which have this to do as well."""
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)


def prepare():
    """Check the settings and the database, migrate where something is to do, make the admin."""
    try:
        BaseCommand().check(databases=["default"])
        executor = MigrationExecutor(connections["default"])
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            call_command("migrate", interactive=False, skip_checks=True, verbosity=1)
            BaseCommand().check(databases=["default"])  # of the tables that there are now
        call_command("firstadmin", skip_checks=True)
    except (CommandError, SystemCheckError) as error:
        stop(error)
    except DatabaseError as error:
        stop(f"MAILADMIN_DATABASE_URL: {' '.join(map(str, error.args))}")
    connections.close_all()


def web(server):
    from gunicorn.app.wsgiapp import WSGIApplication

    sys.argv = ["gunicorn", "--config", str(ROOT / "deploy/gunicorn.conf.py")]
    sys.argv += ["--bind", f"fd://{server.detach()}"]
    WSGIApplication("%(prog)s [OPTIONS] [APP_MODULE]", prog="gunicorn").run()


def worker(server):
    server.close()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C reaches us as TERM
    call_command("worker", skip_checks=True)


def fork(part, server):
    """Start one part; it is told to stop even when this process is killed."""
    parent = os.getpid()
    sys.stdout.flush()
    if child := os.fork():
        return child
    prctl = ctypes.CDLL(None).prctl
    prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    prctl(PR_SET_NAME, f"mailadmin-{part.__name__}".encode())  # for `ps`
    if os.getppid() != parent:
        os._exit(1)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    part(server)
    sys.exit()


class Part:
    """The web server or the worker: a process that is started again when it ends."""

    def __init__(self, run, name, server):
        self.run, self.name, self.server = run, name, server
        self.failures = 0
        self.start()

    def start(self):
        self.pid, self.since, self.due = fork(self.run, self.server), time.monotonic(), None

    def find_faults(self):
        """Notice that the process has ended, and when it is to be started again."""
        if self.pid is None or not (ended := os.waitpid(self.pid, os.WNOHANG))[0]:
            return
        steady = time.monotonic() - self.since > STEADY
        self.pid, self.failures = None, 1 if steady else self.failures + 1
        wait = min(LONGEST_WAIT[self.name], 2 ** (self.failures - 1))
        self.due = time.monotonic() + wait
        text = f"mailadmin: {self.name} has ended ({how(ended[1])}); starting it again in {wait} s"
        print(text, file=sys.stderr, flush=True)

    def start_if_due(self):
        if self.due is not None and time.monotonic() >= self.due:
            self.start()


def watch(parts):
    """Keep the parts running until a signal ends us."""
    while True:
        due = [part.due for part in parts if part.due is not None]
        wait = max(0.0, min(due) - time.monotonic()) if due else 3600.0
        came = signal.sigtimedwait(SIGNALS, wait)
        if came is not None and came.si_signo != signal.SIGCHLD:
            return
        for part in parts:
            part.find_faults()
            part.start_if_due()


def how(result):
    code = os.waitstatus_to_exitcode(result)
    return f"signal {-code}" if code < 0 else f"status {code}"


def finish(parts):
    """End the parts, and wait for them as long as they may take."""
    children = [part.pid for part in parts if part.pid is not None]
    for child in children:
        os.kill(child, signal.SIGTERM)
    deadline = time.monotonic() + GRACE
    for child in children:
        while not os.waitpid(child, os.WNOHANG)[0]:
            patience = deadline - time.monotonic()
            if patience <= 0:
                os.kill(child, signal.SIGKILL)
            signal.sigtimedwait({signal.SIGCHLD}, max(patience, 1))


def main():
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # until there are parts, dying is all there is
    server = listener(settings.MAILADMIN_BIND)
    count_together()
    django.setup()
    prepare()
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    parts = [Part(web, "the web server", server), Part(worker, "the worker", server)]
    watch(parts)
    finish(parts)


if __name__ == "__main__":
    main()
