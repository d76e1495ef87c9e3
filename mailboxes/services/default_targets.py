"""The addresses that an admin has new aliases point to, as PostfixAdmin stores them."""

from collections.abc import Iterable, Mapping
from typing import Any

from domains.models import Admin, AdminPreference
from mailadmin.changes.perform import Changes
from mailboxes.models.goto import join_goto, split_goto

PREFERENCE = "alias_goto_default"
MAX_LENGTH = 2048  # of PostfixAdmin's column; longer lists are not remembered


def get_default_targets(principal: Any) -> list[str]:
    """Return the addresses that the form of a new alias shows; only admins have some."""
    if not isinstance(principal, Admin):
        return []
    row = AdminPreference.objects.filter(admin=principal.pk, pref_key=PREFERENCE).first()
    return split_goto(row.pref_value) if row else []


def save_default_targets(changes: Changes, rows: Iterable[Mapping[str, Any]]) -> None:
    """Remember the targets of a new alias for the next ones, or forget them, as its form says."""
    principal = changes.principal
    for row in rows:
        wanted = join_goto(row.get("goto", [])) if row.get("goto_default") else ""
        if not isinstance(principal, Admin) or not (wanted or row.get("goto_forget")):
            continue
        own = AdminPreference.objects.filter(admin=principal.pk, pref_key=PREFERENCE)
        if not wanted or len(wanted) > MAX_LENGTH:
            own.delete()
        elif not own.update(pref_value=wanted):
            new = AdminPreference(admin_id=principal.pk, pref_key=PREFERENCE, pref_value=wanted)
            AdminPreference.objects.bulk_create([new], ignore_conflicts=True)
