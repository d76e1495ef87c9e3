"""The pages of errors 400 to 503; below /api/ they are problems in JSON."""

import logging
import sys

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from mailadmin.api.problems import (
    PROBLEM_TYPE,
    ApiProblem,
    build_problem_response,
    handle_exception,
)
from mailadmin.api.responses import json_response
from mailadmin.outages import OUTAGES, RETRY_AFTER, get_outage_kind

logger = logging.getLogger("mailadmin.views")

API_PATH = "/api/"
MAX_SECONDS_SHOWN = 300  # a longer time is shown in minutes


def is_api_request(request: HttpRequest) -> bool:
    return request.path_info.startswith(API_PATH)


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
    if is_api_request(request):
        return build_problem_response(ApiProblem(400, _("Bad request")))
    return HttpResponse(render(request, "400.html").content, status=400)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    return render(request, "403_csrf.html", status=403)


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer with 500, or 503 in an outage of the database; neither needs it or the session."""
    error = sys.exc_info()[1]
    if is_api_request(request):
        return build_api_error(error)
    if kind := get_outage_kind(error):
        logger.error("%s: %s", OUTAGES[kind].title, error)
        response = render(None, "503.html", {"outage": OUTAGES[kind]}, status=503)
        response["Retry-After"] = RETRY_AFTER
        return response
    return render(None, "500.html", status=500)


def build_api_error(error: BaseException | None) -> HttpResponse:
    """Build the problem of an error that no view handled; Django logs it with its traceback."""
    if isinstance(error, Exception) and (response := handle_exception(error)):
        return response
    problem = ApiProblem(500, _("Something went wrong"))
    return json_response(problem.body, problem.status, content_type=PROBLEM_TYPE)
