"""The pages of errors 400 to 503."""

import logging
import sys

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from mailadmin.outages import OUTAGES, RETRY_AFTER, get_outage_kind

logger = logging.getLogger("mailadmin.views")

MAX_SECONDS_SHOWN = 300  # a longer time is shown in minutes


def too_many_requests(request: HttpRequest, retry_after: int) -> HttpResponse:
    minutes = -(-retry_after // 60) if retry_after > MAX_SECONDS_SHOWN else 0
    context = {"retry_after": retry_after, "minutes": minutes}
    response = render(request, "429.html", context, status=429)
    response["Retry-After"] = str(retry_after)
    return response


def forbidden(request: HttpRequest, exception: BaseException | None = None) -> HttpResponse:
    return render(request, "403.html", status=403)


def not_found(request: HttpRequest, exception: BaseException | None = None) -> HttpResponse:
    return render(request, "404.html", status=404)


def bad_request(request: HttpRequest, exception: BaseException | None = None) -> HttpResponse:
    return HttpResponse(render(request, "400.html").content, status=400)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    return render(request, "403_csrf.html", status=403)


def server_error(request: HttpRequest) -> HttpResponse:
    """Render 500, or 503 in an outage of the database; neither page needs it or the session."""
    error = sys.exc_info()[1]
    if kind := get_outage_kind(error):
        logger.error("%s: %s", OUTAGES[kind].title, error)
        response = render(None, "503.html", {"outage": OUTAGES[kind]}, status=503)
        response["Retry-After"] = RETRY_AFTER
        return response
    return render(None, "500.html", status=500)
