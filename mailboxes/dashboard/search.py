"""The search of everything, and the command palette."""

from typing import Any

from django.views.generic import TemplateView

from mailadmin import registry
from mailadmin.accounts.models import Role
from mailadmin.accounts.permissions import RoleRequiredMixin
from mailadmin.db.pagination import fetch_first_rows
from mailadmin.tables.filters import search_rows
from mailadmin.tables.table import Table
from mailboxes.dashboard.commands import find_commands

PREVIEW_ROW_LIMIT = 10
PALETTE_ROW_LIMIT = 5
MIN_PALETTE_LETTERS = 3


class SearchView(RoleRequiredMixin, TemplateView):
    """One box for everything the person may see."""

    roles = Role.ADMINS
    template_name = "search.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        text = self.request.GET.get("q", "").strip()
        person = self.request.user
        tables = [t for t in registry.menu() if t.is_searched and t.allows("list", person)]
        is_short = self.is_palette and len(text) < MIN_PALETTE_LETTERS
        found = [] if is_short else [self.search_table(table, text) for table in tables]
        commands = find_commands(person, text) if self.is_palette else []
        return super().get_context_data(
            q=text,
            found=[group for group in found if group["rows"]],
            commands=commands,
            **kwargs,
        )

    @property
    def is_palette(self) -> bool:
        """Return whether the command palette asks, which shows a part of the page."""
        return "HX-Request" in self.request.headers

    def get_template_names(self) -> list[str]:
        return ["search_palette.html" if self.is_palette else "search.html"]

    def search_table(self, table: Table, text: str) -> dict[str, Any]:
        """Return the first rows that match, and whether there are more."""
        person = self.request.user
        matching = search_rows(
            table.filter_searchable(table.queryset(person), text), table.search_fields, text
        )
        parts = table.split_search(matching, {"q": text}, person)
        most = PALETTE_ROW_LIMIT if self.is_palette else PREVIEW_ROW_LIMIT
        rows = fetch_first_rows(table.model, parts, ("pk",), most + 1) if text else []
        return {
            "table": table,
            "rows": rows[:most],
            "more": len(rows) > most,
        }
