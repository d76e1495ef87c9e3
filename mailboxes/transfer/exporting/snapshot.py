"""One state of the database, however long it takes to read it and whatever is written meanwhile."""

from contextlib import contextmanager

from django.db import connection

BEGIN = {
    "mysql": (
        "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ",
        "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
    ),
    "sqlite": ("BEGIN",),  # Django's own would keep all others from writing
}


@contextmanager
def snapshot():
    """Reads here see what was there when it began; nothing is written here."""
    if connection.in_atomic_block:
        yield
        return
    with connection.cursor() as cursor:
        for statement in BEGIN[connection.vendor]:
            cursor.execute(statement)
        try:
            yield
        finally:
            cursor.execute("ROLLBACK")
