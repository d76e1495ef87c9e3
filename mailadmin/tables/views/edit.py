"""The pages that change one row: create, edit, delete, toggle."""

import json
from collections.abc import Sequence
from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.generic import CreateView, DetailView, UpdateView, View

from mailadmin.changes.perform import perform
from mailadmin.names import try_normalize_domain
from mailadmin.tables.actions import DELETE
from mailadmin.tables.cells import RowRenderer
from mailadmin.tables.forms import TableForm
from mailadmin.tables.table import Table
from mailadmin.tables.views.base import SaveFormMixin, TableView, show_errors


class SaveRowMixin(SaveFormMixin):
    """Save a row of the table by its services."""

    table: Table
    screen: str

    def get_form_class(self) -> type[TableForm]:
        return self.table.form_class

    def save_form(self, form: Any) -> Any:
        return form.save(self.table.services)

    def get_warning_texts(self) -> Sequence[str]:
        row = self.saved_object
        notices = self.table.save_notices(row, is_new=self.screen == "create")
        return [*notices, *self.table.warnings(self.request.user, [row]).get(row.pk, [])]

    def get_success_url(self) -> str:
        return self.table.url_after_save(self.saved_object)


class TableCreateView(SaveRowMixin, TableView, CreateView):
    screen = "create"
    route = "create/"

    def get_initial(self) -> dict[str, Any]:
        """Preselect the domain that the link names."""
        domain = self.request.GET.get("domain")
        return super().get_initial() | ({"domain": try_normalize_domain(domain)} if domain else {})

    def get_success_text(self) -> str:
        return _("%(row)s was created.") % {"row": self.saved_object}


class TableEditView(SaveRowMixin, TableView, UpdateView):
    screen = "edit"
    route = "<key:key>/edit/"

    def get_success_text(self) -> str:
        return _("%(row)s was saved.") % {"row": self.object}


class TableDeleteView(TableView, DetailView):
    """Show what will be deleted; delete it by POST."""

    screen = "delete"
    route = "<key:key>/delete/"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        keys = [self.object.pk]
        blockers = self.table.delete_blockers(keys)
        kwargs = {"errors": blockers, "delete_blockers": blockers} | kwargs
        return super().get_context_data(
            cascade_counts=self.table.cascade_counts(keys),
            inbound_references=self.table.inbound_references(keys, self.request.user),
            **kwargs,
        )

    def post(self, request: HttpRequest, key: str) -> HttpResponse:
        self.object = self.get_object()
        text = str(self.object)
        try:
            job = self.table.run_action(self.actor, DELETE, [self.object.pk])
        except ValidationError as error:
            context = self.get_context_data(object=self.object, errors=error.messages)
            return render(request, self.get_template_names(), context, status=422)
        if job:
            return redirect("job", job.pk)
        messages.success(request, _("%(row)s was deleted.") % {"row": text})
        return redirect(self.table.list_url(self.object))


class TableToggleView(TableView, View):
    """Set a boolean column to the value sent, so that a double click does not undo itself."""

    screen = "toggle"
    route = "<key:key>/toggle/"
    http_method_names = ["post"]

    def post(self, request: HttpRequest, key: str) -> HttpResponse:
        row = self.get_object()
        field, value = request.POST.get("field", "active"), request.POST.get("value")
        if field not in self.table.toggles or value not in ("0", "1"):
            return HttpResponseBadRequest(_("This value cannot be changed here."))
        try:
            perform(self.actor, self.table.services.set, [row.pk], field, value == "1")
        except ValidationError as error:
            return self.build_refusal_response(error)
        if "HX-Request" in request.headers:
            row = self.get_object()
            renderer = RowRenderer(request, self.table)
            return HttpResponse(renderer.render_toggle(row, field, getattr(row, field)))
        messages.success(request, _("%(row)s was saved.") % {"row": row})
        return redirect(self.return_url())

    def build_refusal_response(self, error: ValidationError) -> HttpResponse:
        if "HX-Request" in self.request.headers:
            response = HttpResponse(status=422)
            response["HX-Trigger"] = json.dumps({"refused": error.messages})
            return response
        show_errors(self.request, error)
        return redirect(self.return_url())

    def return_url(self) -> str:
        query = self.request.POST.get("back", "")
        return self.table.url("list") + (query if query.startswith("?") else "")
