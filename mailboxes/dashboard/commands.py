"""The commands of the palette: pages of the menu, new rows, and the route of an address."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.translation import gettext as _

from domains.models import Domain
from mailadmin import registry
from mailadmin.menu import list_entries
from mailadmin.names import try_normalize_domain
from mailadmin.tables.actions import Text

MAX_COMMANDS = 12


@dataclass(frozen=True)
class PaletteCommand:
    """A page that the palette offers to open."""

    label: Text
    icon: str
    url: str


def find_commands(principal: Any, text: str) -> list[PaletteCommand]:
    """Return the commands whose names contain the typed text, or that do something with it."""
    words = text.lower().split()
    named = [*iter_new_rows(principal), *iter_pages(principal)]
    matching = [item for item in named if all(word in str(item.label).lower() for word in words)]
    return [*iter_address_commands(principal, text), *matching][:MAX_COMMANDS]


def iter_pages(principal: Any) -> Iterator[PaletteCommand]:
    for entry in list_entries(principal):
        yield PaletteCommand(entry.label, entry.icon, entry.url)


def iter_new_rows(principal: Any) -> Iterator[PaletteCommand]:
    """Yield the forms of new rows that this principal may open."""
    for table in registry.menu():
        if table.allows("create", principal):
            yield PaletteCommand(table.new_label, "plus-lg", table.url("create"))


def iter_address_commands(principal: Any, text: str) -> Iterator[PaletteCommand]:
    """Yield what can be done with a typed address or domain."""
    if "@" in text and " " not in text:
        label = _("Explain delivery to %(address)s") % {"address": text}
        url = f"{reverse('explain')}?{urlencode({'address': text})}"
        yield PaletteCommand(label, "compass", url)
    name = try_normalize_domain(text.rpartition("@")[2])
    if "." not in name or not Domain.objects.visible_to(principal).filter(pk=name).exists():
        return
    query = urlencode({"domain": name})
    for slug in ("mailboxes", "aliases"):
        table = registry.tables[slug]
        label = _("%(action)s in %(domain)s") % {"action": table.new_label, "domain": name}
        yield PaletteCommand(label, "plus-lg", f"{table.url('create')}?{query}")
