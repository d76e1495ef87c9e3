"""The page of outgoing mails: what waits and why, what was sent, what was given up."""

from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.generic import TemplateView

from mailadmin.accounts.models import Role
from mailadmin.accounts.permissions import RoleRequiredMixin
from mailadmin.changes.perform import perform
from mailadmin.mails.models import OutgoingMail
from mailadmin.mails.services import cancel_mails, retry_mails
from mailadmin.tables.filters import search_rows
from mailadmin.tables.pages import InvalidCursor, Page, read_page

FILTER_NAMES = ("q", "state")
SERVICES = {"retry": retry_mails, "cancel": cancel_mails}


class OutgoingMailListView(RoleRequiredMixin, TemplateView):
    """The mails in scope, newest first. Waiting ones can be sent now, or canceled."""

    roles = Role.ADMINS
    template_name = "mails.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        page = self.get_page()
        return super().get_context_data(
            mails=page.rows,
            filters=self.filters,
            states=OutgoingMail.State,
            waiting=any(mail.is_waiting for mail in page.rows),
            before_url=self.build_url(before=page.rows[0].pk) if page.has_previous else "",
            after_url=self.build_url(after=page.rows[-1].pk) if page.has_next else "",
            **kwargs,
        )

    def post(self, request: HttpRequest) -> HttpResponse:
        """Retry or cancel one mail, or all that wait."""
        service = SERVICES.get(request.POST.get("action", ""))
        if service is None:
            raise Http404
        perform(self.actor, service, list(self.get_chosen().values_list("pk", flat=True)))
        return redirect(self.build_url())

    def get_chosen(self) -> QuerySet[OutgoingMail]:
        rows = OutgoingMail.objects.visible_to(self.principal)
        rows = rows.filter(state=OutgoingMail.State.WAITING)
        key = self.request.POST.get("key", "")
        if key == "all":
            return rows
        return rows.filter(pk=key) if key.isdecimal() and len(key) < 19 else rows.none()

    @property
    def filters(self) -> dict[str, str]:
        values = {name: self.request.GET.get(name, "").strip() for name in FILTER_NAMES}
        return {name: value for name, value in values.items() if value}

    def get_page(self) -> Page:
        visible = OutgoingMail.objects.visible_to(self.principal)
        rows = search_rows(visible, ["recipient"], self.filters.get("q", ""))
        if (state := self.filters.get("state")) in OutgoingMail.State.values:
            rows = rows.filter(state=state)
        cursors = {name: self.request.GET.get(name) or None for name in ("after", "before")}
        size = settings.MAILADMIN_PAGE_SIZE
        try:
            return read_page(OutgoingMail, [rows], ("pk",), size, ascending=False, **cursors)
        except InvalidCursor as error:
            raise Http404 from error

    def build_url(self, **cursor: Any) -> str:
        query = urlencode(self.filters | cursor)
        return reverse("mails") + (f"?{query}" if query else "")
