"""The commands of the palette: pages of the menu, new rows, and the route of an address."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.translation import gettext as _

from domains.models import Domain
from mailadmin import registry
from mailadmin.menu import MenuItem, build_menu
from mailadmin.names import try_normalize_domain

MAX_COMMANDS = 12


def find_commands(principal: Any, path: str, text: str) -> list[MenuItem]:
    """Return the commands whose names contain the typed text, or that do something with it."""
    words = text.lower().split()
    named = [*iter_new_rows(principal), *iter_pages(principal, path)]
    matching = [item for item in named if all(word in str(item.label).lower() for word in words)]
    return [*iter_address_commands(principal, text), *matching][:MAX_COMMANDS]


def iter_pages(principal: Any, path: str) -> Iterator[MenuItem]:
    for _label, items in build_menu(principal, path):
        yield from items


def iter_new_rows(principal: Any) -> Iterator[MenuItem]:
    """Yield the forms of new rows that this principal may open."""
    for table in registry.menu():
        if table.allows("create", principal):
            yield MenuItem(table.new_label, "plus-lg", table.url("create"), False)


def iter_address_commands(principal: Any, text: str) -> Iterator[MenuItem]:
    """Yield what can be done with a typed address or domain."""
    if "@" in text and " " not in text:
        label = _("Explain delivery to %(address)s") % {"address": text}
        url = f"{reverse('explain')}?{urlencode({'address': text})}"
        yield MenuItem(label, "compass", url, False)
    name = try_normalize_domain(text.rpartition("@")[2])
    if "." not in name or not Domain.objects.visible_to(principal).filter(pk=name).exists():
        return
    query = urlencode({"domain": name})
    for slug in ("mailboxes", "aliases"):
        table = registry.tables[slug]
        label = _("%(action)s in %(domain)s") % {"action": table.new_label, "domain": name}
        yield MenuItem(label, "plus-lg", f"{table.url('create')}?{query}", False)
