"""One state of the database, however long it takes to read it and whatever is written meanwhile."""

from contextlib import contextmanager

from django.db import connection, transaction


@contextmanager
def snapshot():
    """Reads here see what was there when it began; nothing is written here."""
    if connection.in_atomic_block:
        yield
        return
    with SNAPSHOTS[connection.vendor]():
        yield


@contextmanager
def mysql_snapshot():
    """In a transaction that Django knows of: what is lost in its middle is not asked elsewhere."""
    with connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        with transaction.atomic():
            cursor.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")
            yield
            transaction.set_rollback(True)


@contextmanager
def sqlite_snapshot():
    """Django's own transaction would keep all others from writing."""
    with connection.cursor() as cursor:
        cursor.execute("BEGIN")
        try:
            yield
        finally:
            cursor.execute("ROLLBACK")


SNAPSHOTS = {"mysql": mysql_snapshot, "sqlite": sqlite_snapshot}
