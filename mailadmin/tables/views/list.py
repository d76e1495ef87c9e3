"""The pages that show rows: list, CSV export, and the suggestions of a form field."""

import csv
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.db import models
from django.http import Http404, HttpRequest, HttpResponse, QueryDict, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.generic import TemplateView, View

from mailadmin.accounts.models import Role, visible_rows
from mailadmin.accounts.permissions import RoleRequiredMixin
from mailadmin.db.pagination import iter_pages
from mailadmin.names import try_normalize_domain
from mailadmin.tables.actions import Action
from mailadmin.tables.columns import Column
from mailadmin.tables.csv_cells import EchoWriter, escape_formula, format_cell
from mailadmin.tables.custom_columns import build_column_filters
from mailadmin.tables.pages import InvalidCursor, Page
from mailadmin.tables.saved_filters import list_saved_filters
from mailadmin.tables.views.base import FilteredView, TableView

MAX_PICKER_CHOICES = 20
COLUMNS_COOKIE = "mailadmin_columns"
YEAR = 365 * 24 * 60 * 60


class TableListView(FilteredView, TemplateView):
    """One page of rows, paged by key."""

    screen = "list"
    route = ""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if "choose_columns" in request.GET:
            return self.store_columns(request.GET.getlist("column"))
        return super().get(request, *args, **kwargs)

    def store_columns(self, names: list[str]) -> HttpResponse:
        """Remember the chosen columns in a cookie of this table."""
        known = self.table.get_list_columns(self.principal.role)
        chosen = [column.name for column in known if column.name in names]
        path = self.table.url("list")
        query = self.build_page_url()
        response = redirect(path + (query if query != "?" else ""))
        response.set_cookie(
            COLUMNS_COOKIE,
            ".".join(chosen) or "-",
            path=path,
            max_age=YEAR,
            samesite="Lax",
            secure=settings.SESSION_COOKIE_SECURE,
            httponly=True,
        )
        return response

    def get_columns(self) -> list[Column]:
        """Return the chosen columns, else those that are not hidden; the first one always."""
        chosen = self.request.COOKIES.get(COLUMNS_COOKIE, "").split(".")
        first, *others = self.table.get_list_columns(self.principal.role)
        if chosen == [""]:
            return [first, *(c for c in others if c.name not in self.table.hidden_columns)]
        return [first, *(column for column in others if column.name in chosen)]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        page = self.get_page()
        rows, is_reversed = page.rows, self.request.GET.get("dir") == "desc"
        saved = list_saved_filters(self.request.user, self.table)
        return super().get_context_data(
            rows=self.table.prefetch_cells(rows, self.request.user) if rows else [],
            columns=self.get_columns(),
            known_columns=self.table.get_list_columns(self.principal.role),
            column_filters=build_column_filters(self.table.column_filters, self.filters),
            count=self.get_count(page),
            menu_actions=self.get_menu_actions(),
            selection_actions=self.table.get_actions(self.request.user),
            saved_filters=saved,
            is_filter_saved=self.filter_query in [each.query for each in saved],
            filters=self.filters,
            filter_choices=self.table.filter_choices(self.request.user),
            filter_query=self.filter_query,
            is_ascending=self.is_ascending,
            before_url=self.build_page_url(before=rows[0].pk) if rows and page.has_previous else "",
            after_url=self.build_page_url(after=rows[-1].pk) if rows and page.has_next else "",
            reversed_url=self.build_page_url(dir="asc" if is_reversed else "desc"),
            **kwargs,
        )

    def get_count(self, page: Page) -> int | None:
        """Return how many rows match: all of them are on this page, or the table knows it."""
        if not (page.has_previous or page.has_next):
            return len(page.rows)
        known = self.table.count(self.request.user, self.filters)
        return known if known and known > len(page.rows) else None  # a tally may be too old

    def get_menu_actions(self) -> list[Action]:
        """Return the switches that the menu of a row offers."""
        may = self.table.allows("toggle", self.request.user)
        return [action for action in self.table.actions if action.field] if may else []

    def get_page(self) -> Page:
        cursors = {name: self.request.GET.get(name) or None for name in ("after", "before")}
        try:
            return self.table.page(
                self.request.user,
                self.filters,
                settings.MAILADMIN_PAGE_SIZE,
                ascending=self.is_ascending,
                **cursors,
            )
        except InvalidCursor as error:
            raise Http404 from error

    @property
    def is_ascending(self) -> bool:
        return (self.request.GET.get("dir") == "desc") == self.table.newest_first

    def build_page_url(self, **change: Any) -> str:
        names = ("dir", *self.table.filter_names)
        current = {name: value for name, value in self.request.GET.items() if name in names}
        return "?" + urlencode(current | change)


class TableExportView(FilteredView, View):
    """The matching rows as CSV, read while they are sent."""

    screen = "export"
    route = "export/"

    def get(self, request: HttpRequest) -> StreamingHttpResponse:
        response = StreamingHttpResponse(self.iter_lines(), content_type="text/csv; charset=utf-8")
        response["Content-Disposition"] = f'attachment; filename="{self.table.slug}.csv"'
        return response

    def iter_lines(self) -> Iterator[str]:
        names = self.table.export_columns(self.principal.role)
        writer = csv.writer(EchoWriter())
        yield writer.writerow(names)
        for page in iter_pages(self.table.select(self.request.user, self.filters)):
            for row in self.table.prefetch_values(page, self.principal):
                cells = [format_cell(self.table.export_value(row, name)) for name in names]
                yield writer.writerow(map(escape_formula, cells))


class TableImportView(TableView, View):
    """Redirect to the import page, which all tables share."""

    screen = "import"
    route = "import/"

    def get(self, request: HttpRequest) -> HttpResponse:
        return redirect(f"{reverse('imports')}?{urlencode({'table': self.table.slug})}")


class PickerView(RoleRequiredMixin, View):
    """Suggest a few keys that start with the typed text: there may be ten thousand choices."""

    roles = Role.ADMINS
    model: type[models.Model]
    field_names: Sequence[str] = ()  # of the form fields that ask

    def get(self, request: HttpRequest) -> HttpResponse:
        text = try_normalize_domain(self.typed_text(request.GET))
        rows = visible_rows(self.model, request.user).filter(pk__istartswith=text)
        names = rows.order_by("pk").values_list("pk", flat=True)[:MAX_PICKER_CHOICES]
        return render(request, "tables/pick.html", {"names": names})

    def typed_text(self, params: QueryDict) -> str:
        """Return the typed text; each form has another name for its field."""
        return next((str(params[name]) for name in self.field_names if name in params), "")
