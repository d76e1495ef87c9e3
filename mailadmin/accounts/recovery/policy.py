"""Who can set a new password by a link, and where the link is sent to."""

from django.conf import settings

from mailadmin.accounts.external import may_sign_in_locally
from mailadmin.accounts.models import Principal, Role
from mailadmin.mails.queue import is_possible_recipient
from mailadmin.names import try_normalize_address

NOBODY = "no"
# Value of MAILADMIN_PASSWORD_RECOVERY → who can recover a password
ROLES = {"all": Role.ANYONE, "mailboxes": Role.MAILBOX, "admins": Role.ADMINS, NOBODY: Role(0)}


def is_recovery_offered() -> bool:
    """Return whether there are links at all: the operator has not switched them off."""
    return settings.MAILADMIN_PASSWORD_RECOVERY != NOBODY


def has_links() -> bool:
    """Return whether links can be built: no request says where the panel is."""
    return bool(settings.MAILADMIN_URL)


def can_recover(person: Principal) -> bool:
    """Return whether the operator lets this person set a new password by a link."""
    if not (is_recovery_offered() and has_links() and may_sign_in_locally(person)):
        return False
    return person.role in ROLES[settings.MAILADMIN_PASSWORD_RECOVERY]


def get_recovery_address(person: Principal) -> str:
    """Return where links for this person are sent to; empty if there is no such address."""
    address = try_normalize_address(person.email_other or "")
    if not is_possible_recipient(address) or person.find_recovery_address_problem(address):
        return ""
    return address
