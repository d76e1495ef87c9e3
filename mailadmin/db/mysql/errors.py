"""Classify errors of the database. This module imports no driver, so SQLite needs none."""

import errno
from typing import Any

from django.db import DatabaseError, InterfaceError, OperationalError

# The server did nothing and will do nothing now: it is not in its cluster, or read-only.
NOT_IN_CLUSTER_CODES, READ_ONLY_CODES = {1047}, {1290, 1792, 1836}
REFUSED_CODES = NOT_IN_CLUSTER_CODES | READ_ONLY_CODES
# The connection is lost, or could not be opened.
CONNECTION_LOST_CODES = {1053, 1927, 2002, 2003, 2005, 2006, 2012, 2013, 2055, 4031} | REFUSED_CODES
# Deadlock, lock wait timeout, record changed: MySQL asks for another attempt.
RETRYABLE_CODES = {1213, 1205, 1020}
DUPLICATE_KEY_CODES = {1062, 1586}
TOO_MANY_CONNECTIONS_CODES = {1040, 1203, 1226}
# The server's disk is full, or a table has reached its maximum size.
SERVER_DISK_FULL_CODES = {1021, 1114}
FILE_ERROR_CODES = {3, 20, 1026, 1030, 1296}  # file errors; the text tells a full disk from others
STATEMENT_TIMEOUT_CODES = {1969, 3024}  # the server's own limit for a statement
# The server is there, and refuses the login, the database or the encryption.
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
    """The connection was lost during a commit: nobody knows whether it happened."""


def get_error_code(error: BaseException) -> Any:
    return error.args[0] if error.args else None


def is_connection_lost(error: BaseException) -> bool:
    """Return whether another connection would help; what was not committed did not happen."""
    return (
        not isinstance(error, CommitOutcomeUnknown)
        and get_error_code(error) in CONNECTION_LOST_CODES
    )


def classify_outage(error: BaseException | None) -> str | None:
    """Return the kind of outage that an error means; None if it means none."""
    if isinstance(error, CommitOutcomeUnknown):
        return "unknown"
    if isinstance(error, InterfaceError):
        return "away"
    if not isinstance(error, DatabaseError):
        return None
    return classify_server_outage(error) or classify_sqlite_outage(error)


def classify_server_outage(error: BaseException) -> str | None:
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


def mentions_no_space(error: BaseException) -> bool:
    text = str(error)
    return any(words in text for words in ("No space left", "error 28", "Errcode: 28"))


def classify_sqlite_outage(error: BaseException) -> str | None:
    if not isinstance(error, OperationalError):
        return None
    text = str(error)
    return next((kind for start, kind in SQLITE_OUTAGES.items() if start in text), None)


def is_disk_full(error: BaseException | None) -> bool:
    """Return whether the panel could not write a file because the disk is full."""
    return isinstance(error, OSError) and error.errno in DISK_FULL_ERRNOS


def is_duplicate_key(error: BaseException) -> bool:
    """Return whether a row was refused because its key exists, and for no other reason."""
    return get_error_code(error) in DUPLICATE_KEY_CODES or "UNIQUE constraint failed" in str(error)
