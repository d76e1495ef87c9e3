"""Metrics and health, for monitors on this machine or with the token."""

import hmac

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.decorators import method_decorator
from django.views.generic import View

from mailadmin.accounts.requests import PanelRequest
from mailadmin.observability.readiness import check_readiness


@method_decorator(login_not_required, name="dispatch")
class MetricsView(View):
    roles = None

    def get(self, request: PanelRequest) -> HttpResponse:
        if not (request.is_local or has_metrics_token(request.headers.get("Authorization", ""))):
            return build_denied_response()
        from mailadmin.observability import metrics  # not needed by commands that load the URLs

        return HttpResponse(
            metrics.render_metrics(), content_type="text/plain; version=0.0.4; charset=utf-8"
        )


def has_metrics_token(header: str) -> bool:
    token = settings.MAILADMIN_METRICS_TOKEN
    scheme, _space, sent_token = header.partition(" ")
    is_equal = hmac.compare_digest(sent_token.strip().encode(), token.encode())
    return bool(token) and scheme.lower() == "bearer" and is_equal


def build_denied_response() -> HttpResponse:
    if not settings.MAILADMIN_METRICS_TOKEN:
        return HttpResponse(status=403)
    return HttpResponse(status=401, headers={"WWW-Authenticate": "Bearer"})


@method_decorator(login_not_required, name="dispatch")
class HealthView(View):
    """Answer that the process runs."""

    roles = None

    def get(self, request: HttpRequest) -> HttpResponse:
        return JsonResponse({"status": "ok"})


@method_decorator(login_not_required, name="dispatch")
class ReadinessView(View):
    """Answer whether the database is reachable, writable and migrated."""

    roles = None

    def get(self, request: HttpRequest) -> HttpResponse:
        problem = check_readiness()
        return JsonResponse(problem or {"status": "ok"}, status=503 if problem else 200)
