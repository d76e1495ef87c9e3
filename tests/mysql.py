"""MySQL itself, of Debian's unstable suite: its releases have MariaDB alone.

The server and all libraries that it needs are downloaded once, unpacked into the cache, and run
from there by the loader among them, so that neither root nor a Debian of that age is needed.
"""

import getpass
import secrets
import subprocess
import sys

from tests import packages, releases
from tests.servers import MariaDBClient, Server, free_port

SUITE, PACKAGE = "sid", "mysql-server-core"
# With the release's own settings of modes, collations and passwords.
SPARING = (
    "--innodb-buffer-pool-size=64M",
    "--innodb-redo-log-capacity=32M",
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-flush-method=nosync",
    "--innodb-doublewrite=OFF",
    # Statistics count small tables whole: plans of a test do not depend on a random sample.
    "--innodb-stats-persistent-sample-pages=1000",
    "--skip-log-bin",
    "--mysqlx=OFF",
    "--secure-file-priv=NULL",
)


def unpacked():
    """Return the folder with the server, created by the first run and kept for the next."""
    releases.CACHE.mkdir(parents=True, exist_ok=True)
    folder = releases.CACHE / "mysql"
    with releases.locked(releases.CACHE / "lock"):
        if not folder.exists():
            with releases.part_of_cache() as part:
                packages.unpack_whole(PACKAGE, part, SUITE)
                part.rename(folder)
    return folder


class MySQL(Server):
    """A MySQL server with its defaults, without durability."""

    def __init__(self):
        super().__init__()
        self.root = unpacked()
        self.client = MariaDBClient(
            socket=str(self.folder / "socket"),
            port=free_port(),
            password=secrets.token_hex(8) + "@/:%",
        )
        self._install()
        self._run()

    def program(self):
        """Return the command of the server, run by its own loader with its own libraries."""
        libraries = next(self.root.glob("usr/lib/*-linux-gnu*"))
        loader = next(libraries.glob("ld-linux*.so.*"))
        return [loader, "--library-path", libraries, self.root / "usr/sbin/mysqld"]

    def arguments(self):
        return [
            "--no-defaults",
            f"--user={getpass.getuser()}",
            f"--basedir={self.root / 'usr'}",
            f"--datadir={self.folder / 'data'}",
        ]

    def _install(self):
        installed = subprocess.run(
            [*self.program(), *self.arguments(), "--initialize-insecure"],
            capture_output=True,
            text=True,
        )
        if installed.returncode:
            self.stop()
            raise RuntimeError(f"mysqld --initialize-insecure failed:\n{installed.stderr}")

    def initial_statements(self):
        """Return the first statements for a new server."""
        user, password = self.client.user, self.client.password
        initial_statements = self.folder / "people.sql"
        initial_statements.write_text(
            f"CREATE USER '{user}'@'%' IDENTIFIED BY '{password}';\n"
            f"GRANT ALL ON *.* TO '{user}'@'%' WITH GRANT OPTION;\n"
            "ALTER USER root@localhost ACCOUNT LOCK;\n"
            "CREATE DATABASE mailadmin;\n"
        )
        return initial_statements

    def _run(self):
        loader, *rest = self.program()
        self.start(
            str(loader),
            *rest,
            *self.arguments(),
            f"--socket={self.client.socket}",
            f"--pid-file={self.folder / 'pid'}",
            "--bind-address=127.0.0.1",
            f"--port={self.client.port}",
            f"--init-file={self.initial_statements()}",
            *SPARING,
        )
        self.wait_until(lambda: self.client.run("SELECT 1").returncode == 0)


NOT_THERE = 3  # exit status


def main():
    """Print the tested version, or that the unstable suite lacks it at present."""
    try:
        unpacked()
    except releases.Unavailable as error:
        print(f"Not tested: MySQL of Debian's {SUITE}. {error}")
        sys.exit(NOT_THERE)
    with MySQL() as server:
        print(f"MySQL {server.client.execute('SELECT VERSION()')[0]}")


if __name__ == "__main__":
    main()
