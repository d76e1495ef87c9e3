"""The last changes of one row."""

from typing import Any

from django.db import models

from mailadmin import registry
from mailadmin.accounts.models import Role
from mailadmin.changes.models import Change
from mailadmin.changes.records import format_row_key, get_row_domain

SEARCHED_CHANGES = 300  # of the domain, read by its index; older ones are in the log
SHOWN_CHANGES = 5


def find_recent_changes(principal: Any, row: models.Model) -> list[Change]:
    """Return the last changes of a row: those among the latest of its domain."""
    name = row._meta.model_name or ""
    tables = registry.action_tables.get(name, {name})
    domain, key = get_row_domain(row), format_row_key(row)
    changes = Change.objects.filter(domain=domain).order_by("-at", "-pk")
    if not domain and principal.role is not Role.SUPERADMIN:
        return []
    created = getattr(row, "created", None)
    found = [
        change
        for change in changes[:SEARCHED_CHANGES]
        if change.key == key
        and change.table in tables
        and (created is None or change.at >= created)
    ]
    return found[:SHOWN_CHANGES]
