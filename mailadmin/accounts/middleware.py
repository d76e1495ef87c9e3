"""Middleware of accounts: client address, required login, required steps, private pages."""

import contextlib
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib.auth import middleware
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import Resolver404, resolve
from django.utils.cache import patch_cache_control

from mailadmin.accounts.external import ORIGIN_KEY, get_header_key
from mailadmin.accounts.factors.policy import must_enroll
from mailadmin.accounts.networks import get_client_address, is_trusted_proxy
from mailadmin.accounts.requests import (
    LoginPageMiddleware,
    PanelRequest,
    as_panel_request,
    needs_login,
)
from mailadmin.accounts.signed_in import update_session_record

GetResponse = Callable[[HttpRequest], HttpResponse]


class RequiredStepMiddleware:
    """Redirect people who first have to change their password or set up a second factor.

    No other page opens until then.
    """

    exempt_views = {
        *("own-password", "password-check", "logout", "login", "login-passkey", "code"),
        *("code-passkey", "forgot", "recovery-requested", "recover", "recover-link"),
        *("set_language", "view-as-stop", "healthz", "readyz", "metrics"),
    }
    enrollment_views = {"factors", "totp", "passkey-add", "confirm", "confirm-passkey"}

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        page = self.get_required_page(request)
        return redirect(page) if page else self.get_response(request)

    def get_required_page(self, request: HttpRequest) -> str:
        """Return the name of the page that has to come first; empty if none has."""
        view, name = find_view(request.path_info)
        if not needs_login(view):
            return ""  # nobody is asked who they are, and no session is loaded
        if name in self.exempt_views or not request.user.is_authenticated:
            return ""
        person = as_panel_request(request).user
        if ORIGIN_KEY in request.session:
            return ""  # a provider or a proxy has signed them in, by its own rules
        if person.password_has_expired() or person.is_password_requested():
            return "own-password"
        return (
            "factors" if name not in self.enrollment_views and must_enroll(request, person) else ""
        )


def find_view(path: str) -> tuple[Callable[..., Any] | None, str]:
    """Return the view of a path and the name of its URL; None if there is none."""
    try:
        match = resolve(path)
    except Resolver404:
        return None, ""
    return match.func, match.view_name


class SignedInSessionMiddleware(LoginPageMiddleware):
    """Record when and from where sessions are used.

    Before `ViewAsMiddleware`, so that a superadmin's session stays their own.
    """

    def process_page(self, request: PanelRequest) -> None:
        """Show a page that only reads even if the database can write nothing now."""
        if request.user.is_authenticated:
            with contextlib.suppress(OperationalError):
                update_session_record(request)


class LoginRequiredMiddleware(middleware.LoginRequiredMiddleware):
    """Redirect to the login and back, except for POST: a link cannot send the data again."""

    def process_view(
        self,
        request: HttpRequest,
        view_func: Callable[..., HttpResponseBase],
        view_args: tuple[Any, ...],
        view_kwargs: dict[str, Any],
    ) -> HttpResponseBase | None:
        """Do not load the user for a public page: /healthz needs no database."""
        if not needs_login(view_func):
            return None
        return super().process_view(request, view_func, view_args, view_kwargs)

    def handle_no_permission(
        self, request: HttpRequest, view_func: Callable[..., HttpResponseBase]
    ) -> HttpResponseRedirect:
        if request.method in ("GET", "HEAD"):
            return super().handle_no_permission(request, view_func)
        return redirect(settings.LOGIN_URL)


class ClientAddressMiddleware:
    """Set `request.client_address`; only trusted proxies' forwarded headers count."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: PanelRequest) -> HttpResponse:
        if not is_trusted_proxy(request.META.get("REMOTE_ADDR", "")):
            request.META.pop("HTTP_X_FORWARDED_PROTO", None)
            request.META.pop(get_header_key(), None)
        request.client_address = get_client_address(request.META)
        return self.get_response(request)


class NoStoreMiddleware:
    """Keep every page out of caches, the browser's too: nothing is shown after signing out."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        patch_cache_control(response, private=True, no_store=True)
        return response
