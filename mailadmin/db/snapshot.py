"""One consistent state of the database, however long reading takes."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction


@contextmanager
def snapshot() -> Iterator[None]:
    """Run reads in a consistent snapshot; nothing can be written in it."""
    if connection.in_atomic_block:
        yield
        return
    with SNAPSHOTS[connection.vendor]():
        yield


@contextmanager
def mysql_snapshot() -> Iterator[None]:
    """Open the snapshot in a transaction that Django knows of.

    So if the connection is lost, the remaining queries fail instead of being sent on a new one.
    """
    with connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        with transaction.atomic():
            cursor.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")
            yield
            transaction.set_rollback(True)


@contextmanager
def sqlite_snapshot() -> Iterator[None]:
    """Open a plain transaction: Django's own would keep all others from writing."""
    with connection.cursor() as cursor:
        cursor.execute("BEGIN")
        try:
            yield
        finally:
            cursor.execute("ROLLBACK")


SNAPSHOTS = {"mysql": mysql_snapshot, "sqlite": sqlite_snapshot}
