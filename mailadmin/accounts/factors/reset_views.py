"""The second factors of others, on their pages: what they have, and the reset."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.generic import View

from mailadmin.accounts.factors.models import Passkey
from mailadmin.accounts.factors.services import reset_factors
from mailadmin.accounts.proof import RecentProofMixin
from mailadmin.accounts.recovery.invitations import has_no_password, is_invited
from mailadmin.changes.perform import perform
from mailadmin.tables.views.base import TableView, show_errors
from mailadmin.tables.views.detail import TableDetailView


class PersonDetailView(TableDetailView):
    """The page of an admin or a mailbox, with what they sign in by."""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(
            passkey_count=Passkey.objects.owned_by(self.object).count(),
            has_no_password=has_no_password(self.object),
            is_invited=is_invited(self.object),
            **kwargs,
        )


class FactorResetView(RecentProofMixin, TableView, View):
    """Remove the second factors of a person who has lost them."""

    screen = "edit"
    http_method_names = ["post"]

    def get_page_after_proof(self) -> str:
        return self.table.row_url(self.kwargs["key"])

    def post(self, request: HttpRequest, key: str) -> HttpResponse:
        person = self.get_object()
        try:
            perform(self.actor, reset_factors, self.table.model, [person.pk])
        except ValidationError as error:
            show_errors(request, error)
        else:
            text = _("Two-factor authentication of %(person)s was reset.")
            messages.success(request, text % {"person": person})
        return redirect(self.table.row_url(person.pk))
