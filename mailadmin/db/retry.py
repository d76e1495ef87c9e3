"""Repeat transactions that the database rolled back."""

import random
import time
from collections.abc import Callable
from typing import TypeVar

from django.db import OperationalError, connection

from mailadmin.db.mysql.errors import (
    RETRYABLE_CODES,
    CommitOutcomeUnknown,
    get_error_code,
    is_connection_lost,
)

# On a cluster a transaction fails for each conflicting one that another node committed first. After
# so many seconds no further attempt starts.
MAX_ATTEMPTS, MAX_RETRY_SECONDS = 12, 20

Result = TypeVar("Result")


def retry_on_deadlock(function: Callable[[], Result]) -> Result:
    """Call the function; again a few times if MySQL rolled back or the connection was lost."""
    deadline = time.monotonic() + MAX_RETRY_SECONDS
    for attempt in range(1, MAX_ATTEMPTS + 1):
        try:
            return function()
        except OperationalError as error:
            is_last = attempt == MAX_ATTEMPTS or time.monotonic() > deadline
            if is_last or not is_retryable(error):
                raise
            time.sleep(random.uniform(0.01, 0.1) * attempt)  # noqa: S311 (jitter)
    raise AssertionError("the last attempt returns or raises")


def is_retryable(error: OperationalError) -> bool:
    """Return whether nothing was committed and another attempt may succeed.

    A lost connection is closed, so that the next attempt opens another one.
    """
    if is_connection_lost(error):
        connection.close()
        return True
    return get_error_code(error) in RETRYABLE_CODES and not isinstance(error, CommitOutcomeUnknown)
