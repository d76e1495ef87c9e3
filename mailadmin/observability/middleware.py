"""Give each request an id, count it, and log what it cost."""

import ipaddress
import logging
import re
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.db import connection
from django.http import HttpRequest, HttpResponse

from mailadmin.accounts.networks import is_trusted_proxy
from mailadmin.accounts.requests import PanelRequest
from mailadmin.observability import log_records, metrics
from mailadmin.observability.log_records import LogContext
from mailadmin.observability.slow_queries import install_query_observer

logger = logging.getLogger("mailadmin.access")

FORWARDED_HEADERS = ("HTTP_FORWARDED", "HTTP_VIA", "HTTP_X_REAL_IP")
REQUEST_ID_RE = re.compile(r"[A-Za-z0-9._:-]{8,64}")


class ObservabilityMiddleware:
    """Measure each request; it comes first, so that other middleware is measured too."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: PanelRequest) -> HttpResponse:
        started, connections = time.perf_counter(), get_connection_count()
        log_context = log_records.start_log_context("-", get_request_id(request.META))
        request.is_local = is_local_request(request.META)
        install_query_observer()
        response = self.get_response(request)
        response["X-Request-ID"] = log_context.request_id
        if log_context.page == "-" and request.path.startswith(settings.STATIC_URL):
            log_context.page = "static"
        seconds, opened = time.perf_counter() - started, get_connection_count() - connections
        metrics.observe_request(log_context, request.method, response.status_code, seconds, opened)
        if settings.MAILADMIN_LOG_FORMAT == "json":
            log_access(request, response, log_context, seconds)
        return response

    def process_view(
        self, request: HttpRequest, view: Callable[..., HttpResponse], args: Any, kwargs: Any
    ) -> None:
        """Store the view's name, not the path, which contains addresses."""
        view_name = getattr(request.resolver_match, "view_name", "")
        log_records.get_log_context().page = view_name or "-"


def get_connection_count() -> int:
    """Return how many connections this thread has opened; not counted for SQLite."""
    return getattr(connection, "connection_count", 0)


def get_request_id(meta: Mapping[str, Any]) -> str:
    """Return the id that a trusted proxy sent, so that both logs agree, or a new one."""
    forwarded_id = meta.get("HTTP_X_REQUEST_ID", "")
    if is_trusted_proxy(meta.get("REMOTE_ADDR", "")) and REQUEST_ID_RE.fullmatch(forwarded_id):
        return forwarded_id
    return secrets.token_hex(8)


def is_local_request(meta: Mapping[str, Any]) -> bool:
    """Return whether a client on this machine made the request, and no proxy passed it on."""
    if any(name in FORWARDED_HEADERS or name.startswith("HTTP_X_FORWARDED_") for name in meta):
        return False
    host = urlsplit(f"//{meta.get('HTTP_HOST', '')}").hostname or ""
    return is_loopback(meta.get("REMOTE_ADDR", "")) and (host == "localhost" or is_loopback(host))


def is_loopback(text: str) -> bool:
    try:
        return ipaddress.ip_address(text).is_loopback
    except ValueError:
        return False


def log_access(
    request: HttpRequest, response: HttpResponse, log_context: LogContext, seconds: float
) -> None:
    """Log a request with its user, but without path and query, which name other people."""
    principal = getattr(request, "_cached_user", None)  # do not load the user only to log it
    fields = {
        "method": request.method,
        "status": response.status_code,
        "ms": round(seconds * 1000, 1),
        "queries": log_context.query_count,
        "query_ms": round(log_context.query_seconds * 1000, 1),
        "person": getattr(request, "access_log_user", "") or getattr(principal, "username", ""),
    }
    logger.info("%s %s", request.method, log_context.page, extra={"fields": fields})
