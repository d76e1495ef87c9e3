"""The log actions of this app, as the log page names them."""

from django.utils.translation import gettext_lazy as _

ACTION_LABELS = {
    "create_mailbox": _("mailbox created"),
    "edit_mailbox": _("mailbox changed"),
    "delete_mailbox": _("mailbox deleted"),
    "edit_mailbox_state": _("mailbox status changed"),
    "create_alias": _("alias created"),
    "edit_alias": _("alias or forwarding changed"),
    "delete_alias": _("alias deleted"),
    "edit_alias_state": _("alias status changed"),
    "edit_password": _("password changed"),
    "edit_vacation": _("vacation reply changed"),
    "add_app_password": _("app password added"),
    "edit_app_password": _("app password changed"),
    "delete_app_password": _("app password deleted"),
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
}
