"""The log actions of second factors, as the log page names them."""

from django.utils.translation import gettext_lazy as _

ACTION_LABELS = {
    "enable_totp": _("authenticator app set up"),
    "disable_totp": _("authenticator app removed"),
    "add_passkey": _("passkey added"),
    "remove_passkey": _("passkey removed"),
    "create_recovery_codes": _("recovery codes created"),
    "use_recovery_code": _("recovery code used"),
    "reset_factors": _("second factors reset"),
    "edit_factor_policy": _("requirement of second factors changed"),
}
SUPERADMIN_ACTIONS = {"edit_factor_policy"}
