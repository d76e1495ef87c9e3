"""The log actions of this app, as the log page names them."""

from django.utils.translation import gettext_lazy as _

ACTION_LABELS = {
    "create_domain": _("domain created"),
    "edit_domain": _("domain changed"),
    "delete_domain": _("domain deleted"),
    "create_alias_domain": _("alias domain created"),
    "edit_alias_domain": _("alias domain changed"),
    "delete_alias_domain": _("alias domain deleted"),
    "edit_alias_domain_state": _("alias domain status changed"),
    "create_admin": _("admin created"),
    "edit_admin": _("admin changed"),
    "delete_admin": _("admin deleted"),
    "create_transport": _("transport created"),
    "edit_transport": _("transport changed"),
    "delete_transport": _("transport deleted"),
}

# Tables whose changes a line is about, where they are not just the table that its action names.
ACTION_TABLES = {"admin": {"admin", "domainadmin"}}

# Actions whose lines no domain admin can see: they have no domain, or one that is gone.
SUPERADMIN_ACTIONS = {
    "delete_domain",
    *("create_admin", "edit_admin", "delete_admin"),
    *("create_transport", "edit_transport", "delete_transport"),
}
