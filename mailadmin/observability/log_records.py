"""Log records with the id and page of their request; as JSON, one object a line, for programs.

Uses only the standard library, as the settings name it.
"""

import datetime
import json
import logging
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

CSRF_LOGGER = "django.security.csrf"


@dataclass
class LogContext:
    """The work of this thread, and its cost so far."""

    page: str = ""
    request_id: str = ""
    query_count: int = 0
    query_seconds: float = 0.0


LOG_CONTEXT: ContextVar[LogContext | None] = ContextVar("mailadmin_log_context", default=None)


def get_log_context() -> LogContext:
    return LOG_CONTEXT.get() or LogContext()


def start_log_context(page: str = "", request_id: str = "") -> LogContext:
    """Start to count for this page and request."""
    context = LogContext(page, request_id)
    LOG_CONTEXT.set(context)
    return context


def get_request_method(request: Any) -> str:
    return getattr(request, "method", None) or "-"


class PathRedactingFilter(logging.Filter):
    """Log a refused or missing page in one line, without paths: they contain addresses."""

    def filter(self, record: logging.LogRecord) -> bool:
        if getattr(record, "is_brief", False):  # filtered before, by another handler
            return True
        record.is_brief = True
        request, status = getattr(record, "request", None), getattr(record, "status_code", 0)
        match = getattr(request, "resolver_match", None)
        page = getattr(match, "view_name", None) or get_log_context().page or "-"
        # The arguments of CSRF failures are the reason and the path.
        args: Any = record.args
        reason = f" ({args[0]})" if record.name == CSRF_LOGGER else ""
        record.msg, record.args = "%s %s: %s%s", (get_request_method(request), page, status, reason)
        if status < 500:
            record.exc_info = None
        return True


class LogContextFilter(logging.Filter):
    """Add the id and page of the request to each record, empty where there is none."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id, record.page = get_log_context().request_id, get_log_context().page
        return True


class JsonFormatter(logging.Formatter):
    """Format a record as JSON; its `fields`, if it has some, stand beside the message."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.datetime.fromtimestamp(record.created, datetime.UTC).isoformat(),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "request_id": getattr(record, "request_id", ""),
            "page": getattr(record, "page", ""),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        nonempty = {name: value for name, value in line.items() if value not in ("", None)}
        return json.dumps(nonempty, ensure_ascii=False, default=str)
