"""Sign in by password and one-time code; sign out."""

import datetime
import time
from typing import Any

from django.conf import settings
from django.contrib.auth import authenticate, load_backend, login, logout
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views.decorators.debug import sensitive_post_parameters
from django.views.generic import FormView, View
from django.views.generic.edit import ProcessFormView

from mailadmin.accounts.backends import (
    get_account_key,
    start_login_attempt,
    start_principal_attempt,
)
from mailadmin.accounts.external import (
    ORIGIN_KEY,
    SignInRefused,
    get_sign_in_options,
    may_sign_in_locally,
)
from mailadmin.accounts.external_login import (
    log_refusal,
    refuse_throttled_login,
    render_signed_out,
    sign_in_by_header,
)
from mailadmin.accounts.forms import CodeForm, LoginForm
from mailadmin.accounts.models import Principal, Role
from mailadmin.accounts.oidc.logout import get_provider_logout_url
from mailadmin.accounts.rehash import rehash_password
from mailadmin.accounts.requests import as_panel_request, get_redirect_target
from mailadmin.accounts.signed_in import record_session
from mailadmin.accounts.throttling import LoginAttempt, TooManyLoginFailures, log_login_failure
from mailadmin.accounts.totp import verify_totp
from mailadmin.error_pages import too_many_requests

PENDING_LOGIN_KEY = "mailadmin_pending"


PENDING_LOGIN_SECONDS = 300


class ThrottledFormMixin(ProcessFormView):
    """A form whose wrong answers are counted; after too many it answers 429."""

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return super().post(request, *args, **kwargs)
        except TooManyLoginFailures as error:
            self.log_failure(self.get_throttled_name(), "throttled")
            return too_many_requests(request, error.retry_after)

    def get_throttled_name(self) -> str:
        """Return the account that was meant, for the log."""
        return as_panel_request(self.request).user.username

    def log_failure(self, name: str, reason: str) -> None:
        log_login_failure(name, as_panel_request(self.request).client_address, reason)


@method_decorator([login_not_required, sensitive_post_parameters()], name="dispatch")
class BaseLoginView(ThrottledFormMixin, FormView):
    """A step of the login."""

    roles = Role.ANYONE

    def complete_login(
        self, attempt: LoginAttempt, principal: Principal, backend: str, target: str
    ) -> HttpResponse:
        """Sign in this principal, and remember their browser."""
        attempt.record_success(get_account_key(principal))
        login(self.request, principal, backend=backend)  # type: ignore[arg-type]  # or a mailbox
        lifetime = datetime.timedelta(seconds=settings.SESSION_COOKIE_AGE)
        self.request.session.set_expiry(timezone.now() + lifetime)  # however often it is saved
        record_session(self.request, principal)
        response = redirect(get_redirect_target(self.request, target, settings.LOGIN_REDIRECT_URL))
        attempt.remember_browser(response, get_account_key(principal))
        return response


class LoginView(BaseLoginView):
    """Ask for address and password."""

    template_name = "login.html"
    form_class = LoginForm

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.user.is_authenticated:
            return redirect(settings.LOGIN_REDIRECT_URL)
        try:
            signed_in = sign_in_by_header(request, request.GET.get("next", ""))
        except SignInRefused as error:  # the form stays: others may know a password
            log_refusal(request, error)
            return self.render_to_response(self.get_context_data(refusal=error.text), status=403)
        except TooManyLoginFailures as error:
            return refuse_throttled_login(request, error)
        return signed_in or super().get(request, *args, **kwargs)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        target = self.request.POST.get("next", self.request.GET.get("next", ""))
        kwargs |= get_sign_in_options(target)
        return super().get_context_data(next=target, **kwargs)

    def form_valid(self, form: LoginForm) -> HttpResponse:
        request = self.request
        name, password = form.cleaned_data["username"], form.cleaned_data["password"]
        target = request.POST.get("next", "")
        attempt = start_login_attempt(request, name)
        principal = authenticate(request, username=name, password=password, attempt=attempt)
        if principal is None or not may_sign_in_locally(principal):
            return self.reject_login(form, attempt, name)
        request.session.flush()
        rehash_password(request, principal, password)
        if principal.totp_secret:
            request.session[PENDING_LOGIN_KEY] = {
                "backend": principal.backend,
                "key": principal.pk,
                "hash": principal.get_session_auth_hash(),
                "at": time.time(),
                "next": target,
            }
            return redirect("code")  # the attempt stays counted until the code is correct too
        return self.complete_login(attempt, principal, principal.backend, target)

    def reject_login(self, form: LoginForm, attempt: LoginAttempt, name: str) -> HttpResponse:
        if attempt.has_throttled_account:
            raise attempt.build_throttle_error()
        self.log_failure(name, "password")
        form.add_refusal()
        return self.form_invalid(form)

    def get_throttled_name(self) -> str:
        return self.request.POST.get("username", "")


@method_decorator(login_not_required, name="dispatch")
class LoginCodeView(BaseLoginView):
    """Ask for the one-time code of a principal who has a second factor."""

    template_name = "login_code.html"
    form_class = CodeForm

    principal: Principal

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        principal = get_pending_principal(request)
        if principal is None:
            return redirect("login")
        self.principal = principal
        return super().dispatch(request, *args, **kwargs)

    def form_valid(self, form: CodeForm) -> HttpResponse:
        request = self.request
        attempt = start_principal_attempt(request, self.principal, "code")
        if not verify_totp(self.principal, form.cleaned_data["code"]):
            self.log_failure(self.principal.pk, "code")
            form.add_refusal()
            return self.form_invalid(form)
        pending = request.session.pop(PENDING_LOGIN_KEY)
        return self.complete_login(attempt, self.principal, pending["backend"], pending["next"])

    def get_throttled_name(self) -> str:
        return self.principal.pk


def get_pending_principal(request: HttpRequest) -> Principal | None:
    """Return who gave the correct password within the last minutes and still owes the code."""
    pending = request.session.get(PENDING_LOGIN_KEY)
    if not pending or time.time() - pending["at"] > PENDING_LOGIN_SECONDS:
        return None
    principal = load_backend(pending["backend"]).get_user(pending["key"])
    if principal is None or principal.get_session_auth_hash() != pending["hash"]:
        return None
    return principal


class LogoutView(View):
    roles = Role.ANYONE
    http_method_names = ["post"]

    def post(self, request: HttpRequest) -> HttpResponse:
        origin, url = request.session.get(ORIGIN_KEY), get_provider_logout_url(request)
        logout(request)
        return render_signed_out(request, url) if origin else redirect(settings.LOGIN_URL)
