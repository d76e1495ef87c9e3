"""The IP addresses from which a mailbox owner is asked for no second factor."""

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.generic import FormView, View

from domains.models import TotpException
from domains.services.totp_exceptions import create_totp_exceptions, delete_totp_exceptions
from mailadmin.accounts.factors.policy import is_second_factor_required
from mailadmin.accounts.models import Role
from mailadmin.accounts.proof import RecentProofMixin
from mailadmin.accounts.requests import as_panel_request
from mailadmin.changes.perform import perform
from mailadmin.tables.forms import ValidatedTextForm


class OwnExceptionForm(ValidatedTextForm):
    """An IP address and its description."""

    ip = forms.GenericIPAddressField(label=gettext_lazy("IP address"))
    description = forms.CharField(
        label=gettext_lazy("Description"),
        max_length=255,
        help_text=gettext_lazy("For example: Office"),
    )


class OwnExceptionsMixin(RecentProofMixin):
    roles = Role.MAILBOX

    def get_exceptions(self) -> Any:
        return TotpException.objects.visible_to(self.principal)


class OwnExceptionsView(OwnExceptionsMixin, FormView):
    """List the owner's exceptions and add one; the form starts with the current address."""

    template_name = "mailboxes/own_exceptions.html"
    form_class = OwnExceptionForm

    def get_initial(self) -> dict[str, Any]:
        return {"ip": as_panel_request(self.request).client_address}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(
            exceptions=self.get_exceptions().order_by("ip"),
            is_required=is_second_factor_required(self.principal),
            **kwargs,
        )

    def form_valid(self, form: OwnExceptionForm) -> HttpResponse:
        row = form.cleaned_data | {"username": self.principal.pk}
        try:
            perform(self.actor, create_totp_exceptions, [row])
        except ValidationError as error:
            form.add_error(None, ValidationError(error.messages))
            return self.form_invalid(form)
        messages.success(self.request, _("The exception was added."))
        return redirect("own-exceptions")

    def form_invalid(self, form: OwnExceptionForm) -> HttpResponse:
        return self.render_to_response(self.get_context_data(form=form), status=422)


class OwnExceptionRemoveView(OwnExceptionsMixin, View):
    """Remove one of the owner's exceptions."""

    http_method_names = ["post"]

    def needs_proof(self, request: HttpRequest) -> bool:
        return False

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        row = get_object_or_404(self.get_exceptions(), pk=pk)
        perform(self.actor, delete_totp_exceptions, [row.pk])
        messages.success(request, _("The exception was removed."))
        return redirect("own-exceptions")
