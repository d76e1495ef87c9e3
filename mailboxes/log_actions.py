"""The log actions of this app, as the log page names them."""

from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _

from mailboxes.models import is_vacation_target

if TYPE_CHECKING:
    from mailadmin.changes.models import Change
    from mailadmin.tables.actions import Text

# Their lines have no domain, so no domain admin can see them.
BROADCAST_LABELS = {
    "send_broadcast": _("message sent to users"),
    "stop_broadcast": _("message to users stopped"),
}
MAILDIR_LABELS = {
    "keep_maildir": _("leftover maildir kept"),
    "release_maildir": _("leftover maildir released"),
}
ACTION_LABELS = {
    "create_mailbox": _("mailbox created"),
    "edit_mailbox": _("mailbox changed"),
    "delete_mailbox": _("mailbox deleted"),
    "edit_mailbox_state": _("mailbox status changed"),
    "create_alias": _("alias created"),
    "edit_alias": _("alias or forwarding changed"),
    "delete_alias": _("alias deleted"),
    "edit_alias_state": _("alias status changed"),
    "create_sender_permission": _("sender permission created"),
    "edit_sender_permission": _("sender permission changed"),
    "delete_sender_permission": _("sender permission deleted"),
    "edit_password": _("password changed"),
    "edit_vacation": _("vacation reply changed"),
    "add_app_password": _("app password added"),
    "edit_app_password": _("app password changed"),
    "delete_app_password": _("app password deleted"),
    "create_device_link": _("link to set up a device created"),
    "delete_device_link": _("link to set up a device revoked"),
    "create_fetchmail": _("fetchmail entry created"),
    "edit_fetchmail": _("fetchmail entry changed"),
    "delete_fetchmail": _("fetchmail entry deleted"),
    "create_dkim_entry": _("DKIM key created"),
    "edit_dkim_entry": _("DKIM key changed"),
    "delete_dkim_entry": _("DKIM key deleted"),
    "create_dkim_signing_entry": _("DKIM signing created"),
    "edit_dkim_signing_entry": _("DKIM signing changed"),
    "delete_dkim_signing_entry": _("DKIM signing deleted"),
    "add_totp_exception": _("TOTP exception added"),
    "edit_totp_exception": _("TOTP exception changed"),
    "delete_totp_exception": _("TOTP exception deleted"),
}

# Tables whose changes a line is about, where they are not just the table that its action names.
ACTION_TABLES = {
    "mailbox": {"mailbox", "alias", "vacation"},
    "vacation": {"vacation", "alias"},
    "password": {"mailbox", "admin"},
    "dkim": {"dkimkey", "dkimsigning"},
    "totp_exception": {"totpexception"},
    "sender_permission": {"senderpermission"},
    "device_link": {"devicelink"},
    "maildir": {"leftovermaildir"},
}


def describe_vacation_change(change: "Change") -> "Text":
    """Return what happened to the vacation reply of a mailbox."""
    before, after = change.values.get("active") or (None, None)
    if change.verb == "delete":
        return _("Vacation reply deleted")
    if change.verb == "create":  # a record leaves out defaults, and active is one
        return _("Vacation reply saved") if after is False else _("Vacation reply activated")
    if before == after:
        return _("Vacation reply changed")
    return _("Vacation reply activated") if after else _("Vacation reply deactivated")


def describe_own_alias_change(change: "Change") -> "Text":
    """Return what happened to the forwarding of a mailbox; empty for all else in its alias."""
    match change.values.get("goto"):
        case {"added": added, "removed": removed} if change.verb == "edit":
            is_forwarding = any(not is_vacation_target(each) for each in [*added, *removed])
            return _("Forwarding changed") if is_forwarding else ""
    return ""


CHANGE_TITLES = {"vacation": describe_vacation_change, "alias": describe_own_alias_change}
