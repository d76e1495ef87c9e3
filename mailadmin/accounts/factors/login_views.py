"""The second step of the sign-in, and the sign-in by a passkey alone."""

from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import ValidationError
from django.forms import Form
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils.decorators import method_decorator
from django.views.decorators.debug import sensitive_post_parameters

from mailadmin.accounts.backends import start_login_attempt, start_principal_attempt
from mailadmin.accounts.external import check_local_sign_in
from mailadmin.accounts.factors.forms import CodeForm, PasskeyForm
from mailadmin.accounts.factors.passkeys import (
    PasskeyAnswer,
    build_own_options,
    build_request_options,
    get_site,
)
from mailadmin.accounts.factors.recovery_codes import is_recovery_code
from mailadmin.accounts.factors.services import use_recovery_code
from mailadmin.accounts.factors.totp import verify_totp
from mailadmin.accounts.forms import LoginForm
from mailadmin.accounts.login import complete_login, get_pending_principal, pop_pending_target
from mailadmin.accounts.models import Principal
from mailadmin.accounts.views import BaseLoginView, get_login_context
from mailadmin.changes.perform import Actor, perform


@method_decorator([login_not_required, sensitive_post_parameters()], name="dispatch")
class SecondStepView(BaseLoginView):
    """Ask a principal whose password was correct for their second factor."""

    template_name = "login_code.html"

    principal: Principal

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        principal = get_pending_principal(request)
        if principal is None:
            return redirect("login")
        self.principal = principal
        return super().dispatch(request, *args, **kwargs)

    def get_throttled_name(self) -> str:
        return self.principal.pk

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = {
            "code_form": CodeForm(),
            "has_totp": bool(self.principal.totp_secret),
            "passkey_form": PasskeyForm(),
            "passkey_options": build_own_options(self.principal),
        }
        return super().get_context_data(**context | kwargs)


class LoginCodeView(SecondStepView):
    """The second step by a one-time code or a recovery code."""

    form_class = CodeForm

    def form_valid(self, form: CodeForm) -> HttpResponse:
        request, code = self.request, form.cleaned_data["code"]
        attempt = start_principal_attempt(request, self.principal, "code")
        is_recovery = is_recovery_code(code)
        is_correct = (
            self.try_recovery_code(code) if is_recovery else verify_totp(self.principal, code)
        )
        if not is_correct:
            self.log_failure(self.principal.pk, "code")
            form.add_refusal()
            return self.form_invalid(form)
        target = pop_pending_target(request)
        return complete_login(request, attempt, self.principal, target, is_proof=not is_recovery)

    def form_invalid(self, form: Form) -> HttpResponse:
        return self.render_to_response(self.get_context_data(form=form, code_form=form))

    def try_recovery_code(self, code: str) -> bool:
        """Use a recovery code; return whether that was possible."""
        person = self.principal
        actor = Actor.of_person(self.request, person)
        try:
            perform(actor, use_recovery_code, person._meta.model, person.pk, code)
        except ValidationError:
            return False
        return True


class LoginCodePasskeyView(SecondStepView):
    """The second step by a passkey."""

    form_class = PasskeyForm

    def form_valid(self, form: PasskeyForm) -> HttpResponse:
        attempt = start_principal_attempt(self.request, self.principal, "code")
        try:
            answer = PasskeyAnswer.read(form.cleaned_data["credential"])
            answer.verify_for(self.principal)
        except ValidationError as error:
            self.log_failure(self.principal.pk, "passkey")
            form.add_error(None, error)
            return self.form_invalid(form)
        target = pop_pending_target(self.request)
        return complete_login(self.request, attempt, self.principal, target)

    def form_invalid(self, form: Form) -> HttpResponse:
        return self.render_to_response(self.get_context_data(form=form, passkey_form=form))


class LoginPasskeyView(BaseLoginView):
    """Sign in by a passkey alone; GET returns the options for the browser."""

    template_name = "login.html"
    form_class = PasskeyForm

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not get_site():
            raise Http404
        if "application/json" not in request.headers.get("Accept", ""):
            return redirect("login")  # the address of a failed sign-in, loaded again
        return HttpResponse(build_request_options(), content_type="application/json")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Show the page of the sign-in again, with the error."""
        context = get_login_context(self.request)
        return super().get_context_data(**context | {"form": LoginForm()} | kwargs)

    def form_valid(self, form: PasskeyForm) -> HttpResponse:
        request = self.request
        try:
            answer = self.read_answer(form.cleaned_data["credential"])
            attempt = start_principal_attempt(request, answer.owner, "passkey")
            answer.verify_alone()
            check_local_sign_in(answer.owner)
        except ValidationError as error:
            self.log_failure("", "passkey")
            form.add_error(None, error)
            return self.form_invalid(form)
        request.session.flush()
        return complete_login(request, attempt, answer.owner, request.POST.get("next", ""))

    def read_answer(self, text: str) -> PasskeyAnswer:
        """Read the browser's answer; one without a known passkey counts as a failed sign-in."""
        try:
            return PasskeyAnswer.read(text)
        except ValidationError:
            start_login_attempt(self.request, "")
            raise

    def form_invalid(self, form: Form) -> HttpResponse:
        return self.render_to_response(self.get_context_data(passkey_form=form))

    def get_throttled_name(self) -> str:
        return ""
