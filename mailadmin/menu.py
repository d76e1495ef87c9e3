"""The main menu: tables and other pages, in groups. Each app registers its own entries."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from mailadmin import registry
from mailadmin.accounts.models import Role
from mailadmin.tables.actions import Text

MENU_GROUPS = {
    "": "",
    "mail": _("Mail"),
    "access": _("Access"),
    "tools": _("Tools"),
    "system": _("System"),
}


@dataclass(frozen=True)
class MenuEntry:
    """A page of the menu, for the roles that may open it."""

    label: Text
    icon: str
    url_name: str
    roles: Role
    group: str = ""
    position: int = 0
    is_enabled: Callable[[], bool] = lambda: True

    def allows(self, principal: Any) -> bool:
        return principal.role in self.roles and self.is_enabled()


@dataclass(frozen=True)
class MenuItem:
    """An entry as one page shows it."""

    label: Text
    icon: str
    url: str
    is_current: bool


PLATFORM_ENTRIES = (
    MenuEntry(_("Home"), "house", "home", Role.ANYONE),
    MenuEntry(_("API tokens"), "robot", "tokens", Role.ADMINS, "access", 90),
    MenuEntry(_("Jobs"), "list-task", "jobs", Role.ADMINS, "system", 60),
    MenuEntry(
        _("Design"), "palette", "design", Role.SUPERADMIN, "system", 99, lambda: settings.DEBUG
    ),
)


def iter_entries(principal: Any) -> Iterator[MenuEntry]:
    """Yield the entries that this principal may open: tables and other pages."""
    for table in registry.menu():
        if table.allows("list", principal):
            roles, name = table.roles_of("list"), f"{table.slug}-list"
            yield MenuEntry(
                table.label, table.icon, name, roles, table.menu_group, table.menu_position
            )
    yield from (entry for entry in registry.menu_entries if entry.allows(principal))


def build_menu(principal: Any, path: str) -> list[tuple[Any, list[MenuItem]]]:
    """Return the groups of the menu with their items; the one of this path is current."""
    entries = sorted(iter_entries(principal), key=lambda entry: entry.position)
    groups = [
        (label, [build_item(entry, path) for entry in entries if entry.group == group])
        for group, label in MENU_GROUPS.items()
    ]
    return [(label, items) for label, items in groups if items]


def build_item(entry: MenuEntry, path: str) -> MenuItem:
    url = reverse(entry.url_name)
    is_current = path == url if entry.url_name == "home" else path.startswith(url)
    return MenuItem(entry.label, entry.icon, url, is_current)
