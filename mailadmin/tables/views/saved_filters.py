"""Save and remove a person's filters of lists."""

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _
from django.views.generic import View

from mailadmin import registry
from mailadmin.accounts.models import Role
from mailadmin.accounts.permissions import RoleRequiredMixin
from mailadmin.changes.perform import perform
from mailadmin.tables.models import SavedFilter
from mailadmin.tables.saved_filters import delete_filter, save_filter
from mailadmin.tables.table import Table
from mailadmin.tables.views.base import show_errors


class SavedFilterView(RoleRequiredMixin, View):
    """What the views of saved filters share."""

    roles = Role.ADMINS
    http_method_names = ["post"]

    def get_table(self, slug: str) -> Table:
        table = registry.tables.get(slug)
        if table is None or not table.allows("list", self.principal):
            raise Http404
        return table


class SavedFilterCreateView(SavedFilterView):
    """Save the filter of a list under a name."""

    def post(self, request: HttpRequest) -> HttpResponse:
        table = self.get_table(request.POST.get("table", ""))
        name, query = request.POST.get("name", ""), request.POST.get("query", "")
        try:
            saved = perform(self.actor, save_filter, table, name, query)
        except ValidationError as error:
            show_errors(request, error)
            return redirect(table.url("list"))
        messages.success(request, _("The filter “%(name)s” was saved.") % {"name": saved.name})
        return redirect(f"{table.url('list')}?{saved.query}")


class SavedFilterDeleteView(SavedFilterView):
    """Remove a saved filter."""

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        own = SavedFilter.objects.owned_by(self.principal)
        saved = get_object_or_404(own, pk=pk)
        table = self.get_table(saved.table)
        perform(self.actor, delete_filter, pk)
        messages.success(request, _("The filter “%(name)s” was removed.") % {"name": saved.name})
        return redirect(table.url("list"))
