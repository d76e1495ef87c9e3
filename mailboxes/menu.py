"""The pages of this app in the main menu."""

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from mailadmin.accounts.models import Role
from mailadmin.menu import MenuEntry
from mailboxes.vacations.access import get_vacation_roles

MENU_ENTRIES = (
    MenuEntry(
        _("Forwarding"),
        "forward",
        "own-forwarding",
        Role.MAILBOX,
        position=10,
        is_enabled=lambda: settings.MAILADMIN_EDIT_ALIAS,
    ),
    MenuEntry(
        _("Vacation reply"),
        "umbrella",
        "own-vacation",
        Role.MAILBOX,
        position=20,
        is_enabled=lambda: Role.MAILBOX in get_vacation_roles(),
    ),
    MenuEntry(_("Set up a device"), "phone", "own-device", Role.MAILBOX, position=25),
    MenuEntry(_("Password"), "key", "own-password", Role.MAILBOX, position=30),
    MenuEntry(_("Two-factor authentication"), "phone", "second-factors", Role.ADMINS, "access", 75),
    MenuEntry(_("Passwords"), "key", "passwords", Role.ADMINS, "access", 70),
    MenuEntry(
        _("Messages to users"),
        "envelope",
        "broadcasts",
        Role.SUPERADMIN,
        "tools",
        16,
        is_enabled=lambda: settings.MAILADMIN_BROADCAST != "no",
    ),
    MenuEntry(
        _("Messages to users"),
        "envelope",
        "broadcasts",
        Role.ADMIN,
        "tools",
        16,
        is_enabled=lambda: settings.MAILADMIN_BROADCAST == "admins",
    ),
    MenuEntry(_("Explain"), "compass", "explain", Role.ADMINS, "tools", 10),
    MenuEntry(_("Integrity"), "check-circle", "integrity", Role.ADMINS, "tools", 15),
    MenuEntry(_("Import"), "upload", "imports", Role.ADMINS, "tools", 20),
    MenuEntry(_("Export"), "download", "export", Role.SUPERADMIN, "tools", 30),
    MenuEntry(_("Mail server"), "hdd-network", "mailserver", Role.SUPERADMIN, "system", 10),
)
