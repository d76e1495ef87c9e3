"""Recent proof of identity: dangerous steps ask for the password or a passkey again."""

import time
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _

from mailadmin.accounts.permissions import RoleRequiredMixin
from mailadmin.accounts.requests import as_panel_request

PROOF_KEY = "mailadmin_proof"  # when the person last proved who they are, in a session's data
PROOF_SECONDS = 600
SAFE_METHODS = ("GET", "HEAD")


def record_proof(request: HttpRequest) -> None:
    """Record that the person has just given their password or used a passkey."""
    request.session[PROOF_KEY] = int(time.time())


def has_recent_proof(request: HttpRequest) -> bool:
    """Return whether the person proved who they are within the last minutes."""
    return 0 <= time.time() - request.session.get(PROOF_KEY, 0) <= PROOF_SECONDS


class RecentProofMixin(RoleRequiredMixin):
    """A page with a dangerous step; it opens after a recent proof."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        is_permitted = as_panel_request(request).user.role in self.get_roles()
        if is_permitted and self.needs_proof(request) and not has_recent_proof(request):
            return self.ask_for_proof(request)
        return super().dispatch(request, *args, **kwargs)

    def needs_proof(self, request: HttpRequest) -> bool:
        """Return whether this request takes the dangerous step."""
        return True

    def ask_for_proof(self, request: HttpRequest) -> HttpResponseBase:
        """Redirect to the page that asks for the password or a passkey, and back."""
        if request.method not in SAFE_METHODS:
            messages.warning(
                request, _("Nothing was changed. Confirm who you are, then try again.")
            )
        query = urlencode({"next": self.get_page_after_proof()})
        return redirect(f"{reverse('confirm')}?{query}")

    def get_page_after_proof(self) -> str:
        """Return the page to open after the proof: a POST cannot be sent again."""
        return self.request.get_full_path()


class ProofToSaveMixin(RecentProofMixin):
    """A page that opens without proof, and whose form is the dangerous step."""

    def needs_proof(self, request: HttpRequest) -> bool:
        return request.method not in SAFE_METHODS

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        kwargs.setdefault("has_proof", has_recent_proof(self.request))
        context: dict[str, Any] = super().get_context_data(**kwargs)  # type: ignore[misc]  # of the view
        return context
