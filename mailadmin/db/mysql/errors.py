"""What the errors of a database say about the connection; knows no driver, so SQLite needs none."""

import errno

from django.db import DatabaseError, InterfaceError, OperationalError

# Nothing was done, and this server will do nothing now: not in its cluster, or only to be read.
NOT_IN_CLUSTER, READ_ONLY = {1047}, {1290, 1792, 1836}
REFUSED = NOT_IN_CLUSTER | READ_ONLY
# The connection is gone, or there was none.
LOST = {1053, 1927, 2002, 2003, 2005, 2006, 2012, 2013, 2055, 4031} | REFUSED
# Deadlock, lock wait, record changed: MySQL asks for another try.
AGAIN = {1213, 1205, 1020}
DUPLICATE = {1062, 1586}
NO_CONNECTION_LEFT = {1040, 1203, 1226}
# The server's disk is full, or a table has reached its bound.
FULL = {1021, 1114}
NO_SPACE = {3, 20, 1026, 1030, 1296}  # errors of a file, where the text says that it is the space
TOO_SLOW = {1969, 3024}  # the server's own bound of a statement's time
# There is no way in though somebody answers.
AWAY = {1044, 1045, 1049, 2026} | LOST
NOT_COMMITTED = AGAIN | REFUSED
SQLITE = {
    "unable to open database": "away",
    "database is locked": "busy",
    "database table is locked": "busy",
    "database or disk is full": "full",
    "attempt to write a readonly database": "read-only",
    "disk I/O error": "away",
}
DISK_FULL = {errno.ENOSPC, errno.EDQUOT}


class CommitUnknown(OperationalError):
    """The connection was lost while it committed: nobody here knows whether it has happened."""


def code_of(error):
    return error.args[0] if error.args else None


def is_lost(error):
    """Whether another connection would do; what was not committed has not happened."""
    return not isinstance(error, CommitUnknown) and code_of(error) in LOST


def outage(error) -> str | None:
    """Why the database cannot do its work now; None where the error says something else."""
    if isinstance(error, CommitUnknown):
        return "unknown"
    if isinstance(error, InterfaceError):
        return "away"
    if not isinstance(error, DatabaseError):
        return None
    return outage_of_server(error) or outage_of_sqlite(error)


def outage_of_server(error) -> str | None:
    code = code_of(error)
    if code in FULL or (code in NO_SPACE and says_no_space(error)):
        return "full"
    kinds = (("read-only", READ_ONLY), ("busy", NO_CONNECTION_LEFT | AGAIN | TOO_SLOW))
    if kind := next((kind for kind, codes in kinds if code in codes), None):
        return kind
    return "away" if code in AWAY else None


def says_no_space(error) -> bool:
    text = str(error)
    return any(words in text for words in ("No space left", "error 28", "Errcode: 28"))


def outage_of_sqlite(error) -> str | None:
    if not isinstance(error, OperationalError):
        return None
    text = str(error)
    return next((kind for start, kind in SQLITE.items() if start in text), None)


def is_disk_full(error) -> bool:
    """Whether a file of the panel could not be written for want of space."""
    return isinstance(error, OSError) and error.errno in DISK_FULL


def is_duplicate(error) -> bool:
    """Whether a row was refused because one with its key exists; any other refusal is a fault."""
    return code_of(error) in DUPLICATE or "UNIQUE constraint failed" in str(error)
