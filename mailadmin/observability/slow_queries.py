"""Every statement is counted; a slow one is told with its page, and never with its values."""

import logging
import re
import time

from django.conf import settings
from django.db import OperationalError, connection

from mailadmin.db.mysql.errors import code_of
from mailadmin.observability.log_records import now

logger = logging.getLogger("mailadmin.queries")

LONGEST = 2000  # letters of a statement
# What Django and we bind is %s in a statement. What somebody has written into one is left out.
VALUES = re.compile(r"'(?:[^'\\]|\\.|'')*'|\b0x[0-9a-fA-F]+\b|(?<![\w`.])\d+(?:\.\d+)?\b")
LISTS = re.compile(r"(\((?:%s(?:, )?)+\))(?:, ?\((?:%s(?:, )?)+\))+")
PLACES = re.compile(r"%s(?:, %s){2,}")


def watch_queries():
    """From here on, all of this thread's."""
    if watched not in connection.execute_wrappers:
        # Not at the end, from which whoever watches for a while takes himself away.
        connection.execute_wrappers.insert(0, watched)


def watched(execute, sql, params, many, context):
    began = time.perf_counter()
    try:
        return execute(sql, params, many, context)
    except OperationalError as error:
        count_error(error)
        raise
    finally:
        note(sql, time.perf_counter() - began)


def note(sql, seconds):
    at = now()
    at.queries += 1
    at.seconds += seconds
    if 0 < settings.MAILADMIN_SLOW_QUERY_MS <= seconds * 1000:
        page, ms, statement = at.page or "-", round(seconds * 1000), shown(sql)
        logger.warning(
            "slow query: %d ms on %s: %s",
            ms,
            page,
            statement,
            extra={"fields": {"ms": ms, "statement": statement}},
        )


def shown(sql):
    """A statement without values, and lists of places cut short."""
    sql = " ".join(VALUES.sub("?", str(sql)).split())
    return PLACES.sub("%s, …", LISTS.sub(r"\1, …", sql))[:LONGEST]


def count_error(error):
    from mailadmin.observability import metrics  # a command has no use for them

    metrics.DATABASE_ERRORS.labels(code_of(error) or "other").inc()
