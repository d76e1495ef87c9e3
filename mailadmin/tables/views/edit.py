"""The pages that change one row: create, edit, delete, toggle."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest
from django.shortcuts import redirect, render
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.views.generic import CreateView, DetailView, UpdateView, View

from mailadmin.accounts.proof_forms import OwnPasswordFieldMixin
from mailadmin.accounts.recovery.invitations import keep_link
from mailadmin.accounts.requests import get_redirect_target
from mailadmin.changes.perform import perform
from mailadmin.formatting import fill_html, unicode_address
from mailadmin.names import try_normalize_domain
from mailadmin.tables.actions import DELETE
from mailadmin.tables.forms import TableForm
from mailadmin.tables.table import Table
from mailadmin.tables.views.base import TableView, add_undo_button, show_errors
from mailadmin.tables.views.detail import RowHeadMixin
from mailadmin.tables.views.typed_confirmation import find_typing_error, get_text_to_type


class SaveRowMixin(OwnPasswordFieldMixin):
    """Save a row of the table by its services."""

    table: Table
    screen: str
    has_new_password = False

    def get_form_class(self) -> type[TableForm]:
        return self.table.form_class

    def save_form(self, form: Any) -> Any:
        given = form.cleaned_data
        self.has_new_password = bool(given.get("password") or given.get("invitation_to"))
        row = form.save(self.table.services)
        keep_link(self.request, row)
        return row

    def get_warning_texts(self) -> Sequence[str]:
        row = self.saved_object
        notices = self.table.save_notices(row, is_new=self.screen == "create")
        return [*notices, *self.table.warnings(self.request.user, [row]).get(row.pk, [])]

    def get_success_url(self) -> str:
        if "another" in self.request.POST:
            return self.get_another_url(self.saved_object)
        is_new = self.screen == "create"
        return self.table.url_after_save(self.saved_object, self.has_new_password, is_new)

    def get_another_url(self, row: Any) -> str:
        """Return the form for another row, in the domain of the one just created."""
        domain, typed = getattr(row, "domain_id", None), self.request.POST
        kept = {name: typed[name] for name in self.table.form_class.kept_fields if name in typed}
        query = urlencode(({"domain": domain} if domain else {}) | kept)
        return self.table.url("create") + (f"?{query}" if query else "")


class TableCreateView(SaveRowMixin, TableView, CreateView):
    screen = "create"
    route = "create/"

    def get_form(self, form_class: Any = None) -> Any:
        form = super().get_form(form_class)
        if not form.is_bound:
            form.focus_first_empty_field()
        return form

    def get_initial(self) -> dict[str, Any]:
        """Preselect the domain that the link names, and what is kept of the row before."""
        params, form_class = self.request.GET, self.table.form_class
        domain = params.get("domain")
        names = (*form_class.kept_fields, *form_class.preset_fields)
        kept = {name: params[name] for name in names if name in params}
        preset = {"domain": try_normalize_domain(domain)} if domain else {}
        return super().get_initial() | preset | kept

    def get_success_text(self) -> str:
        url = self.table.row_url(self.saved_object.pk)
        return format_row_message(_("%(row)s was created."), self.saved_object, url)


class TableEditView(SaveRowMixin, RowHeadMixin, UpdateView):
    screen = "edit"
    route = "<key:key>/edit/"

    def form_invalid(self, form: Any) -> HttpResponse:
        """Show the form as it was sent, and the head as the row is stored."""
        self.object = self.get_object()
        return super().form_invalid(form)

    def get_success_text(self) -> str:
        return _("%(row)s was saved.") % {"row": self.object}


def format_row_message(text: str, row: Any, url: str) -> SafeString:
    """Return a message with the row as a link to its page."""
    return fill_html(text, {"row": format_html('<a href="{}">{}</a>', url, row)})


class TableDeleteView(TableView, DetailView):
    """Show what will be deleted; delete it by POST."""

    screen = "delete"
    route = "<key:key>/delete/"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        keys = [self.object.pk]
        cascade_counts = self.table.cascade_counts(keys)
        return super().get_context_data(
            cascade_counts=cascade_counts,
            text_to_type=unicode_address(get_text_to_type(keys, cascade_counts)),
            inbound_references=self.table.inbound_references(keys, self.request.user),
            delete_blockers=self.table.delete_blockers(keys, self.principal),
            **kwargs,
        )

    def post(self, request: HttpRequest, key: str) -> HttpResponse:
        self.object = self.get_object()
        text = str(self.object)
        if typing_error := find_typing_error(self.table, [self.object.pk], request.POST):
            return self.render_refusal(typing_error=typing_error)
        try:
            job = self.table.run_action(self.actor, DELETE, [self.object.pk])
        except ValidationError as error:
            return self.render_refusal(errors=error.messages)
        if job:
            return redirect("job", job.pk)
        messages.success(request, str(DELETE.done) % {"row": text})
        return redirect(self.table.list_url(self.object))

    def render_refusal(self, **context: Any) -> HttpResponse:
        context = self.get_context_data(object=self.object, **context)
        return render(self.request, self.get_template_names(), context, status=422)


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
        is_change = getattr(row, field) != (value == "1")
        try:
            perform(self.actor, self.table.services.set, [row.pk], field, value == "1")
        except ValidationError as error:
            show_errors(request, error)
        else:
            if is_change:
                messages.success(request, self.build_message(row, field, value))
        target = request.POST.get("next", "")
        return redirect(get_redirect_target(request, target, self.table.url("list")))

    def build_message(self, row: Any, field: str, value: str) -> SafeString:
        """Return what was set, with a button that sets it back."""
        wanted = field, value == "1"
        done = [each.done for each in self.table.actions if (each.field, each.value) == wanted]
        template = str(done[0]) if done else _("%(row)s was updated.")
        text = format_row_message(template, row, self.table.row_url(row.pk))
        other = {"field": field, "value": "0" if value == "1" else "1"}
        return add_undo_button(text, self.table.url("toggle", row.pk), other)
