"""The last changes of one row."""

from typing import Any

from django.db import models

from mailadmin import registry
from mailadmin.accounts.models import Role
from mailadmin.changes.actors import format_actor
from mailadmin.changes.formatting import change_verb, hide_values, table_label
from mailadmin.changes.models import Change
from mailadmin.changes.records import format_row_key, get_row_domain
from mailadmin.tables.actions import Text

SEARCHED_CHANGES = 300  # of the domain, read by its index; older ones are in the log
SHOWN_CHANGES = 5


def find_recent_changes(principal: Any, row: models.Model) -> list[Any]:
    """Return the last changes of a row, with titles: those among the latest of its domain."""
    name = row._meta.model_name or ""
    tables = registry.action_tables.get(name, {name})
    domain, key = get_row_domain(row), format_row_key(row)
    latest = Change.objects.filter(domain=domain).order_by("-at", "-pk")[:SEARCHED_CHANGES]
    if not domain and principal.role is not Role.SUPERADMIN:
        return []
    created = getattr(row, "created", None)
    found = [
        pk
        for pk, at, of_table, of_key in latest.values_list("pk", "at", "table", "key")
        if of_key == key and of_table in tables and (created is None or at >= created)
    ]
    rows = Change.objects.filter(pk__in=found[: 3 * SHOWN_CHANGES]).order_by("-at", "-pk")
    shown: list[Any] = list(rows) if found else []
    for change in shown:
        hide_values(change, principal)
        change.title = get_change_title(change, name)
        change.actor = format_actor(change.actor, principal)
    return [change for change in shown if change.title][:SHOWN_CHANGES]


def get_change_title(change: Any, name: str) -> Text:
    """Return what happened to a row of this model, or to one that belongs to it."""
    if change.table == name:
        return change_verb(change.verb)
    if describe := registry.change_titles.get(change.table):
        return describe(change)
    return f"{change_verb(change.verb)} ({table_label(change.table)})"
