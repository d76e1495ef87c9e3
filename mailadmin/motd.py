"""The operator's text on the first page of each role."""

from django.conf import settings

from mailadmin.accounts.models import Role

SETTINGS_BY_ROLE = {
    Role.MAILBOX: "MAILADMIN_MOTD_USER",
    Role.ADMIN: "MAILADMIN_MOTD_ADMIN",
    Role.SUPERADMIN: "MAILADMIN_MOTD_SUPERADMIN",
}


def get_motd(role: Role) -> str:
    """Return the text for this role, with its line breaks; empty if there is none."""
    return getattr(settings, SETTINGS_BY_ROLE[role]).replace("\\n", "\n")
