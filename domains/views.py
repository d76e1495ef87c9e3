"""Suggestions of domains for form fields, the page of an admin, and the admins of a domain."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.generic import View

from domains.models import Admin, Domain
from domains.services.admins import assign_domain, unassign_domain
from domains.tables import AdminTable
from mailadmin.accounts.models import Role
from mailadmin.accounts.person_views import PersonDetailView
from mailadmin.accounts.proof import RecentProofMixin
from mailadmin.changes.perform import perform
from mailadmin.formatting import key_url
from mailadmin.tables.views.base import TableView, show_errors
from mailadmin.tables.views.detail import TableReadyView
from mailadmin.tables.views.list import PickerView

MAX_SHOWN_DOMAINS = 200


class DomainPickerView(PickerView):
    model = Domain
    field_names = ("q", "domain", "alias_domain", "target_domain")


class AssignedDomainsMixin(TableView):
    """A page of an admin that names the first domains that they manage."""

    table = AdminTable()
    object: Admin

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        assigned = self.object.get_assigned_domains()
        return super().get_context_data(
            assigned=assigned[:MAX_SHOWN_DOMAINS],
            more_assigned=max(0, len(assigned) - MAX_SHOWN_DOMAINS),
            **kwargs,
        )


class AdminDetailView(AssignedDomainsMixin, PersonDetailView):
    pass


class AdminReadyView(AssignedDomainsMixin, TableReadyView):
    """What to hand over to a new admin."""


class DomainAdminsView(RecentProofMixin, View):
    """Assign a domain to an admin, or take it from them, on the page of the domain."""

    roles = Role.SUPERADMIN
    http_method_names = ["post"]

    def needs_proof(self, request: HttpRequest) -> bool:
        """Ask before somebody is made an admin of the domain."""
        return "remove" not in request.POST

    def get_page_after_proof(self) -> str:
        return key_url("domain", self.kwargs["key"])

    def find_admin(self, typed: str) -> str:
        """Return the name of an admin that somebody typed."""
        name = typed.strip().lower()
        if not name:
            raise ValidationError(_("Enter the address of an admin."))
        if not Admin.objects.visible_to(self.principal).filter(pk=name).exists():
            raise ValidationError(_("There is no admin %(name)s.") % {"name": typed})
        return name

    def post(self, request: HttpRequest, key: str) -> HttpResponse:
        domain = Domain.objects.visible_to(self.principal).filter(pk=key).first()
        if domain is None:
            raise Http404
        removed, added = request.POST.get("remove", ""), request.POST.get("admin", "")
        try:
            if removed:
                perform(self.actor, unassign_domain, removed, domain.pk)
                text = _("%(admin)s no longer manages %(domain)s.")
            else:
                perform(self.actor, assign_domain, self.find_admin(added), domain.pk)
                text = _("%(admin)s now manages %(domain)s.")
            messages.success(request, text % {"admin": removed or added, "domain": domain})
        except ValidationError as error:
            show_errors(request, error)
        return redirect(key_url("domain", domain.pk))
