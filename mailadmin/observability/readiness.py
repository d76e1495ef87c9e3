"""Check whether the database is reachable, writable and migrated."""

import logging
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import DatabaseError, connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from mailadmin.accounts.models import LoginFailure
from mailadmin.db.mysql import timeouts
from mailadmin.db.mysql.errors import NOT_IN_CLUSTER_CODES, classify_outage, get_error_code

logger = logging.getLogger("mailadmin.checks")


PROBE_SECONDS = 2  # monitors do not wait as long as people


OUTAGE_STATUSES = {
    "away": "no database",
    "busy": "database is busy",
    "read-only": "database is read only",
    "full": "database disk is full",
    "unknown": "no database",
}


def check_readiness() -> dict[str, Any] | None:
    """Return why the panel cannot work with its database now; None if it can."""
    try:
        with open_probe_connection() as probe_connection:
            problem = check_read_only(probe_connection) or check_migrations(probe_connection)
            if not problem:
                write_probe(probe_connection)
            return problem
    except DatabaseError as error:
        if (kind := classify_outage(error)) is None:
            raise
        logger.error("the database is not ready (%s): %s", kind, error)
        cut_off = get_error_code(error) in NOT_IN_CLUSTER_CODES
        return {"status": "database node without its cluster" if cut_off else OUTAGE_STATUSES[kind]}


@contextmanager
def open_probe_connection() -> Iterator[BaseDatabaseWrapper]:
    """Open a new connection, which shows that the database accepts one."""
    probe_connection = connection.copy()
    if probe_connection.vendor == "mysql":
        probe_connection.settings_dict["OPTIONS"] |= timeouts.driver_options(PROBE_SECONDS)
        probe_connection.settings_dict["OPTIONS"] |= {"connect_timeout": PROBE_SECONDS}
    else:
        probe_connection.settings_dict["OPTIONS"] |= {"timeout": PROBE_SECONDS}
    try:
        yield probe_connection
    finally:
        probe_connection.close()


def write_probe(probe_connection: BaseDatabaseWrapper) -> None:
    """Insert a row and roll back: only a write shows a full disk or a lock."""
    if probe_connection.vendor == "sqlite":
        with probe_connection.cursor() as cursor:
            cursor.execute("BEGIN IMMEDIATE")
    else:
        probe_connection.set_autocommit(False)
    try:
        with probe_connection.cursor() as cursor:
            insert_probe(cursor, probe_connection)
    finally:
        probe_connection.rollback()


def insert_probe(cursor: Any, probe_connection: BaseDatabaseWrapper) -> None:
    """Insert a row that shares no lock with a request or another probe."""
    table = probe_connection.ops.quote_name(LoginFailure._meta.db_table)
    values = [
        f"probe:{secrets.token_hex(16)}",
        0,
        probe_connection.ops.adapt_datetimefield_value(timezone.now()),
    ]
    columns = f"{probe_connection.ops.quote_name('key')}, failures, since"
    cursor.execute(f"INSERT INTO {table} ({columns}) VALUES (%s, %s, %s)", values)  # noqa: S608


def check_read_only(probe_connection: BaseDatabaseWrapper) -> dict[str, Any] | None:
    """Return the problem if the server is a replica, which reads but does not write."""
    if probe_connection.vendor != "mysql":
        return None
    with probe_connection.cursor() as cursor:
        cursor.execute("SELECT @@read_only")
        return {"status": "database is read only"} if cursor.fetchone()[0] else None


def check_migrations(probe_connection: BaseDatabaseWrapper) -> dict[str, Any] | None:
    executor = MigrationExecutor(probe_connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return {"status": "migrations missing", "count": len(plan)} if plan else None
