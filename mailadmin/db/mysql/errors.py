"""What the errors of a database say about the connection; knows no driver, so SQLite needs none."""

import errno

from django.db import DatabaseError, InterfaceError, OperationalError

# Nothing was done, and this server will do nothing now: not in its cluster, or only to be read.
NOT_IN_CLUSTER_CODES, READ_ONLY_CODES = {1047}, {1290, 1792, 1836}
REFUSED_CODES = NOT_IN_CLUSTER_CODES | READ_ONLY_CODES
# The connection is gone, or there was none.
CONNECTION_LOST_CODES = {1053, 1927, 2002, 2003, 2005, 2006, 2012, 2013, 2055, 4031} | REFUSED_CODES
# Deadlock, lock wait, record changed: MySQL asks for another try.
RETRYABLE_CODES = {1213, 1205, 1020}
DUPLICATE_KEY_CODES = {1062, 1586}
TOO_MANY_CONNECTIONS_CODES = {1040, 1203, 1226}
# The server's disk is full, or a table has reached its bound.
SERVER_DISK_FULL_CODES = {1021, 1114}
FILE_ERROR_CODES = {
    3,
    20,
    1026,
    1030,
    1296,
}  # errors of a file, where the text says that it is the space
STATEMENT_TIMEOUT_CODES = {1969, 3024}  # the server's own bound of a statement's time
# There is no way in though somebody answers.
UNAVAILABLE_CODES = {1044, 1045, 1049, 2026} | CONNECTION_LOST_CODES
NOT_COMMITTED_CODES = RETRYABLE_CODES | REFUSED_CODES
SQLITE_OUTAGES = {
    "unable to open database": "away",
    "database is locked": "busy",
    "database table is locked": "busy",
    "database or disk is full": "full",
    "attempt to write a readonly database": "read-only",
    "disk I/O error": "away",
}
DISK_FULL_ERRNOS = {errno.ENOSPC, errno.EDQUOT}


class CommitOutcomeUnknown(OperationalError):
    """The connection was lost while it committed: nobody here knows whether it has happened."""


def get_error_code(error):
    return error.args[0] if error.args else None


def is_connection_lost(error) -> bool:
    """Return whether another connection would do; what was not committed has not happened."""
    return (
        not isinstance(error, CommitOutcomeUnknown)
        and get_error_code(error) in CONNECTION_LOST_CODES
    )


def classify_outage(error) -> str | None:
    """Why the database cannot do its work now; None where the error says something else."""
    if isinstance(error, CommitOutcomeUnknown):
        return "unknown"
    if isinstance(error, InterfaceError):
        return "away"
    if not isinstance(error, DatabaseError):
        return None
    return classify_server_outage(error) or classify_sqlite_outage(error)


def classify_server_outage(error) -> str | None:
    code = get_error_code(error)
    if code in SERVER_DISK_FULL_CODES or (code in FILE_ERROR_CODES and mentions_no_space(error)):
        return "full"
    kinds = (
        ("read-only", READ_ONLY_CODES),
        ("busy", TOO_MANY_CONNECTIONS_CODES | RETRYABLE_CODES | STATEMENT_TIMEOUT_CODES),
    )
    if kind := next((kind for kind, codes in kinds if code in codes), None):
        return kind
    return "away" if code in UNAVAILABLE_CODES else None


def mentions_no_space(error) -> bool:
    text = str(error)
    return any(words in text for words in ("No space left", "error 28", "Errcode: 28"))


def classify_sqlite_outage(error) -> str | None:
    if not isinstance(error, OperationalError):
        return None
    text = str(error)
    return next((kind for start, kind in SQLITE_OUTAGES.items() if start in text), None)


def is_disk_full(error) -> bool:
    """Return whether a file of the panel could not be written for want of space."""
    return isinstance(error, OSError) and error.errno in DISK_FULL_ERRNOS


def is_duplicate_key(error) -> bool:
    """Whether a row was refused because one with its key exists; any other refusal is a fault."""
    return get_error_code(error) in DUPLICATE_KEY_CODES or "UNIQUE constraint failed" in str(error)
