"""Services for rows that PostfixAdmin keeps beside mailboxes and domains; for superadmins only."""

from collections.abc import Sequence
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import Model

from mailadmin.accounts.models import Role
from mailadmin.changes.perform import Changes
from mailadmin.changes.records import format_row_key, get_row_domain

# PostfixAdmin's names of the log actions: create, edit, delete
LOG_ACTIONS = {
    "fetchmail": ("create_fetchmail", "edit_fetchmail", "delete_fetchmail"),
    "app_password": ("add_app_password", "edit_app_password", "delete_app_password"),
    "dkim_entry": ("create_dkim_entry", "edit_dkim_entry", "delete_dkim_entry"),
    "dkim_signing_entry": (
        "create_dkim_signing_entry",
        "edit_dkim_signing_entry",
        "delete_dkim_signing_entry",
    ),
    "totp_exception": ("add_totp_exception", "edit_totp_exception", "delete_totp_exception"),
}


def create_related_rows(changes: Changes, rows: Sequence[Model], action: str) -> None:
    _require_superadmin(changes)
    changes.create(rows)
    _log_rows(changes, rows, LOG_ACTIONS[action][0])


def edit_related_row(changes: Changes, row: Model, values: dict[str, Any], action: str) -> None:
    _require_superadmin(changes)
    row = changes.find_one(type(row), row.pk)
    if changes.update([row], **values):
        _log_rows(changes, [row], LOG_ACTIONS[action][1])


def delete_related_rows(changes: Changes, rows: list[Model], action: str) -> None:
    _require_superadmin(changes)
    if not rows:
        return
    rows = changes.find(type(rows[0]), [row.pk for row in rows])
    changes.delete(rows)
    _log_rows(changes, rows, LOG_ACTIONS[action][2])


def _require_superadmin(changes: Changes) -> None:
    if changes.principal.role is not Role.SUPERADMIN:
        raise PermissionDenied


def _log_rows(changes: Changes, rows: Sequence[Model], action: str) -> None:
    for row in rows:
        changes.log(action, get_row_domain(row), format_row_key(row))
