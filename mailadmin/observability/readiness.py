"""Return whether the database can be used now: reachable, writable, migrated."""

import logging
import secrets
from contextlib import contextmanager

from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from mailadmin.accounts.models import LoginFailure
from mailadmin.db.mysql import timeouts
from mailadmin.db.mysql.errors import NOT_IN_CLUSTER_CODES, classify_outage, get_error_code

logger = logging.getLogger("mailadmin.checks")


PROBE_SECONDS = 2  # a monitor waits for no answer as long as a person does


OUTAGE_STATUSES = {
    "away": "no database",
    "busy": "database is busy",
    "read-only": "database is read only",
    "full": "database disk is full",
    "unknown": "no database",
}


def check_readiness():
    """Why the panel cannot work with its database now, in a few words and numbers; or nothing."""
    try:
        with open_probe_connection() as own:
            missing = check_read_only(own) or check_migrations(own)
            if not missing:
                write_probe(own)
            return missing
    except DatabaseError as error:
        if (kind := classify_outage(error)) is None:
            raise
        logger.error("the database is not ready (%s): %s", kind, error)
        cut_off = get_error_code(error) in NOT_IN_CLUSTER_CODES
        return {"status": "database node without its cluster" if cut_off else OUTAGE_STATUSES[kind]}


@contextmanager
def open_probe_connection():
    """One of its own: as a new one, it shows that there is a way in."""
    own = connection.copy()
    if own.vendor == "mysql":
        own.settings_dict["OPTIONS"] |= timeouts.driver_options(PROBE_SECONDS)
        own.settings_dict["OPTIONS"] |= {"connect_timeout": PROBE_SECONDS}
    else:
        own.settings_dict["OPTIONS"] |= {"timeout": PROBE_SECONDS}
    try:
        yield own
    finally:
        own.close()


def write_probe(own) -> None:
    """Write a row and take it back: a full disk and a lock show only then."""
    if own.vendor == "sqlite":
        with own.cursor() as cursor:
            cursor.execute("BEGIN IMMEDIATE")
    else:
        own.set_autocommit(False)
    try:
        with own.cursor() as cursor:
            insert_probe(cursor, own)
    finally:
        own.rollback()


def insert_probe(cursor, own) -> None:
    """A row that no request and no other probe shares a lock with."""
    table = own.ops.quote_name(LoginFailure._meta.db_table)
    values = [
        f"probe:{secrets.token_hex(16)}",
        0,
        own.ops.adapt_datetimefield_value(timezone.now()),
    ]
    columns = f"{own.ops.quote_name('key')}, failures, since"
    cursor.execute(f"INSERT INTO {table} ({columns}) VALUES (%s, %s, %s)", values)  # noqa: S608


def check_read_only(own):
    """A replica answers every question and takes no change."""
    if own.vendor != "mysql":
        return None
    with own.cursor() as cursor:
        cursor.execute("SELECT @@read_only")
        return {"status": "database is read only"} if cursor.fetchone()[0] else None


def check_migrations(own):
    executor = MigrationExecutor(own)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return {"status": "migrations missing", "count": len(plan)} if plan else None
