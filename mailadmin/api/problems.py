"""Errors as `application/problem+json` (RFC 9457): a status, words, and what is wrong by field."""

import logging

from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.db import IntegrityError
from django.http import Http404, JsonResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.csrf import csrf_exempt
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import set_rollback

from mailadmin.db.mysql.errors import is_duplicate
from mailadmin.outages import OUTAGES, RETRY_AFTER, outage_kind

logger = logging.getLogger("mailadmin.api")


MEDIA_TYPE = "application/problem+json"
UNKNOWN = gettext_lazy(
    "The database was lost while this was saved, so nobody knows whether it was. "
    "Send it again with the same Idempotency-Key, or look first."
)


class Problem(exceptions.APIException):
    """A refusal with its status, and what is wrong by field or by the number of a row."""

    def __init__(self, status, detail, errors=None, items=None, headers=None):
        super().__init__(detail)
        self.status_code, self.headers = status, headers or {}
        self.more = {"errors": errors} if errors is not None else {}
        self.more |= {"items": items} if items is not None else {}


def unprocessable(errors, status=422):
    """What a form or a service refused. What is about no single field is the detail."""
    by_field = {name: texts for name, texts in errors.items() if name}
    general = errors.get("") or [_("Some values were refused.")]
    return Problem(status, " ".join(map(str, general)), errors=by_field)


def rows_refused(by_number, is_complete=True):
    items = [
        {"index": number, "errors": {name or "detail": texts for name, texts in errors.items()}}
        for number, errors in sorted(by_number.items())
    ]
    detail = _("Some rows were refused, so nothing was changed.")
    if not is_complete:
        text = _("Nothing was changed: %(count)s rows were refused and the others not checked.")
        detail = text % {"count": len(items)}
    return Problem(422, detail, errors={}, items=items)


def handle(error, context):
    """The answer to an exception of a view; None lets it be an error of ours."""
    set_rollback()
    if isinstance(error, Http404):
        error = Problem(404, _("It does not exist, or it is not yours."))
    if isinstance(error, RequestDataTooBig):
        error = Problem(413, _("The body is too large."))
    if isinstance(error, PermissionDenied):
        error = Problem(403, _("You may not do this."))
    if isinstance(error, IntegrityError) and is_duplicate(error):
        logger.warning("the database refused a row that exists already")
        error = Problem(409, _("Somebody else has made this meanwhile."))
    if kind := outage_kind(error):
        logger.error("%s: %s", OUTAGES[kind].title, error)
        detail = UNKNOWN if kind == "unknown" else OUTAGES[kind].detail
        error = Problem(503, detail, headers={"Retry-After": RETRY_AFTER})
    if not isinstance(error, exceptions.APIException):
        return None
    return response_to(error)


def response_to(error):
    headers = dict(getattr(error, "headers", {}))
    if header := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = header
    if wait := getattr(error, "wait", None):
        headers["Retry-After"] = str(int(wait))
    response = Response(body_of(error), status=error.status_code, headers=headers)
    response.content_type = MEDIA_TYPE
    response._has_been_logged = True  # Django would tell the path, which holds addresses
    return response


def body_of(error):
    detail = error.detail if isinstance(error.detail, str) else " ".join(map(str, error.detail))
    return {"status": error.status_code, "title": detail} | getattr(error, "more", {})


@login_not_required
@csrf_exempt
def not_found(request, exception=None):
    """An address below /api/ that is none."""
    body = {"status": 404, "title": _("There is no such address.")}
    return JsonResponse(body, status=404, content_type=MEDIA_TYPE)
