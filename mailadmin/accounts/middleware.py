"""Middleware of accounts: client address, required login, expired passwords, private pages."""

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
from mailadmin.accounts.networks import get_client_address, is_trusted_proxy
from mailadmin.accounts.requests import PanelRequest
from mailadmin.accounts.signed_in import update_session_record

GetResponse = Callable[[HttpRequest], HttpResponse]


class PasswordExpiryMiddleware:
    """Redirect everybody whose password has expired to the page that changes it."""

    exempt_views = {
        *("own-password", "password-check", "logout", "login", "code", "set_language"),
        *("healthz", "readyz", "metrics"),
    }

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if (
            not self.is_exempt(request.path_info)
            and request.user.is_authenticated
            and ORIGIN_KEY not in request.session  # no password of the panel was used
            and request.user.password_has_expired()
        ):
            return redirect("own-password")
        return self.get_response(request)

    def is_exempt(self, path: str) -> bool:
        try:
            return resolve(path).view_name in self.exempt_views
        except Resolver404:
            return False


class SignedInSessionMiddleware:
    """Record when and from where sessions are used.

    Before `ViewAsMiddleware`, so that a superadmin's session stays their own.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(
        self,
        request: HttpRequest,
        view_func: Callable[..., HttpResponseBase],
        view_args: tuple[Any, ...],
        view_kwargs: dict[str, Any],
    ) -> None:
        """Leave out public pages, which load no session.

        A page that only reads is shown even if the database can write nothing now.
        """
        if getattr(view_func, "login_required", True) and request.user.is_authenticated:
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
        if not getattr(view_func, "login_required", True):
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
