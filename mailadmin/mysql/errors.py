"""What the errors of a database say about the connection; knows no driver, so SQLite needs none."""

from django.db import InterfaceError, OperationalError

# Nothing was done, and this server will do nothing now: not in its cluster, or only to be read.
REFUSED = {1047, 1290, 1836}
# The connection is gone, or there was none.
LOST = {1053, 1927, 2002, 2003, 2005, 2006, 2012, 2013, 2055, 4031} | REFUSED
# Deadlock, lock wait, record changed: MySQL asks for another try.
AGAIN = {1213, 1205, 1020}
# There is no way in though somebody answers, or no end to waiting for others: one comes back later.
AWAY = {1040, 1044, 1045, 1049, 2026} | LOST | AGAIN
NOT_COMMITTED = AGAIN | REFUSED


class CommitUnknown(OperationalError):
    """The connection was lost while it committed: nobody here knows whether it has happened."""


def code_of(error):
    return error.args[0] if error.args else None


def is_lost(error):
    """Whether another connection would do; what was not committed has not happened."""
    return not isinstance(error, CommitUnknown) and code_of(error) in LOST


def is_away(error):
    """Whether this error says that the database cannot now, not that a statement was wrong."""
    if isinstance(error, InterfaceError | CommitUnknown):
        return True
    if not isinstance(error, OperationalError):
        return False
    return code_of(error) in AWAY or "unable to open database" in str(error)
