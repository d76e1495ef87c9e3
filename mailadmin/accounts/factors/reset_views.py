"""The reset of second factors of others, on their pages."""

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from mailadmin.accounts.factors.services import reset_factors
from mailadmin.accounts.person_views import PersonActionView
from mailadmin.changes.perform import perform
from mailadmin.tables.views.base import show_errors


class FactorResetView(PersonActionView):
    """Remove the second factors of a person who has lost them."""

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
