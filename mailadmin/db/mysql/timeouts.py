"""How long a statement may take. A host that has vanished says nothing: one has to stop waiting.

A page gives up soon, its reader would as well. A command may count a million rows, and an
ALTER TABLE of them takes its time.
"""

from contextlib import contextmanager

from django.db import connections

PAGE_SECONDS, COMMAND_SECONDS, UPGRADE_SECONDS = 15, 60, 24 * 60 * 60  # seconds
MAX_LOCK_WAIT_SECONDS = 50  # an ALTER TABLE that waits for one keeps all others from the table


def driver_options(seconds: float):
    """For the driver; who waits for a lock is told by the server before we hang up on it."""
    wait = min(seconds // 2, MAX_LOCK_WAIT_SECONDS)
    return {
        "read_timeout": seconds,
        "write_timeout": seconds,
        # Strict for what is written; old rows with zero dates still have to be read and kept.
        "init_command": "SET sql_mode='STRICT_TRANS_TABLES',"
        f" innodb_lock_wait_timeout={wait}, lock_wait_timeout={wait},"
        # A page of a domain's rows lies in one index; MySQL would rather read two of them whole.
        " optimizer_switch='index_merge_intersection=off'",
    }


def activate(seconds: float):
    """From here on, in all threads of this process; what was allowed before."""
    entry, connection = connections.settings["default"], connections["default"]
    before = entry["OPTIONS"].get("read_timeout")
    if entry["ENGINE"] == "mailadmin.db.mysql":
        entry["OPTIONS"] |= driver_options(seconds)
    if not connection.in_atomic_block:
        connection.close()  # the next one has it
    return before


@contextmanager
def override(seconds: float):
    """For work that takes longer, or may not take as long."""
    before = activate(seconds)
    try:
        yield
    finally:
        activate(before)
