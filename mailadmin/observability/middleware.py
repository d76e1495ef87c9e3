"""Each request has a name in the log, is counted, and tells what it cost."""

import ipaddress
import logging
import re
import secrets
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.db import connection
from django.http import HttpRequest

from mailadmin.accounts.networks import is_trusted_proxy
from mailadmin.observability import log_records, metrics
from mailadmin.observability.slow_queries import install_query_observer

logger = logging.getLogger("mailadmin.access")

FORWARDED_HEADERS = ("HTTP_FORWARDED", "HTTP_VIA", "HTTP_X_REAL_IP")
REQUEST_ID_RE = re.compile(r"[A-Za-z0-9._:-]{8,64}")


class ObservabilityMiddleware:
    """The first of all, so that what the others do is seen too."""

    def __init__(self, get_response) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest):
        began, connects = time.perf_counter(), get_connection_count()
        at = log_records.start_log_context("-", get_request_id(request.META))
        request.is_local = is_local_request(request.META)
        install_query_observer()
        response = self.get_response(request)
        response["X-Request-ID"] = at.request_id
        if at.page == "-" and request.path.startswith(settings.STATIC_URL):
            at.page = "static"
        seconds, made = time.perf_counter() - began, get_connection_count() - connects
        metrics.observe_request(at, request.method, response.status_code, seconds, made)
        if settings.MAILADMIN_LOG_FORMAT == "json":
            log_access(request, response, at, seconds)
        return response

    def process_view(self, request: HttpRequest, view, args: Any, kwargs: Any) -> None:
        """Not its path, which holds addresses."""
        log_records.get_log_context().page = request.resolver_match.view_name or "-"


def get_connection_count():
    """Of this thread's; what SQLite opens costs nothing."""
    return getattr(connection, "connection_count", 0)


def get_request_id(meta: Mapping[str, Any]):
    """A trusted proxy's, if it is one, so that both logs have the same; else a new one."""
    given = meta.get("HTTP_X_REQUEST_ID", "")
    if is_trusted_proxy(meta.get("REMOTE_ADDR", "")) and REQUEST_ID_RE.fullmatch(given):
        return given
    return secrets.token_hex(8)


def is_local_request(meta: Mapping[str, Any]):
    """Through a proxy everybody comes from this machine: who was handed on is not of it."""
    if any(name in FORWARDED_HEADERS or name.startswith("HTTP_X_FORWARDED_") for name in meta):
        return False
    asked = urlsplit(f"//{meta.get('HTTP_HOST', '')}").hostname or ""
    return is_loopback(meta.get("REMOTE_ADDR", "")) and (asked == "localhost" or is_loopback(asked))


def is_loopback(text: str):
    try:
        return ipaddress.ip_address(text).is_loopback
    except ValueError:
        return False


def log_access(request: HttpRequest, response, at, seconds: float) -> None:
    """Who, as the log table has it too; neither path nor query, which name other people."""
    person = getattr(request, "_cached_user", None)  # nobody is asked for only to be told
    fields = {
        "method": request.method,
        "status": response.status_code,
        "ms": round(seconds * 1000, 1),
        "queries": at.query_count,
        "query_ms": round(at.query_seconds * 1000, 1),
        "person": getattr(request, "access_log_user", "") or getattr(person, "username", ""),
    }
    logger.info("%s %s", request.method, at.page, extra={"fields": fields})
