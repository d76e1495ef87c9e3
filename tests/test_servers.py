"""The servers of the tests are stopped with the tests, however these end."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.servers import PORTS, MariaDB, Server, free_port

PATIENCE = 60


@pytest.mark.mariadb
def test_a_server_that_is_stopped_leaves_nothing():
    with MariaDB() as server:
        assert server.client.execute("SELECT 1") == ["1"]
    assert server.process.returncode is not None
    assert not server.folder.exists()


def test_two_processes_are_never_given_the_same_port(monkeypatch):
    two = [free_port(), free_port()]
    monkeypatch.setattr("tests.servers.PORTS", two)
    with pytest.raises(RuntimeError, match="all ports"):
        free_port()
    code = f"from tests import servers; servers.PORTS = {two}; servers.free_port()"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "all ports for servers are in use" in other.stderr


def test_outgoing_connections_do_not_use_the_ports_of_servers():
    first, last = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()
    assert not set(PORTS) & set(range(int(first), int(last) + 1))


def test_a_run_that_is_killed_leaves_no_server_and_no_folder():
    code = """
import time
from tests.servers import Server
server = Server()
server.start("sleep", "1000")
print(server.process.pid, server.folder, flush=True)
time.sleep(1000)
"""
    run = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    pid, folder = run.stdout.readline().split()
    assert Path(folder).exists()
    run.kill()
    run.communicate()
    deadline = time.monotonic() + PATIENCE
    while (is_alive(pid) or Path(folder).exists()) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not is_alive(pid)
    assert not Path(folder).exists()


def test_a_server_that_does_not_start_reports_its_log():
    with Server() as server:
        server.start("sh", "-c", "echo out of cheese; exit 1")
        with pytest.raises(RuntimeError, match="out of cheese"):
            server.wait_until(lambda: False)
    assert not server.folder.exists()


def is_alive(pid):
    """Return whether a process runs; zombies count as dead."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_process_of_a_stopped_server_gets_the_signal():
    with Server() as server:
        server.start("sleep", "1000")
    assert server.process.returncode == -signal.SIGTERM
    with pytest.raises(ProcessLookupError):
        os.kill(server.process.pid, 0)
