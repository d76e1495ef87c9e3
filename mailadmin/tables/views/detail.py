"""The page of one row: what it is, its last changes, and its actions."""

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.views.generic import DetailView

from mailadmin.accounts.recovery.invitations import has_no_password, is_invited, pop_link
from mailadmin.accounts.view_as import can_be_viewed_as
from mailadmin.changes.recent import find_recent_changes
from mailadmin.tables.actions import Text
from mailadmin.tables.custom_columns import iter_custom_values
from mailadmin.tables.table import Table
from mailadmin.tables.views.base import TableView, build_table_context


@dataclass(frozen=True)
class Switch:
    """A boolean column of a row that its page can set."""

    field: str
    label: Text  # of the action that sets it to the other value
    value: str  # that the action sends
    icon: str


class RowHeadMixin(TableView):
    """A page of one row, with the head that all its pages have."""

    object: Any

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        head = build_row_context(self.table, self.object, self.principal)
        return super().get_context_data(**head | kwargs)


class RowOverviewView(RowHeadMixin, DetailView):
    """The first page of one row, for whoever may list the table."""

    screen = "list"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        values = list(iter_custom_values(self.object, self.principal.role))
        return super().get_context_data(custom_values=values, **kwargs)

    def get_template_names(self) -> list[str]:
        meta = self.table.model._meta
        return [f"{meta.app_label}/{meta.model_name}_detail.html", "tables/detail.html"]


class TableReadyView(TableView, DetailView):
    """What to hand over to the person of a row that is new or has a new password."""

    screen = "list"

    def get_template_names(self) -> list[str]:
        meta = self.table.model._meta
        return [f"{meta.app_label}/{meta.model_name}_ready.html"]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(
            is_new="changed" not in self.request.GET,
            panel_url=settings.MAILADMIN_URL,
            invitation_link=pop_link(self.request, self.object),
            has_no_password=has_no_password(self.object),
            is_invited=is_invited(self.object),
            **kwargs,
        )


class TableDetailView(RowOverviewView):
    """What a row is, and its last changes."""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(
            changes=find_recent_changes(self.request.user, self.object), **kwargs
        )


def build_head_context(table: Table, row: Any, principal: Any) -> dict[str, Any]:
    """Return what the head of a page of this row needs: see tables/row.html."""
    return build_table_context(table, principal) | build_row_context(table, row, principal)


def build_row_context(table: Table, row: Any, principal: Any) -> dict[str, Any]:
    """Return what the head of a page needs of the row."""
    return {
        "object": row,
        "switches": build_switches(table, row, principal),
        "can_view_as": can_be_viewed_as(principal, row),
        "is_suspended": False,  # active, but a row that it depends on is inactive
        **table.head_values(row),
    }


def build_switches(table: Table, row: Any, principal: Any) -> list[Switch]:
    """Return the actions that set a boolean column of this row to its other value."""
    if not table.allows("toggle", principal):
        return []
    return [
        Switch(action.field, action.label, "1" if action.value else "0", action.icon)
        for action in table.actions
        if action.field and getattr(row, action.field) != action.value
    ]
