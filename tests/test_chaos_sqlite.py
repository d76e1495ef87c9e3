"""Outages of a panel on SQLite, on its own disk."""

import subprocess
from contextlib import contextmanager

import pytest

from tests.chaos import PREPARE, Served, repeatable, run_chaos
from tests.outages import SQLiteOutages

pytestmark = [pytest.mark.slow, pytest.mark.mariadb]  # once, in the second run of the suite


def test_on_sqlite(seconds, seed, tmp_path):
    with disk_of_its_own(tmp_path) as has_own_disk:
        path = tmp_path / "panel.sqlite3"
        with Served(f"sqlite://{path}", tmp_path) as panel:
            panel.python(PREPARE)
            panels = [panel.run()]
            outages = SQLiteOutages(panels, repeatable(seed), path, has_own_disk)
            run_chaos(panels, outages, seconds, seed)


# A shell that unmounts the given folder when it or the test process ends.
GUARD = 'read -r _; umount -l -- "$0"'


@contextmanager
def disk_of_its_own(folder):
    """Return a small file system if the machine allows one; otherwise no disk can get full."""
    command_line = ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(folder)]
    if subprocess.run(command_line, capture_output=True).returncode:
        yield False
        return
    guard = ["/bin/sh", "-c", GUARD, str(folder)]
    with subprocess.Popen(guard, stdin=subprocess.PIPE, start_new_session=True) as process:
        try:
            yield True
        finally:
            process.stdin.close()
