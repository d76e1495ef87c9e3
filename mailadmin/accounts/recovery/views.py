"""Ask for a recovery link; change the address that links are sent to."""

from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.generic import FormView, TemplateView

from mailadmin.accounts.code_links import CodeLinkView
from mailadmin.accounts.models import Role
from mailadmin.accounts.proof import RecentProofMixin
from mailadmin.accounts.recovery.forms import RecoveryAddressForm, RecoveryRequestForm
from mailadmin.accounts.recovery.links import find_open_link
from mailadmin.accounts.recovery.policy import has_links, is_recovery_offered
from mailadmin.accounts.recovery.requests import add_request
from mailadmin.accounts.views import BaseLoginView
from mailadmin.tables.views.base import SaveFormMixin

CODE_KEY = "mailadmin_recovery"  # of the code of a link, in the data of a session


class RecoveryRequestView(BaseLoginView):
    """Ask whose password is to be set; the answer is the same for every name."""

    template_name = "recovery/request.html"
    form_class = RecoveryRequestForm

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = {"is_offered": is_recovery_offered(), "has_links": has_links()}
        return super().get_context_data(**context | kwargs)

    def form_valid(self, form: RecoveryRequestForm) -> HttpResponse:
        if not (is_recovery_offered() and has_links()):
            return self.render_to_response(self.get_context_data(), status=403)
        add_request(self.request, form.cleaned_data["username"])
        return redirect("recovery-requested")

    def get_throttled_name(self) -> str:
        return self.request.POST.get("username", "")


@method_decorator(login_not_required, name="dispatch")
class RecoveryRequestedView(TemplateView):
    """What happens next, whether or not there is such an account."""

    roles = Role.ANYONE
    template_name = "recovery/requested.html"


class RecoveryLinkView(CodeLinkView):
    session_key = CODE_KEY
    page = "recover"

    def is_open(self, code: str) -> bool:
        return find_open_link(code) is not None


class RecoveryAddressView(RecentProofMixin, SaveFormMixin, FormView):
    """The address to which links for the signed-in person are sent."""

    roles = Role.ANYONE
    form_class = RecoveryAddressForm
    template_name = "account/recovery_address.html"

    def get_success_text(self) -> str:
        return _("Your recovery address was changed.")

    def get_success_url(self) -> str:
        return reverse("account")
