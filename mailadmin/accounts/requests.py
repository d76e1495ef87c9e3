"""The type of requests that have passed the panel's middleware."""

from typing import cast

from django.http import HttpRequest

from mailadmin.accounts.models import Principal


class PanelRequest(HttpRequest):
    """A request with what middleware adds; pages without a login have an anonymous user."""

    user: Principal  # type: ignore[assignment]  # the stubs know AUTH_USER_MODEL alone
    client_address: str
    is_local: bool
    access_log_user: str  # of requests with a token


def as_panel_request(request: HttpRequest) -> PanelRequest:
    """Return the same request, with the types of what middleware has added."""
    return cast(PanelRequest, request)
