"""A real Galera cluster of three nodes on loopback, each to be killed, isolated and restarted.

The nodes begin as copies of one folder; Galera sends a node the changes that it has missed, so
Debian's script for complete copies is not needed.
"""

import getpass
import os
import re
import secrets
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.servers import MariaDB, MariaDBClient, collation_options, command, free_port

PROVIDER = Path("/usr/lib/galera/libgalera_smm.so")
# As docs/cluster.md recommends them.
OPTIONS = {
    "evs.keepalive_period": "PT0.5S",
    "evs.inactive_check_period": "PT0.5S",
    "evs.suspect_timeout": "PT2S",
    "evs.inactive_timeout": "PT4S",
    "evs.install_timeout": "PT4S",
    "repl.causal_read_timeout": "PT5S",
    "gcache.size": "64M",
}
# How a joining node finds the others: it is up to date, or Galera sends the rest.
# MariaDB 11 writes an account for the transfer to the donor's script, which has to read it.
TRANSFER = """#!/bin/sh
while [ $# -gt 0 ]; do
    case $1 in
        --role) role=$2 ;;
        --address) address=$2 ;;
        --datadir) name=$(basename "$2") ;;
        --gtid) position=$2 ;;
        --gtid-domain-id) number=$2 ;;
        --bypass) bypass=yes ;;
    esac
    shift
done
if [ "$role" = joiner ]; then
    rm -f "$0.$name"
    echo "ready 127.0.0.1:1/$name"
    until [ -s "$0.$name" ]; do sleep 0.05; done
    cat "$0.$name"
else
    cat >/dev/null
    [ "$bypass" ] || exit 1
    echo continue
    echo "$position ${number:-0}" > "$0.part"
    mv "$0.part" "$0.${address##*/}"
    echo "done $position"
fi
"""


class Node(MariaDB):
    """A node of the cluster."""

    def __init__(self, cluster, number, password):
        super(MariaDB, self).__init__()
        self.cluster, self.name = cluster, f"node{number}"
        self.data = self.folder / self.name
        self.client = MariaDBClient(
            socket=str(self.folder / "socket"), port=free_port(), password=password
        )
        self.port, self.missed_port = free_port(), free_port()
        self.scripts = self.folder / "scripts"

    @property
    def place(self):
        return f"127.0.0.1:{self.client.port}"

    def arguments(self):
        peers = ",".join(f"127.0.0.1:{node.port}" for node in self.cluster.nodes)
        options = OPTIONS | {
            "gmcast.listen_addr": f"tcp://127.0.0.1:{self.port}",
            "ist.recv_addr": f"127.0.0.1:{self.missed_port}",
        }
        return [
            "mariadbd",
            "--no-defaults",
            f"--user={getpass.getuser()}",
            f"--datadir={self.data}",
            f"--socket={self.client.socket}",
            f"--pid-file={self.folder / 'pid'}",
            "--bind-address=127.0.0.1",
            f"--port={self.client.port}",
            "--skip-name-resolve",
            *collation_options(),
            "--innodb-buffer-pool-size=64M",
            "--innodb-log-file-size=16M",
            "--innodb-flush-method=nosync",
            "--innodb-doublewrite=0",
            "--binlog-format=ROW",
            "--default-storage-engine=InnoDB",
            "--innodb-autoinc-lock-mode=2",
            "--wsrep-on=ON",
            f"--wsrep-provider={PROVIDER}",
            "--wsrep-cluster-name=mailadmin-tests",
            f"--wsrep-cluster-address=gcomm://{peers}",
            f"--wsrep-node-name={self.name}",
            "--wsrep-node-address=127.0.0.1",
            "--wsrep-sst-method=tests",
            # MariaDB 11 has a variable for each option except the one that isolates a node.
            "--loose-plugin-wsrep-provider=OFF",
            "--wsrep-dirty-reads=ON",  # as for mail servers; the panel must still leave the node
            "--wsrep-provider-options=" + ";".join(f"{k}={v}" for k, v in options.items()),
        ]

    def run(self, *more):
        script = self.cluster.scripts / "wsrep_sst_tests"
        path = f"{script.parent}:{os.environ['PATH']}"
        self.start(*self.arguments(), *more, env=os.environ | {"PATH": path})
        self.wait_until(self.is_ready)
        return self

    def is_ready(self):
        result = self.client.run(
            "SHOW STATUS WHERE variable_name IN ('wsrep_local_state_comment', 'wsrep_ready')"
        ).stdout
        return "Synced" in result and "ON" in result

    def provider(self, option):
        self.client.execute(f"SET GLOBAL wsrep_provider_options='{option}'")

    def kill(self):
        """Kill the server, like a power cut."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def restart(self):
        """Restart from the state when it was killed, as Debian's service does."""
        recovery = subprocess.run(
            [command("mariadbd"), *self.arguments()[1:], "--wsrep-recover"],
            capture_output=True,
            text=True,
        )
        position = re.findall(r"Recovered position:\s*(\S+)", recovery.stderr)[-1]
        return self.run(f"--wsrep-start-position={position.partition(',')[0]}")


class Galera:
    def __init__(self):
        if not PROVIDER.exists():
            raise RuntimeError("galera-4 is not installed; tests/run installs what tests need")
        password = secrets.token_hex(8) + "@/:%"
        self.nodes = []
        self.nodes = [Node(self, number, password) for number in range(3)]
        self.scripts = self.nodes[0].folder

    def __enter__(self):
        try:
            return self._begin()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, *error):
        self.stop()

    def _begin(self):
        first, *others = self.nodes
        script = self.scripts / "wsrep_sst_tests"
        script.write_text(TRANSFER)
        script.chmod(0o755)
        first._install(first.data)
        first.run("--wsrep-new-cluster", f"--init-file={first.initial_statements()}")
        first.process.terminate()
        first.process.wait()
        for other in others:
            shutil.copytree(first.data, other.data)
            (other.data / "galera.cache").unlink(missing_ok=True)
        first.run("--wsrep-new-cluster")
        for other in others:
            other.run()
        return self

    def stop(self):
        for node in self.nodes:
            node.stop()

    def hosts(self, *order):
        return ",".join(self.nodes[number].place for number in order or range(3))

    def url(self, *order):
        return self.nodes[0].client.url().replace(self.nodes[0].place, self.hosts(*order))

    def wait_until_equal(self, sql, seconds=30):
        """Return the result of all nodes once it is equal."""
        deadline = time.monotonic() + seconds
        while True:
            answers = [node.client.run(sql, "mailadmin").stdout for node in self.nodes]
            if len(set(answers)) == 1 and answers[0]:
                return answers[0].splitlines()
            if time.monotonic() > deadline:
                pytest.fail(f"{sql}: the nodes differ: {[answer[-300:] for answer in answers]}")
            time.sleep(0.1)
