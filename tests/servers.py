"""Real servers for tests: each in a temporary folder, on loopback, stopped with the tests.

Also when pytest is killed: a guard process of each waits for the end of a pipe from pytest.
"""

import errno
import getpass
import os
import random
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from tests.programs import NEWEST, RELEASES
from tests.releases import command, tested

# A shell, given the folder and the server's process group, that reads until the tests end.
GUARD = """
read -r _
[ -z "$1" ] || kill -s KILL -- "-$1"
rm -rf -- "$0" || { sleep 1; rm -rf -- "$0"; }
"""
PATIENCE = 60  # timeout in seconds of a server that does not respond


# Below those that Linux gives to outgoing connections, which could take one before its server does.
PORTS = range(20_000, 32_000)
reservations = []  # sockets, each named after a port, which end with this process


def free_port():
    """Return a free port that no running process of tests was given before.

    Its server may still have to start, and may be restarted.
    """
    for port in random.sample(PORTS, len(PORTS)):
        reservation = socket.socket(socket.AF_UNIX)
        try:
            reservation.bind(f"\0mailadmin-tests-port-{port}")
            socket.create_server(("127.0.0.1", port)).close()
        except OSError as error:
            reservation.close()
            if error.errno != errno.EADDRINUSE:
                raise
        else:
            reservations.append(reservation)
            return port
    raise RuntimeError("all ports for servers are in use")


