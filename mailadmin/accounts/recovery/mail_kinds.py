"""The mails about recovery: the link, and notices of what was changed."""

from mailadmin.mails.mail_kinds import MailKind
from mailadmin.mails.notices import ACCOUNT, EVENT
from mailadmin.translation import gettext_lazy as _

LINK = {"link": "the address of the page for a new password"}

RECOVERY_LINK = MailKind(
    "recovery_link",
    _("Recovery link"),
    "Somebody asked for a link to set a new password. It is sent to `email_other` alone.",
    _("New password for %(account)s"),
    _(
        "Somebody asked for a new password for the account %(account)s. Set one on this page:\n\n"
        "%(link)s\n\n"
        "The link can be used once, within an hour.\n\n"
        "Time: %(when)s\nDevice: %(device)s\nIP address: %(address)s\n\n"
        "If this was not you, ignore this email: the password stays as it is."
    ),
    ACCOUNT | LINK | EVENT,
    links=frozenset(LINK),
)
INVITATION = MailKind(
    "invitation",
    _("Invitation"),
    "A mailbox or admin was created without a password.",
    _("Your account %(account)s"),
    _(
        "The account %(account)s was created for you. Set a password for it on this page:\n\n"
        "%(link)s\n\n"
        "The link can be used once, within three days."
    ),
    ACCOUNT | LINK,
    links=frozenset(LINK),
)
PASSWORD_RECOVERED = MailKind(
    "password_recovered",
    _("Password changed by a link"),
    "A new password was set by a link.",
    _("The password of %(account)s was changed"),
    _(
        "The password of the account %(account)s was changed by a link that was sent by email."
        " All sessions have ended.\n\n"
        "Time: %(when)s\nDevice: %(device)s\nIP address: %(address)s\n\n"
        "If this was not you, inform your administrator at once."
    ),
    ACCOUNT | EVENT,
)
RECOVERY_ADDRESS_CHANGED = MailKind(
    "recovery_address_changed",
    _("Recovery address changed"),
    "The recovery address of an account was changed. The former one is informed as well.",
    _("The recovery address of %(account)s was changed"),
    _(
        "The address to which links for a new password of the account %(account)s are sent was"
        " changed.\n\n"
        "Time: %(when)s\nDevice: %(device)s\nIP address: %(address)s\n\n"
        "If this was not you, change your password and inform your administrator."
    ),
    ACCOUNT | EVENT,
)
RECOVERY_KINDS = (RECOVERY_LINK, INVITATION, PASSWORD_RECOVERED, RECOVERY_ADDRESS_CHANGED)
LOG_LABELS = {
    "request_recovery": _("recovery link sent"),
    "recover_password": _("password set by a link"),
    "send_invitation": _("invitation sent"),
    "revoke_invitation": _("invitation revoked"),
    "edit_recovery_address": _("recovery address changed"),
}
