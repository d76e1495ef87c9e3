"""Lines of the log that know of which request they are; for programs as JSON, one object a line.

Knows only Python's own library: the settings name it.
"""

import datetime
import json
import logging
from contextvars import ContextVar
from dataclasses import dataclass

from django.http import HttpRequest

CSRF_LOGGER = "django.security.csrf"


@dataclass
class LogContext:
    """What this thread is at, until it begins with the next."""

    page: str = ""
    request_id: str = ""
    query_count: int = 0
    query_seconds: float = 0.0


LOG_CONTEXT = ContextVar("mailadmin_watched", default=None)


def get_log_context():
    return LOG_CONTEXT.get() or LogContext()


def start_log_context(page="", request_id=""):
    """What is noted from here on is noted of this."""
    LOG_CONTEXT.set(LogContext(page, request_id))
    return LOG_CONTEXT.get()


def get_request_method(request: HttpRequest) -> str:
    return getattr(request, "method", None) or "-"


class PathRedactingFilter(logging.Filter):
    """One line for a refused or missing page, and no path in any: it holds addresses."""

    def filter(self, record) -> bool:
        if getattr(record, "is_brief", False):  # by another filter like this one
            return True
        record.is_brief = True
        request, status = getattr(record, "request", None), getattr(record, "status_code", 0)
        match = getattr(request, "resolver_match", None)
        page = getattr(match, "view_name", None) or get_log_context().page or "-"
        reason = (
            f" ({record.args[0]})" if record.name == CSRF_LOGGER else ""
        )  # not the path behind it
        record.msg, record.args = "%s %s: %s%s", (get_request_method(request), page, status, reason)
        if status < 500:
            record.exc_info = None
        return True


class LogContextFilter(logging.Filter):
    """Gives each line its request's id and page, empty where there is none."""

    def filter(self, record) -> bool:
        record.request_id, record.page = get_log_context().request_id, get_log_context().page
        return True


class JsonFormatter(logging.Formatter):
    """`fields` of a line, where it has them, stand beside its message."""

    def format(self, record):
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
        kept = {name: value for name, value in line.items() if value not in ("", None)}
        return json.dumps(kept, ensure_ascii=False, default=str)
