"""Every statement is counted; a slow one is told with its page, and never with its values."""

import logging
import re
import time

from django.conf import settings
from django.db import OperationalError, connection

from mailadmin.db.mysql.errors import get_error_code
from mailadmin.observability.log_records import get_log_context

logger = logging.getLogger("mailadmin.queries")

MAX_STATEMENT_LENGTH = 2000  # letters of a statement
# What Django and we bind is %s in a statement. What somebody has written into one is left out.
LITERAL_RE = re.compile(r"'(?:[^'\\]|\\.|'')*'|\b0x[0-9a-fA-F]+\b|(?<![\w`.])\d+(?:\.\d+)?\b")
VALUE_LISTS_RE = re.compile(r"(\((?:%s(?:, )?)+\))(?:, ?\((?:%s(?:, )?)+\))+")
PLACEHOLDERS_RE = re.compile(r"%s(?:, %s){2,}")


def install_query_observer() -> None:
    """From here on, all of this thread's."""
    if observe_query not in connection.execute_wrappers:
        # Not at the end, from which whoever watches for a while takes himself away.
        connection.execute_wrappers.insert(0, observe_query)


def observe_query(execute, sql: str, params, many, context):
    began = time.perf_counter()
    try:
        return execute(sql, params, many, context)
    except OperationalError as error:
        count_database_error(error)
        raise
    finally:
        record_query(sql, time.perf_counter() - began)


def record_query(sql: str, seconds: float) -> None:
    at = get_log_context()
    at.query_count += 1
    at.query_seconds += seconds
    if 0 < settings.MAILADMIN_SLOW_QUERY_MS <= seconds * 1000:
        page, ms, statement = at.page or "-", round(seconds * 1000), redact_statement(sql)
        logger.warning(
            "slow query: %d ms on %s: %s",
            ms,
            page,
            statement,
            extra={"fields": {"ms": ms, "statement": statement}},
        )


def redact_statement(sql: str):
    """A statement without values, and lists of places cut short."""
    sql = " ".join(LITERAL_RE.sub("?", str(sql)).split())
    return PLACEHOLDERS_RE.sub("%s, …", VALUE_LISTS_RE.sub(r"\1, …", sql))[:MAX_STATEMENT_LENGTH]


def count_database_error(error) -> None:
    from mailadmin.observability import metrics  # a command has no use for them

    metrics.DATABASE_ERRORS.labels(get_error_code(error) or "other").inc()
