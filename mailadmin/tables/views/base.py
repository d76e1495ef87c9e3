"""What the pages of a table share. Each view holds a `Table`, given by `as_view(table=…)`."""

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.views.generic.base import ContextMixin, TemplateResponseMixin
from django.views.generic.edit import FormMixin

from mailadmin.accounts.models import Role
from mailadmin.accounts.permissions import RoleRequiredMixin
from mailadmin.tables.table import Table

UNDO_HTML = (
    '{} <button type="button" class="linklike js-only" data-post="{}" data-values="{}">{}</button>'
)


class TableView(RoleRequiredMixin, ContextMixin):
    """One screen of a table."""

    table: Table = Table()
    screen = ""
    route = ""
    request: HttpRequest
    kwargs: dict[str, Any]
    context_object_name: str | None = "record"
    pk_url_kwarg = "key"

    def get_roles(self) -> Role:
        return self.table.roles_of(self.screen)

    def get_queryset(self) -> Any:
        return self.table.queryset(self.request.user)

    def get_object(self, queryset: Any = None) -> Any:
        """Return the row of the URL; one out of scope is 404 like one that does not exist."""
        row = self.table.find(self.request.user, self.kwargs["key"])
        if row is None:
            raise Http404
        return row

    def get_template_names(self) -> list[str]:
        meta = self.table.model._meta
        own_template = f"{meta.app_label}/{meta.model_name}_{self.screen}.html"
        return [own_template, f"tables/{self.screen}.html"]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = build_table_context(self.table, self.request.user)
        return super().get_context_data(**context | kwargs)


def build_table_context(table: Table, principal: Any) -> dict[str, Any]:
    """Return what every page of a table needs."""
    return {"table": table, "may": table.allowed_screens(principal)}


class FilteredView(TableView):
    """A screen on the rows that match the filters of the query string."""

    @cached_property
    def filters(self) -> dict[str, str]:
        return self.table.filters(self.request.GET)

    @property
    def filter_query(self) -> str:
        return urlencode(self.filters)


class SaveFormMixin(RoleRequiredMixin, TemplateResponseMixin, FormMixin):
    """Save the form and redirect, or show the form with its errors."""

    def get_form_kwargs(self) -> dict[str, Any]:
        return super().get_form_kwargs() | {"actor": self.actor}

    def save_form(self, form: Any) -> Any:
        return form.save()

    def form_valid(self, form: Any) -> HttpResponse:
        self.saved_object = self.save_form(form)
        if form.errors:
            return self.form_invalid(form)
        messages.success(self.request, self.get_success_text())
        for text in self.get_warning_texts():
            messages.warning(self.request, text)
        return redirect(self.get_success_url())

    def get_success_text(self) -> str:
        raise NotImplementedError

    def get_warning_texts(self) -> Sequence[str]:
        """Return warnings about what was saved."""
        return []

    def form_invalid(self, form: Any) -> HttpResponse:
        return self.render_to_response(self.get_context_data(form=form), status=422)


def add_undo_button(text: str, url: str, values: Mapping[str, Any]) -> SafeString:
    """Return a message with a button that posts what undoes it."""
    return format_html(UNDO_HTML, text, url, json.dumps(values), _("Undo"))


def show_errors(request: HttpRequest, error: ValidationError) -> None:
    """Show an error as messages of the next page."""
    for text in error.messages:
        messages.error(request, text)
