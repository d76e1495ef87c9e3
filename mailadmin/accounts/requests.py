"""The type of requests that have passed the panel's middleware."""

from collections.abc import Callable
from typing import Any, cast

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.deprecation import MiddlewareMixin
from django.utils.http import url_has_allowed_host_and_scheme

from mailadmin.accounts.models import Principal


class PanelRequest(HttpRequest):
    """A request with what middleware adds; pages without a login have an anonymous user."""

    user: Principal  # type: ignore[assignment]  # the stubs know AUTH_USER_MODEL alone
    client_address: str
    is_local: bool
    access_log_user: str  # of requests with a token
    view_as: bool  # a superadmin sees the pages as `user`


def as_panel_request(request: HttpRequest) -> PanelRequest:
    """Return the same request, with the types of what middleware has added."""
    return cast(PanelRequest, request)


def get_redirect_target(request: HttpRequest, target: str, default: str) -> str:
    """Return where to go next: a page of this site that the browser names, or the default."""
    if url_has_allowed_host_and_scheme(
        target, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    ):
        return target
    return default


def needs_login(view: Callable[..., Any] | None) -> bool:
    """Return whether only people who are signed in may open this view."""
    return getattr(view, "login_required", True)  # Django's `login_not_required` sets it


class LoginPageMiddleware(MiddlewareMixin):
    """Middleware of pages that need a login; public pages load no session."""

    def process_view(
        self,
        request: HttpRequest,
        view_func: Callable[..., HttpResponseBase],
        view_args: tuple[Any, ...],
        view_kwargs: dict[str, Any],
    ) -> None:
        if needs_login(view_func):
            self.process_page(as_panel_request(request))

    def process_page(self, request: PanelRequest) -> None:
        """Do what is done before such a page."""
        raise NotImplementedError
