"""Each request has a name in the log, is counted, and tells what it cost."""

import ipaddress
import logging
import re
import secrets
import time
from urllib.parse import urlsplit

from django.conf import settings
from django.db import connection

from mailadmin.accounts.networks import is_trusted
from mailadmin.observability import log_records, metrics
from mailadmin.observability.slow_queries import watch_queries

logger = logging.getLogger("mailadmin.access")

FORWARDED = ("HTTP_FORWARDED", "HTTP_VIA", "HTTP_X_REAL_IP")
SANE = re.compile(r"[A-Za-z0-9._:-]{8,64}")


class WatchingMiddleware:
    """The first of all, so that what the others do is seen too."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        began, connects = time.perf_counter(), connections_made()
        at = log_records.begin("-", request_id(request.META))
        request.is_local = is_local(request.META)
        watch_queries()
        response = self.get_response(request)
        response["X-Request-ID"] = at.request_id
        if at.page == "-" and request.path.startswith(settings.STATIC_URL):
            at.page = "static"
        seconds, made = time.perf_counter() - began, connections_made() - connects
        metrics.count_request(at, request.method, response.status_code, seconds, made)
        if settings.MAILADMIN_LOG_FORMAT == "json":
            tell(request, response, at, seconds)
        return response

    def process_view(self, request, view, args, kwargs):
        """Not its path, which holds addresses."""
        log_records.now().page = request.resolver_match.view_name or "-"


def connections_made():
    """Of this thread's; what SQLite opens costs nothing."""
    return getattr(connection, "connections_made", 0)


def request_id(meta):
    """A trusted proxy's, if it is one, so that both logs have the same; else a new one."""
    given = meta.get("HTTP_X_REQUEST_ID", "")
    if is_trusted(meta.get("REMOTE_ADDR", "")) and SANE.fullmatch(given):
        return given
    return secrets.token_hex(8)


def is_local(meta):
    """Through a proxy everybody comes from this machine: who was handed on is not of it."""
    if any(name in FORWARDED or name.startswith("HTTP_X_FORWARDED_") for name in meta):
        return False
    asked = urlsplit(f"//{meta.get('HTTP_HOST', '')}").hostname or ""
    return is_loopback(meta.get("REMOTE_ADDR", "")) and (asked == "localhost" or is_loopback(asked))


def is_loopback(text):
    try:
        return ipaddress.ip_address(text).is_loopback
    except ValueError:
        return False


def tell(request, response, at, seconds):
    """Who, as the log table has it too; neither path nor query, which name other people."""
    person = getattr(request, "_cached_user", None)  # nobody is asked for only to be told
    fields = {
        "method": request.method,
        "status": response.status_code,
        "ms": round(seconds * 1000, 1),
        "queries": at.queries,
        "query_ms": round(at.seconds * 1000, 1),
        "person": getattr(request, "told_person", "") or getattr(person, "username", ""),
    }
    logger.info("%s %s", request.method, at.page, extra={"fields": fields})
