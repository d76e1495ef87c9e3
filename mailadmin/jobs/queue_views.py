"""The page of a queue: what waits and why, what was done, what was given up."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.generic import TemplateView

from mailadmin.accounts.permissions import RoleRequiredMixin
from mailadmin.changes.perform import perform
from mailadmin.formatting import page_url
from mailadmin.jobs.queued_rows import QueuedRow
from mailadmin.tables.actions import Service, Text
from mailadmin.tables.filters import search_rows
from mailadmin.tables.pages import InvalidCursor, Page, read_page

FILTER_NAMES = ("q", "state")


class QueueListView(RoleRequiredMixin, TemplateView):
    """The rows of a queue in scope, newest first, and buttons for those in certain states."""

    model: Any  # a QueuedRow with `State`
    title: Text = ""
    url_name = ""
    search_fields: Sequence[str] = ()
    services: Mapping[str, Service] = {}  # action → what it does with the chosen rows
    changed_states: Sequence[str] = (QueuedRow.waiting_state,)  # those that actions take

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        page = self.get_page()
        return super().get_context_data(
            title=self.title,
            url_name=self.url_name,
            rows=page.rows,
            changed_states=self.changed_states,
            filters=self.filters,
            states=self.model.State,
            waiting=any(row.is_waiting for row in page.rows),
            before_url=self.build_url(before=page.rows[0].pk) if page.has_previous else "",
            after_url=self.build_url(after=page.rows[-1].pk) if page.has_next else "",
            **kwargs,
        )

    def post(self, request: HttpRequest) -> HttpResponse:
        """Do something with one row, or with all that wait."""
        service = self.services.get(request.POST.get("action", ""))
        if service is None:
            raise Http404
        perform(self.actor, service, list(self.get_chosen().values_list("pk", flat=True)))
        return redirect(self.build_url())

    def get_chosen(self) -> QuerySet:
        rows = self.model.objects.visible_to(self.principal)
        key = self.request.POST.get("key", "")
        if key == "all":
            return rows.filter(state=self.model.waiting_state)
        rows = rows.filter(state__in=self.changed_states)
        return rows.filter(pk=key) if key.isdecimal() and len(key) < 19 else rows.none()

    @property
    def filters(self) -> dict[str, str]:
        values = {name: self.request.GET.get(name, "").strip() for name in FILTER_NAMES}
        return {name: value for name, value in values.items() if value}

    def get_page(self) -> Page:
        visible = self.model.objects.visible_to(self.principal)
        rows = search_rows(visible, self.search_fields, self.filters.get("q", ""))
        if (state := self.filters.get("state")) in self.model.State.values:
            rows = rows.filter(state=state)
        cursors = {name: self.request.GET.get(name) or None for name in ("after", "before")}
        size = settings.MAILADMIN_PAGE_SIZE
        try:
            return read_page(self.model, [rows], ("pk",), size, ascending=False, **cursors)
        except InvalidCursor as error:
            raise Http404 from error

    def build_url(self, **cursor: Any) -> str:
        query = urlencode(self.filters | cursor)
        return page_url(self.url_name) + (f"?{query}" if query else "")
