"""Middleware of accounts: client address, required login, expired passwords, private pages."""

from django.conf import settings
from django.contrib.auth import middleware
from django.http import HttpRequest
from django.shortcuts import redirect
from django.urls import Resolver404, resolve
from django.utils.cache import patch_cache_control

from mailadmin.accounts.networks import get_client_address, is_trusted_proxy


class PasswordExpiryMiddleware:
    """Who has an expired password may change it, and nothing else."""

    exempt_views = {
        *("own-password", "logout", "login", "code", "set_language"),
        *("healthz", "readyz", "metrics"),
    }

    def __init__(self, get_response) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest):
        if (
            not self.is_exempt(request.path_info)
            and request.user.is_authenticated
            and request.user.password_has_expired()
        ):
            return redirect("own-password")
        return self.get_response(request)

    def is_exempt(self, path: str) -> bool:
        try:
            return resolve(path).view_name in self.exempt_views
        except Resolver404:
            return False


class LoginRequiredMiddleware(middleware.LoginRequiredMiddleware):
    """Back to where one was; but what was sent cannot be sent again by a link."""

    def process_view(self, request: HttpRequest, view_func, view_args, view_kwargs):
        """Nobody is looked up for a page that is open to all: /healthz needs no database."""
        if not getattr(view_func, "login_required", True):
            return None
        return super().process_view(request, view_func, view_args, view_kwargs)

    def handle_no_permission(self, request: HttpRequest, view_func):
        if request.method in ("GET", "HEAD"):
            return super().handle_no_permission(request, view_func)
        return redirect(settings.LOGIN_URL)


class ClientAddressMiddleware:
    """`request.client_address`: whom we talk to, by the word of trusted proxies only."""

    def __init__(self, get_response) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest):
        if not is_trusted_proxy(request.META.get("REMOTE_ADDR", "")):
            request.META.pop("HTTP_X_FORWARDED_PROTO", None)
        request.client_address = get_client_address(request.META)
        return self.get_response(request)


class NoStoreMiddleware:
    """No page of the panel stays in a cache, the browser's included: not after signing out."""

    def __init__(self, get_response) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest):
        response = self.get_response(request)
        patch_cache_control(response, private=True, no_store=True)
        return response
