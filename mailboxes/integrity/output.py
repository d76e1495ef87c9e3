"""Planned changes as people read them: the values before and after."""

from collections.abc import Iterable, Iterator
from typing import Any

from mailadmin.changes.formatting import (
    change_verb,
    hide_values,
    iter_change_values,
    table_label,
)
from mailadmin.changes.models import Change
from mailadmin.formatting import dash
from mailadmin.tables.actions import Text
from mailadmin.translation import gettext_lazy as _
from mailboxes.integrity.checks import PlannedChange

# Of tables that no page shows
TABLE_LABELS: dict[str, Text] = {
    "usage": _("usage"),
    "oldusage": _("usage"),
    "vacationnotification": _("notified sender"),
    "adminpreference": _("preference"),
}


def get_table_label(record: Change) -> Text:
    return TABLE_LABELS.get(record.table) or table_label(record.table)


def describe_change(change: PlannedChange, principal: Any) -> dict[str, Any]:
    """Return what templates show this principal of a planned change."""
    record = change.build_record()
    hide_values(record, principal)
    return {"record": record, "verb": change_verb(record.verb), "label": get_table_label(record)}


def render_plan(plan: Iterable[PlannedChange]) -> Iterator[str]:
    """Yield a line for each planned change, with its values before and after."""
    for record in (change.build_record() for change in plan):
        line = f"{change_verb(record.verb)}: {get_table_label(record)} {record.key}"
        if record.verb != "delete":
            line += "".join(map(render_value, iter_change_values(record)))
        yield line


def render_value(value: tuple[str, Any, Any]) -> str:
    label, old, new = value
    return f"; {label}: {dash(old)} → {dash(new)}"
