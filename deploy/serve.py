"""Bring the database up, then run the web server and the worker until stopped, or until one ends.

Both are forks of this process, which has the panel loaded already: a start takes a second less.
"""

import ctypes
import os
import signal
import socket
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mailadmin.settings")

import django  # noqa: E402
from django.conf import settings  # noqa: E402
from django.core.management import BaseCommand, CommandError, call_command  # noqa: E402
from django.core.management.base import SystemCheckError  # noqa: E402
from django.db import DatabaseError, connections  # noqa: E402
from django.db.migrations.executor import MigrationExecutor  # noqa: E402

STOP = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
GRACE = 25  # seconds; gunicorn gives requests under way 20
PR_SET_PDEATHSIG = 1


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


def prepare():
    """Check the settings and the database, migrate where something is to do, make the admin."""
    try:
        BaseCommand().check(databases=["default"])
        executor = MigrationExecutor(connections["default"])
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            call_command("migrate", interactive=False, skip_checks=True, verbosity=1)
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


class Stopped(Exception):
    """A signal asked for the end."""


def on_signal(number, frame):
    for each in STOP:
        signal.signal(each, signal.SIG_IGN)
    raise Stopped


def fork(part, server):
    """Start one part; it is told to stop even when this process is killed."""
    parent = os.getpid()
    sys.stdout.flush()
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP)
    child = os.fork()
    if not child:
        for number in STOP:
            signal.signal(number, signal.SIG_DFL)
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(1)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP)
    if not child:
        part(server)
        sys.exit()
    return child


def watch(parts):
    """Wait until one of the parts ends, which none should."""
    ended, result = os.wait()
    code = os.waitstatus_to_exitcode(result)
    how = f"signal {-code}" if code < 0 else f"status {code}"
    print(f"mailadmin: {parts.pop(ended)} has ended ({how}); stopping", file=sys.stderr)
    return 1


def finish(parts):
    for child in parts:
        os.kill(child, signal.SIGTERM)
    deadline = time.monotonic() + GRACE
    while parts and time.monotonic() < deadline:
        child, _ = os.waitpid(-1, os.WNOHANG)
        parts.pop(child, None)
        if not child:
            time.sleep(0.02)
    for child in parts:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def main():
    parts, status = {}, 0
    for number in STOP:
        signal.signal(number, on_signal)
    try:
        server = listener(settings.MAILADMIN_BIND)
        django.setup()
        prepare()
        parts[fork(web, server)] = "the web server"
        parts[fork(worker, server)] = "the worker"
        server.close()
        status = watch(parts)
    except Stopped:
        pass
    finish(parts)
    sys.exit(status)


if __name__ == "__main__":
    main()
