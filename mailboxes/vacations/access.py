"""Who may set vacation replies, as the settings say."""

from django.conf import settings

from mailadmin.accounts.models import Role


def get_vacation_roles() -> Role:
    """Return who may set vacation replies: superadmins, and whom the operator allows it."""
    if not settings.MAILADMIN_VACATION:
        return Role(0)
    owners = Role.MAILBOX if settings.MAILADMIN_VACATION_CONTROL else Role(0)
    admins = Role.ADMIN if settings.MAILADMIN_VACATION_CONTROL_ADMIN else Role(0)
    return Role.SUPERADMIN | owners | admins
