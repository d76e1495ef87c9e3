"""Count every statement, and log slow ones with their page but without values."""

import logging
import re
import time
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.db import OperationalError, connection

from mailadmin.db.mysql.errors import get_error_code
from mailadmin.observability.log_records import get_log_context

logger = logging.getLogger("mailadmin.queries")

MAX_STATEMENT_LENGTH = 2000  # characters
# Bound values are %s in a statement. These are literals in the statement itself.
LITERAL_RE = re.compile(r"'(?:[^'\\]|\\.|'')*'|\b0x[0-9a-fA-F]+\b|(?<![\w`.])\d+(?:\.\d+)?\b")
VALUE_LISTS_RE = re.compile(r"(\((?:%s(?:, )?)+\))(?:, ?\((?:%s(?:, )?)+\))+")
PLACEHOLDERS_RE = re.compile(r"%s(?:, %s){2,}")


def install_query_observer() -> None:
    """Observe all statements of this thread from now on."""
    if observe_query not in connection.execute_wrappers:
        # Not at the end, from which temporary wrappers remove themselves.
        connection.execute_wrappers.insert(0, observe_query)


def observe_query(
    execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]
) -> Any:
    started = time.perf_counter()
    try:
        return execute(sql, params, many, context)
    except OperationalError as error:
        count_database_error(error)
        raise
    finally:
        record_query(sql, time.perf_counter() - started)


def record_query(sql: str, seconds: float) -> None:
    log_context = get_log_context()
    log_context.query_count += 1
    log_context.query_seconds += seconds
    if 0 < settings.MAILADMIN_SLOW_QUERY_MS <= seconds * 1000:
        page, ms, statement = log_context.page or "-", round(seconds * 1000), redact_statement(sql)
        logger.warning(
            "slow query: %d ms on %s: %s",
            ms,
            page,
            statement,
            extra={"fields": {"ms": ms, "statement": statement}},
        )


def redact_statement(sql: str) -> str:
    """Return a statement without literals, its lists of placeholders shortened."""
    sql = " ".join(LITERAL_RE.sub("?", str(sql)).split())
    return PLACEHOLDERS_RE.sub("%s, …", VALUE_LISTS_RE.sub(r"\1, …", sql))[:MAX_STATEMENT_LENGTH]


def count_database_error(error: OperationalError) -> None:
    from mailadmin.observability import metrics  # not needed by commands

    metrics.DATABASE_ERRORS.labels(get_error_code(error) or "other").inc()
