"""The numbers' page, for a monitor on this machine or one that has the token."""

import hmac

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpResponse, JsonResponse
from django.utils.decorators import method_decorator
from django.views.generic import View

from mailadmin.observability.readiness import what_is_missing


@method_decorator(login_not_required, name="dispatch")
class Metrics(View):
    roles = None

    def get(self, request):
        if not (request.is_local or has_token(request.headers.get("Authorization", ""))):
            return refusal()
        from mailadmin.observability import metrics  # not needed by commands that load the URLs

        return HttpResponse(metrics.page(), content_type="text/plain; version=0.0.4; charset=utf-8")


def has_token(header):
    token = settings.MAILADMIN_METRICS_TOKEN
    kind, _space, given = header.partition(" ")
    right = hmac.compare_digest(given.strip().encode(), token.encode())
    return bool(token) and kind.lower() == "bearer" and right


def refusal():
    if not settings.MAILADMIN_METRICS_TOKEN:
        return HttpResponse(status=403)
    return HttpResponse(status=401, headers={"WWW-Authenticate": "Bearer"})


@method_decorator(login_not_required, name="dispatch")
class Health(View):
    """The process answers."""

    roles = None

    def get(self, request):
        return JsonResponse({"status": "ok"})


@method_decorator(login_not_required, name="dispatch")
class Ready(View):
    """The database answers, takes changes, and its schema is ours."""

    roles = None

    def get(self, request):
        missing = what_is_missing()
        return JsonResponse(missing or {"status": "ok"}, status=503 if missing else 200)
