"""The page that asks for the password or a passkey again before a dangerous step."""

from typing import Any

from django.core.exceptions import ValidationError
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.views.decorators.debug import sensitive_post_parameters
from django.views.generic import FormView

from mailadmin.accounts.backends import count_proof
from mailadmin.accounts.external import get_sign_in_options, is_signed_in_by_provider
from mailadmin.accounts.factors.forms import PasskeyForm
from mailadmin.accounts.factors.passkeys import PasskeyAnswer, build_own_options
from mailadmin.accounts.forms import OwnPasswordForm, check_own_password
from mailadmin.accounts.models import Role
from mailadmin.accounts.permissions import RoleRequiredMixin
from mailadmin.accounts.proof import record_proof
from mailadmin.accounts.requests import get_redirect_target
from mailadmin.accounts.views import ThrottledFormMixin


class BaseConfirmView(RoleRequiredMixin, ThrottledFormMixin, FormView):
    """Ask for a proof, then go to the page of the dangerous step."""

    roles = Role.ANYONE
    template_name = "account/confirm.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        target = self.request.POST.get("next", self.request.GET.get("next", ""))
        context = get_sign_in_options(target) | {
            "password_form": OwnPasswordForm(),
            "passkey_form": PasskeyForm(),
            "passkey_options": build_own_options(self.principal, needs_verified_user=True),
            "next": target,
            "has_provider": is_signed_in_by_provider(self.request),
        }
        return super().get_context_data(**context | kwargs)

    def form_valid(self, form: Form) -> HttpResponse:
        try:
            with count_proof(self.request, self.principal, "confirmation"):
                self.check_proof(form.cleaned_data)
        except ValidationError as error:
            form.add_error(None, error)
            return self.form_invalid(form)
        record_proof(self.request)
        target = self.request.POST.get("next", "")
        return redirect(get_redirect_target(self.request, target, reverse("account")))

    def check_proof(self, values: dict[str, Any]) -> None:
        raise NotImplementedError


@method_decorator(sensitive_post_parameters(), name="dispatch")
class ConfirmView(BaseConfirmView):
    """Ask for the own password, or show the button for a passkey."""

    form_class = OwnPasswordForm

    def check_proof(self, values: dict[str, Any]) -> None:
        check_own_password(self.principal, values["password"])

    def form_invalid(self, form: Form) -> HttpResponse:
        context = self.get_context_data(form=form, password_form=form)
        return self.render_to_response(context, status=422)


class ConfirmPasskeyView(BaseConfirmView):
    """Take a passkey whose device has verified its user."""

    form_class = PasskeyForm

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return redirect(f"{reverse('confirm')}?{request.GET.urlencode()}")

    def check_proof(self, values: dict[str, Any]) -> None:
        answer = PasskeyAnswer.read(values["credential"])
        answer.verify_for(self.principal, needs_verified_user=True)

    def form_invalid(self, form: Form) -> HttpResponse:
        context = self.get_context_data(form=form, passkey_form=form)
        return self.render_to_response(context, status=422)
