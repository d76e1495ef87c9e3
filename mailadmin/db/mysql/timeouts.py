"""Time limits of statements. A host that vanished does not answer, so waiting has to end.

A page gives up early, as its reader would. A command may count a million rows, and an ALTER TABLE
of them takes its time.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connections

PAGE_SECONDS, COMMAND_SECONDS, UPGRADE_SECONDS = 15, 60, 24 * 60 * 60
MAX_LOCK_WAIT_SECONDS = 50  # a waiting ALTER TABLE blocks all others on the table


def driver_options(seconds: int) -> dict[str, Any]:
    """Return driver options; the server reports a lock wait before the driver gives up."""
    wait = min(seconds // 2, MAX_LOCK_WAIT_SECONDS)
    return {
        "read_timeout": seconds,
        "write_timeout": seconds,
        # Strict for writes; old rows with zero dates still have to be read and kept.
        "init_command": "SET sql_mode='STRICT_TRANS_TABLES',"
        f" innodb_lock_wait_timeout={wait}, lock_wait_timeout={wait},"
        # One index has a page of a domain's rows; MySQL would rather read two indexes whole.
        " optimizer_switch='index_merge_intersection=off'",
    }


def activate(seconds: int | None) -> int | None:
    """Set the limit for all threads of this process; return the previous one."""
    entry, connection = connections.settings["default"], connections["default"]
    previous = entry["OPTIONS"].get("read_timeout")
    if seconds is not None and entry["ENGINE"] == "mailadmin.db.mysql":
        entry["OPTIONS"] |= driver_options(seconds)
    if not connection.in_atomic_block:
        connection.close()  # the next connection has the new limit
    return previous


@contextmanager
def override(seconds: int) -> Iterator[None]:
    """Change the limit within a block."""
    previous = activate(seconds)
    try:
        yield
    finally:
        activate(previous)
