"""Sign in by password; sign out."""

from typing import Any

from django.conf import settings
from django.contrib.auth import authenticate, logout
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.decorators import method_decorator
from django.views.decorators.debug import sensitive_post_parameters
from django.views.generic import FormView, View

from mailadmin.accounts.backends import start_login_attempt
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
from mailadmin.accounts.factors.forms import PasskeyForm
from mailadmin.accounts.factors.passkeys import get_site
from mailadmin.accounts.factors.policy import needs_second_step
from mailadmin.accounts.forms import LoginForm
from mailadmin.accounts.login import complete_login, start_second_step
from mailadmin.accounts.models import Role
from mailadmin.accounts.oidc.logout import get_provider_logout_url
from mailadmin.accounts.recovery.policy import has_links, is_recovery_offered
from mailadmin.accounts.rehash import rehash_password
from mailadmin.accounts.requests import as_panel_request
from mailadmin.accounts.throttling import LoginAttempt, TooManyLoginFailures, log_login_failure
from mailadmin.error_pages import too_many_requests


class ThrottledFormMixin:
    """A form whose wrong answers are counted; after too many it answers 429."""

    request: HttpRequest

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return super().post(request, *args, **kwargs)  # type: ignore[misc]  # of the view
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
        return super().get_context_data(**get_login_context(self.request) | kwargs)

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
        if needs_second_step(request, principal):
            return start_second_step(request, principal, target)
        return complete_login(request, attempt, principal, target)

    def reject_login(self, form: LoginForm, attempt: LoginAttempt, name: str) -> HttpResponse:
        if attempt.has_throttled_account:
            raise attempt.build_throttle_error()
        self.log_failure(name, "password")
        form.add_refusal()
        return self.form_invalid(form)

    def get_throttled_name(self) -> str:
        return self.request.POST.get("username", "")


def get_login_context(request: HttpRequest) -> dict[str, Any]:
    """Return what the page of the sign-in shows besides the form of name and password."""
    target = request.POST.get("next", request.GET.get("next", ""))
    return get_sign_in_options(target) | {
        "next": target,
        "has_passkeys": get_site() is not None,
        "can_recover": is_recovery_offered() and has_links(),
        "passkey_form": PasskeyForm(),
    }


class LogoutView(View):
    roles = Role.ANYONE
    http_method_names = ["post"]

    def post(self, request: HttpRequest) -> HttpResponse:
        origin, url = request.session.get(ORIGIN_KEY), get_provider_logout_url(request)
        logout(request)
        return render_signed_out(request, url) if origin else redirect(settings.LOGIN_URL)
