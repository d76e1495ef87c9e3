"""The table of leftover maildirs, and the cells of its list."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.utils.html import escape

from mailadmin.accounts.models import Role
from mailadmin.formatting import format_size
from mailadmin.tables.actions import Action, Services, Text
from mailadmin.tables.cells import BADGE_HTML, RowRenderer
from mailadmin.tables.columns import Column
from mailadmin.tables.table import Table
from mailadmin.translation import gettext_lazy as _
from mailadmin.translation import ngettext_lazy
from mailboxes.models import LeftoverMaildir, MaildirRun
from mailboxes.services.maildirs import set_leftover_maildirs

KEEP = Action(
    "keep",
    _("Keep"),
    _("Keep %(rows)s"),
    _("%(row)s is kept."),
    _("%(rows)s kept."),
    "kept",
    True,
    icon="shield-lock",
    explanation=_("Kept maildirs are not archived, and kept archives are not purged."),
)
RELEASE = Action(
    "release",
    _("Release"),
    _("Release %(rows)s"),
    _("%(row)s is not kept any more."),
    _("%(rows)s released."),
    "kept",
    False,
    explanation=_("The waiting times apply again. What is overdue is done by the next run."),
)


def render_size_cell(renderer: RowRenderer, row: Any, name: str, value: Any) -> str:
    return format_size(value, renderer.language)


def render_state_cell(renderer: RowRenderer, row: Any, name: str, value: Any) -> str:
    """Return the state, marked if it does not change."""
    kept = BADGE_HTML(renderer.gettext("kept")) if row.kept else ""
    return escape(row.get_state_display()) + kept


class LeftoverMaildirTable(Table):
    model = LeftoverMaildir
    slug = "maildirs"
    icon = "trash3"
    menu_group = "system"
    menu_position = 50
    is_searched = False
    columns = [
        Column("path", _("Maildir"), "text"),
        Column("mailbox", _("Former mailbox"), "text"),
        Column("size", _("Size"), render_size_cell, is_short=True),
        "messages",
        Column("first_seen", _("Since"), "datetime"),
        Column("last_mail", _("Last mail"), "datetime"),
        Column("state", _("State"), render_state_cell, is_short=True),
        Column("due", _("Due"), "datetime"),
        Column("problem", _("Problem"), "text"),
        Column("storage", _("Storage"), "text"),
    ]
    hidden_columns = ("messages", "last_mail", "storage")
    card_columns = ("state", "due", "size", "problem")
    count_text = ngettext_lazy("%(count)s leftover maildir", "%(count)s leftover maildirs", "count")
    filter_names = ("domain", "state", "q")
    search_fields = ["path", "mailbox"]
    domain_lookup = "domain_name"
    roles = dict.fromkeys(("list", "export", "bulk"), Role.SUPERADMIN)
    toggles: Mapping[str, Any] = {}
    actions = (KEEP, RELEASE)
    export_roles = dict.fromkeys(
        [
            *("path", "mailbox", "domain_name", "storage", "size", "messages", "first_seen"),
            *("last_mail", "last_change", "state", "kept", "archive_due", "archive"),
            *("archive_size", "archived", "purge_due", "purged", "restored", "problem"),
        ],
        Role.SUPERADMIN,
    )
    extra_columns = ("id",)
    empty_text = _("No leftover maildirs. Deleting a mailbox leaves its maildir behind.")
    services = Services(set=set_leftover_maildirs)

    def is_enabled(self) -> bool:
        return settings.MAILADMIN_MAILDIRS

    def filter_choices(self, principal: Any) -> dict[str, dict[str, Text]]:
        return {"state": dict(LeftoverMaildir.State.choices)}

    def filter(self, rows: QuerySet, filters: Mapping[str, str]) -> QuerySet:
        rows = super().filter(rows, filters)
        return rows.filter(state=filters["state"]) if "state" in filters else rows

    def find_invalid_filters(self, filters: Mapping[str, str]) -> list[str]:
        states = LeftoverMaildir.State.values
        wrong = ["state"] if "state" in filters and filters["state"] not in states else []
        return [*super().find_invalid_filters(filters), *wrong]

    def list_runs(self) -> list[MaildirRun]:
        """Return the last run on each storage."""
        return list(MaildirRun.objects.order_by("storage"))