class Server:
    """A temporary folder and, once started, a process working in it."""

    process = guard = None
    release = None  # the Debian release whose programs it runs, if not the tested one

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix=f"mailadmin-{type(self).__name__.lower()}-"))
        self._set_guard()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.stop()

    def _set_guard(self, pid=""):
        """Start a shell that kills the server and cleans up if the tests are killed."""
        self._dismiss_guard()
        self.guard = subprocess.Popen(
            ["/bin/sh", "-c", GUARD, self.folder, str(pid)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def _dismiss_guard(self):
        if self.guard:
            self.guard.kill()
            self.guard.wait()
            self.guard.stdin.close()

    def start(self, *arguments, **options):
        """Run the server in the foreground; its output goes to `log` in the folder."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [self.command(arguments[0]), *map(str, arguments[1:])],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **options,
            )
        self._set_guard(self.process.pid)

    def command(self, name):
        return command(name, self.release)

    @property
    def log(self):
        return self.folder / "log"

    def wait_until(self, ready):
        """Wait until `ready` is true; a server that ends or times out fails with its log."""
        deadline = time.monotonic() + PATIENCE
        while not ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop(keep=True)
                raise RuntimeError(f"{self.process.args[0]} did not start:\n{self._log_tail()}")
            time.sleep(0.02)

    def _log_tail(self):
        words = self.log.read_text(errors="replace")[-4000:]
        shutil.rmtree(self.folder, ignore_errors=True)
        return words

    def stop(self, keep=False):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self._dismiss_guard()
        if not keep:
            shutil.rmtree(self.folder, ignore_errors=True)


@dataclass(frozen=True)
class MariaDBClient:
    """Client of a running server, which another process may have started."""

    socket: str
    port: int
    password: str
    user: str = "mailadmin"

    def url(self, name="mailadmin"):
        return f"mysql://{self.user}:{quote(self.password, safe='')}@127.0.0.1:{self.port}/{name}"

    def run(self, sql, database=""):
        return subprocess.run(
            [
                command("mariadb"),
                "--no-defaults",
                # Since MariaDB 11 the client wants a certificate, which older servers do not have.
                "--skip-ssl-verify-server-cert",
                f"--socket={self.socket}",
                f"--user={self.user}",
                "--batch",
                "--skip-column-names",
                database,
            ],
            env=os.environ | {"MYSQL_PWD": self.password},
            input=sql,
            capture_output=True,
            text=True,
        )

    def execute(self, sql, database=""):
        """Run statements; the rows as lines of text. A statement that fails raises."""
        result = self.run(sql, database)
        if result.returncode:
            raise RuntimeError(result.stderr)
        return result.stdout.splitlines()

    def create(self, name, charset="utf8mb4", dump=None):
        """Create a database from the file `dump` and return its URL."""
        self.execute(
            f"DROP DATABASE IF EXISTS `{name}`; CREATE DATABASE `{name}` CHARSET {charset}"
        )
        if dump:
            self.execute(f"SET foreign_key_checks=0;\n{Path(dump).read_text()}", name)
        return self.url(name)


def collation_options(release=None):
    """Return the character set options of Debian's configuration: since release 13 none."""
    known = RELEASES.get(release or tested(), NEWEST)
    if not known.collation:
        return ()
    return ("--character-set-server=utf8mb4", f"--collation-server={known.collation}")


class MariaDB(Server):
    """A MariaDB server as Debian sets it up, without durability."""

    flush_at_commit = 0  # 1: commits survive a killed server

    def __init__(self, release=None):
        self.release = release
        super().__init__()
        self.client = MariaDBClient(
            socket=str(self.folder / "socket"),
            port=free_port(),
            password=secrets.token_hex(8) + "@/:%",  # has to survive in a URL
        )
        self._install()
        self._run(f"--init-file={self.initial_statements()}")

    def _install(self, data=None):
        installed = subprocess.run(
            [
                self.command("mariadb-install-db"),
                "--no-defaults",
                f"--user={getpass.getuser()}",
                f"--datadir={data or self.folder / 'data'}",
                "--auth-root-authentication-method=normal",
                "--skip-test-db",
                f"--tmpdir={self.temporary()}",
            ],
            capture_output=True,
            text=True,
        )
        if installed.returncode:
            self.stop()
            raise RuntimeError(f"mariadb-install-db failed:\n{installed.stdout}{installed.stderr}")

    def temporary(self):
        """Return a separate folder for temporary files, which a starting server empties."""
        folder = self.folder / "temporary"
        folder.mkdir(exist_ok=True)
        return folder

    def initial_statements(self):
        """Return the first statements for a new server."""
        user, password = self.client.user, self.client.password
        initial_statements = self.folder / "people.sql"
        initial_statements.write_text(
            "DELETE FROM mysql.global_priv WHERE User <> 'mariadb.sys';\n"
            "FLUSH PRIVILEGES;\n"
            f"CREATE USER '{user}'@'%' IDENTIFIED BY '{password}';\n"
            f"GRANT ALL ON *.* TO '{user}'@'%' WITH GRANT OPTION;\n"
            "CREATE DATABASE IF NOT EXISTS mailadmin;\n"
        )
        return initial_statements

    def upgrade(self, release):
        """Continue with the program of another release, like an upgraded machine."""
        self.process.terminate()
        self.process.wait(PATIENCE)
        self.release = release
        self._run()
        place = ["--no-defaults", f"--socket={self.client.socket}", f"--user={self.client.user}"]
        subprocess.run(
            [self.command("mariadb-upgrade"), *place],
            env=os.environ | {"MYSQL_PWD": self.client.password},
            check=True,
            capture_output=True,
        )

    def _run(self, *more):
        self.start(
            "mariadbd",
            "--no-defaults",
            f"--user={getpass.getuser()}",
            f"--datadir={self.folder / 'data'}",
            f"--socket={self.client.socket}",
            f"--pid-file={self.folder / 'pid'}",
            f"--tmpdir={self.temporary()}",
            "--bind-address=127.0.0.1",
            f"--port={self.client.port}",
            "--skip-name-resolve",
            *collation_options(self.release),
            "--innodb-buffer-pool-size=64M",
            "--innodb-log-file-size=16M",
            f"--innodb-flush-log-at-trx-commit={self.flush_at_commit}",
            "--innodb-flush-method=nosync",
            "--innodb-doublewrite=0",
            *more,
        )
        self.wait_until(lambda: self.client.run("SELECT 1").returncode == 0)
