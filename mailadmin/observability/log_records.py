"""Lines of the log that know of which request they are; for programs as JSON, one object a line.

Knows only Python's own library: the settings name it.
"""

import datetime
import json
import logging
from contextvars import ContextVar
from dataclasses import dataclass

CSRF = "django.security.csrf"


@dataclass
class Watched:
    """What this thread is at, until it begins with the next."""

    page: str = ""
    request_id: str = ""
    queries: int = 0
    seconds: float = 0.0


NOW = ContextVar("mailadmin_watched", default=None)


def now():
    return NOW.get() or Watched()


def begin(page="", request_id=""):
    """What is noted from here on is noted of this."""
    NOW.set(Watched(page, request_id))
    return NOW.get()


def request_method(request) -> str:
    return getattr(request, "method", None) or "-"


class WithoutPath(logging.Filter):
    """One line for a refused or missing page, and no path in any: it holds addresses."""

    def filter(self, record):
        if getattr(record, "is_brief", False):  # by another filter like this one
            return True
        record.is_brief = True
        request, status = getattr(record, "request", None), getattr(record, "status_code", 0)
        match = getattr(request, "resolver_match", None)
        page = getattr(match, "view_name", None) or now().page or "-"
        reason = f" ({record.args[0]})" if record.name == CSRF else ""  # not the path behind it
        record.msg, record.args = "%s %s: %s%s", (request_method(request), page, status, reason)
        if status < 500:
            record.exc_info = None
        return True


class OfRequest(logging.Filter):
    """Gives each line its request's id and page, empty where there is none."""

    def filter(self, record):
        record.request_id, record.page = now().request_id, now().page
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
