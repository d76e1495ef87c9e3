"""Log in by password and one-time code; log out."""

import time
from typing import Any

from django.conf import settings
from django.contrib.auth import authenticate, load_backend, login, logout
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.decorators import method_decorator
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.debug import sensitive_post_parameters
from django.views.generic import FormView, View

from mailadmin.accounts.backends import (
    get_account_key,
    start_login_attempt,
    start_principal_attempt,
)
from mailadmin.accounts.forms import CodeForm, LoginForm
from mailadmin.accounts.models import Role
from mailadmin.accounts.rehash import rehash_password
from mailadmin.accounts.throttling import TooManyLoginFailures, log_login_failure
from mailadmin.accounts.totp import verify_totp
from mailadmin.error_pages import too_many_requests

PENDING_LOGIN_KEY = "mailadmin_pending"


PENDING_LOGIN_SECONDS = 300


def get_redirect_target(request: HttpRequest, target):
    """Where to go after the door: a page of our own, or home."""
    if url_has_allowed_host_and_scheme(
        target, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    ):
        return target
    return settings.LOGIN_REDIRECT_URL


class ThrottledFormMixin:
    """A form whose answers are counted; too many wrong ones are told to wait."""

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return super().post(request, *args, **kwargs)
        except TooManyLoginFailures as stop:
            log_login_failure(self.get_throttled_name(), request.client_address, "throttled")
            return too_many_requests(request, stop.retry_after)

    def get_throttled_name(self):
        """Whose account was meant, for the log."""
        return self.request.user.username


@method_decorator([login_not_required, sensitive_post_parameters()], name="dispatch")
class BaseLoginView(ThrottledFormMixin, FormView):
    """A form of the sign-in, whose wrong answers are counted."""

    roles = Role.ANYONE

    def complete_login(self, attempt, person, backend, target):
        """Sign this person in, and know their browser from now on."""
        attempt.record_success(get_account_key(person))
        login(self.request, person, backend=backend)
        response = redirect(get_redirect_target(self.request, target))
        attempt.remember_browser(response, get_account_key(person))
        return response


class LoginView(BaseLoginView):
    template_name = "login.html"
    form_class = LoginForm

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.user.is_authenticated:
            return redirect(settings.LOGIN_REDIRECT_URL)
        return super().get(request, *args, **kwargs)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        target = self.request.POST.get("next", self.request.GET.get("next", ""))
        return super().get_context_data(next=target, **kwargs)

    def form_valid(self, form) -> HttpResponse:
        request = self.request
        name, password = form.cleaned_data["username"], form.cleaned_data["password"]
        target = request.POST.get("next", "")
        attempt = start_login_attempt(request, name)
        person = authenticate(request, username=name, password=password, attempt=attempt)
        if person is None:
            return self.reject_login(form, attempt, name)
        request.session.flush()
        rehash_password(request, person, password)
        if person.totp_secret:
            request.session[PENDING_LOGIN_KEY] = {
                "backend": person.backend,
                "key": person.pk,
                "hash": person.get_session_auth_hash(),
                "at": time.time(),
                "next": target,
            }
            return redirect("code")  # what was tried counts until the code is right too
        return self.complete_login(attempt, person, person.backend, target)

    def reject_login(self, form, attempt, name: str):
        if attempt.has_throttled_account:
            raise attempt.build_throttle_error()
        log_login_failure(name, self.request.client_address, "password")
        form.add_refusal()
        return self.form_invalid(form)

    def get_throttled_name(self):
        return self.request.POST.get("username", "")


@method_decorator(login_not_required, name="dispatch")
class LoginCodeView(BaseLoginView):
    template_name = "login_code.html"
    form_class = CodeForm

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any):
        self.person = get_pending_person(request)
        if self.person is None:
            return redirect("login")
        return super().dispatch(request, *args, **kwargs)

    def form_valid(self, form) -> HttpResponse:
        request = self.request
        attempt = start_principal_attempt(request, self.person, "code")
        if not verify_totp(self.person, form.cleaned_data["code"]):
            log_login_failure(self.person.pk, request.client_address, "code")
            form.add_refusal()
            return self.form_invalid(form)
        pending = request.session.pop(PENDING_LOGIN_KEY)
        return self.complete_login(attempt, self.person, pending["backend"], pending["next"])

    def get_throttled_name(self):
        return self.person.pk


def get_pending_person(request: HttpRequest):
    """Who has given the right password within the last minutes and still owes the code."""
    pending = request.session.get(PENDING_LOGIN_KEY)
    if not pending or time.time() - pending["at"] > PENDING_LOGIN_SECONDS:
        return None
    person = load_backend(pending["backend"]).get_user(pending["key"])
    if person is None or person.get_session_auth_hash() != pending["hash"]:
        return None
    return person


class LogoutView(View):
    roles = Role.ANYONE
    http_method_names = ["post"]

    def post(self, request: HttpRequest) -> HttpResponse:
        logout(request)
        return redirect(settings.LOGIN_URL)
