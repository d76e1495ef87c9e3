"""Ask one person to set a new password, on their page."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.generic import View

from mailadmin.accounts.password_requests import REQUEST_PASSWORD, request_passwords
from mailadmin.changes.perform import perform
from mailadmin.tables.views.base import TableView


class PasswordRequestView(TableView, View):
    """Ask a person to set a new password, and return to their page."""

    screen = "edit"
    http_method_names = ["post"]

    def post(self, request: HttpRequest, key: str) -> HttpResponse:
        person = self.get_object()
        if perform(self.actor, request_passwords, self.table.model, [person.pk]):
            messages.success(request, str(REQUEST_PASSWORD.done) % {"row": person})
        else:
            text = _("%(row)s has no password yet. Send an invitation instead.")
            messages.error(request, text % {"row": person})
        return redirect(self.table.row_url(person.pk))
