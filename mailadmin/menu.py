"""The main menu: tables and other pages, in groups. Each app registers its own entries."""

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.template.loader import render_to_string
from django.urls import get_script_prefix
from django.utils.safestring import SafeString
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from mailadmin import registry
from mailadmin.accounts.models import Role
from mailadmin.formatting import page_url
from mailadmin.hooks.events import has_hooks
from mailadmin.tables.actions import Text

if TYPE_CHECKING:
    from mailadmin.tables.table import Table

MENU_GROUPS = {
    "": "",
    "mail": _("Mail"),
    "access": _("Access"),
    "tools": _("Tools"),
    "system": _("System"),
}


@dataclass(frozen=True, eq=False)
class MenuEntry:
    """A page of the menu, for the roles that may open it."""

    label: Text
    icon: str
    url_name: str
    roles: Role
    group: str = ""
    position: int = 0
    is_enabled: Callable[[], bool] = lambda: True

    @property
    def url(self) -> str:
        return page_url(self.url_name)

    def allows(self, principal: Any) -> bool:
        return principal.role in self.roles and self.is_enabled()


PLATFORM_ENTRIES = (
    MenuEntry(_("Home"), "house", "home", Role.ANYONE),
    MenuEntry(_("API tokens"), "robot", "tokens", Role.ADMINS, "access", 90),
    MenuEntry(_("Backup"), "download", "backup", Role.SUPERADMIN, "tools", 40),
    MenuEntry(_("Jobs"), "list-task", "jobs", Role.ADMINS, "system", 60),
    MenuEntry(_("Outgoing mail"), "send", "mails", Role.ADMINS, "system", 65),
    MenuEntry(
        *(_("Scripts and webhooks"), "robot", "deliveries", Role.SUPERADMIN, "system", 66),
        has_hooks,
    ),
    MenuEntry(
        _("Design"), "palette", "design", Role.SUPERADMIN, "system", 99, lambda: settings.DEBUG
    ),
)


def iter_entries(principal: Any) -> Iterator[MenuEntry]:
    """Yield the entries that this principal may open: tables and other pages."""
    for table in registry.menu():
        if table.allows("list", principal):
            yield _table_entry(table)
    yield from (entry for entry in registry.menu_entries if entry.allows(principal))


def list_entries(principal: Any) -> list[MenuEntry]:
    return sorted(iter_entries(principal), key=lambda entry: entry.position)


@functools.cache
def _table_entry(table: "Table") -> MenuEntry:
    roles, name = table.roles_of("list"), f"{table.slug}-list"
    return MenuEntry(table.label, table.icon, name, roles, table.menu_group, table.menu_position)


def render_menu(principal: Any, path: str) -> SafeString:
    """Return the menu of a principal as HTML; the entry of this path is marked as current."""
    entries = tuple(list_entries(principal))
    current = next((entry for entry in entries if is_current(entry, path)), None)
    return _render_menu(entries, current, get_language(), get_script_prefix())


@functools.lru_cache(maxsize=512)
def _render_menu(
    entries: tuple[MenuEntry, ...], current: MenuEntry | None, language: str, prefix: str
) -> SafeString:
    """Render a menu once for all pages that show the same one."""
    groups = [
        (label, [entry for entry in entries if entry.group == group])
        for group, label in MENU_GROUPS.items()
    ]
    context = {"groups": [pair for pair in groups if pair[1]], "current": current}
    return render_to_string("_menu.html", context)


def is_current(entry: MenuEntry, path: str) -> bool:
    return path == entry.url if entry.url_name == "home" else path.startswith(entry.url)
