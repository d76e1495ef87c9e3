"""How the rows change that PostfixAdmin keeps beside mailboxes and domains: superadmins' matter."""

from django.core.exceptions import PermissionDenied

from mailadmin.accounts.models import Role
from mailadmin.changes.records import domain_of, key_text

# PostfixAdmin's words for what happened to them.
LOGGED = {
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


def create_companions(changes, rows, action):
    _refuse_others(changes)
    changes.create(rows)
    _log(changes, rows, LOGGED[action][0])


def edit_companion(changes, row, values, action):
    _refuse_others(changes)
    if changes.update([row], **values):
        _log(changes, [row], LOGGED[action][1])


def delete_companions(changes, rows, action):
    _refuse_others(changes)
    changes.delete(rows)
    _log(changes, rows, LOGGED[action][2])


def _refuse_others(changes):
    if changes.principal.role is not Role.SUPERADMIN:
        raise PermissionDenied


def _log(changes, rows, action):
    for row in rows:
        changes.log(action, domain_of(row), key_text(row))
