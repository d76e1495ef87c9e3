"""One's own sessions: where one is signed in, and ending them."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.generic import TemplateView, View

from mailadmin.accounts.models import Role, SignedInSession
from mailadmin.accounts.permissions import RoleRequiredMixin
from mailadmin.accounts.signed_in import (
    end_listed_sessions,
    end_other_sessions,
    list_sessions,
)


class OwnSessionsMixin(RoleRequiredMixin):
    roles = Role.ANYONE

    def is_current(self, row: SignedInSession) -> bool:
        return row.session_key == self.request.session.session_key


class SessionListView(OwnSessionsMixin, TemplateView):
    """Where one is signed in, this session first."""

    template_name = "account/sessions.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        rows = list_sessions(self.principal)
        current = [row for row in rows if self.is_current(row)]
        others = [row for row in rows if not self.is_current(row)]
        return super().get_context_data(current=current, others=others, **kwargs)


class SessionEndView(OwnSessionsMixin, View):
    """End one session; to end the current one is to sign out."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        rows = [row for row in list_sessions(self.principal) if row.pk == pk]
        if rows and self.is_current(rows[0]):
            raise Http404
        end_listed_sessions(rows)  # none, if it has ended since the page was shown
        messages.success(request, _("The session has ended."))
        return redirect("sessions")


class OtherSessionsEndView(OwnSessionsMixin, View):
    """End all sessions but the current one."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest) -> HttpResponse:
        end_other_sessions(request, self.principal)
        messages.success(request, _("All other sessions have ended."))
        return redirect("sessions")
