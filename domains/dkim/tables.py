"""The tables of DKIM keys and of whom they sign for."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import QuerySet, prefetch_related_objects

from domains.dkim.forms import DkimKeyForm, DkimSigningForm
from domains.dkim.keys import build_record_value, quote_record_value
from domains.models import DkimKey, DkimSigning
from domains.services import dkim
from mailadmin.accounts.models import Role
from mailadmin.accounts.permissions import SETTING_ROLES
from mailadmin.formatting import format_number
from mailadmin.tables.actions import DELETE, Services
from mailadmin.tables.cells import BADGE_HTML, RowRenderer
from mailadmin.tables.columns import Column
from mailadmin.tables.table import Table
from mailadmin.translation import gettext_lazy as _
from mailadmin.translation import ngettext_lazy

SCREENS = ("list", "export", "create", "edit", "delete", "bulk")
MAX_SHOWN_AUTHORS = 10


def render_signing_count_cell(renderer: RowRenderer, row: Any, name: str, value: Any) -> str:
    """Return for how many authors a key signs."""
    if not row.signing_count:
        return BADGE_HTML(renderer.gettext("not used"))
    return format_number(row.signing_count, language=renderer.language)


class DkimTable(Table):
    """A table that the operator opens to nobody, to superadmins or to all admins."""

    toggles: Mapping[str, Any] = {}
    actions = (DELETE,)
    filter_names = ("domain", "q")
    is_searched = False
    icon = "shield-lock"
    roles = dict.fromkeys(SCREENS, Role.ADMINS)

    def is_enabled(self) -> bool:
        return bool(SETTING_ROLES[settings.MAILADMIN_DKIM])

    def roles_of(self, screen: str) -> Role:
        return super().roles_of(screen) & SETTING_ROLES[settings.MAILADMIN_DKIM]

    def api_roles_of(self, screen: str) -> Role:
        return super().api_roles_of(screen) & SETTING_ROLES[settings.MAILADMIN_DKIM]


class DkimKeyTable(DkimTable):
    model = DkimKey
    form_class = DkimKeyForm
    slug = "dkim-keys"
    menu_position = 46
    columns = [
        Column("domain_name", _("Domain"), "key"),
        Column("selector", _("Selector"), "text"),
        Column("description", _("Description"), "text"),
        Column("signing_count", _("Signs for"), render_signing_count_cell),
        Column("created", _("Created"), "datetime"),
    ]
    card_columns = ("selector", "signing_count", "description")
    new_label = _("New DKIM key")
    count_text = ngettext_lazy("%(count)s DKIM key", "%(count)s DKIM keys", "count")
    search_fields = ["domain_name__domain", "selector", "description"]
    domain_lookup = "domain_name"
    computed_values = {
        "record_name": lambda row: f"{row}.",
        "record_value": lambda row: build_record_value(row.public_key),
    }
    computed_fields = {
        "record_name": models.CharField("The name of the TXT record to publish."),
        "record_value": models.CharField("The text of the TXT record to publish."),
    }
    export_roles = dict.fromkeys(
        [
            *("domain_name", "selector", "description", "public_key"),
            *(*computed_values, "created", "modified"),
        ],
        Role.ADMINS,
    )
    extra_columns = ("id",)
    example_values = {"domain_name": "example.org", "selector": "mail2026"}
    empty_text = _("No DKIM keys. With one, the mail server can sign the mail of a domain.")
    services = Services(
        create=dkim.create_dkim_keys, edit=dkim.edit_dkim_key, delete=dkim.delete_dkim_keys
    )

    def prefetch_cells(self, rows: list[Any], principal: Any) -> list[Any]:
        """Add the number of authors that each key signs for."""
        signings = DkimSigning.objects.filter(dkim__in=[row.pk for row in rows])
        counts = dict(signings.values_list("dkim").annotate(models.Count("pk")).order_by())
        for row in rows:
            row.signing_count = counts.get(row.pk, 0)
        return rows

    def head_values(self, row: Any) -> dict[str, Any]:
        """Return the DNS record of the key, and for whom it signs."""
        authors = row.signings.order_by("author").values_list("author", flat=True)
        shown = list(authors[: MAX_SHOWN_AUTHORS + 1])
        value = build_record_value(row.public_key)
        return {
            "record_name": str(row),
            "record_value": value,
            "zone_line": f"{row}. IN TXT {quote_record_value(value)}",
            "authors": shown[:MAX_SHOWN_AUTHORS],
            "has_more_authors": len(shown) > MAX_SHOWN_AUTHORS,
        }

    def url_after_save(self, row: Any, has_new_password: bool, is_new: bool) -> str:
        return self.url("edit", row.pk) if is_new else self.list_url(row)


class DkimSigningTable(DkimTable):
    model = DkimSigning
    form_class = DkimSigningForm
    slug = "dkim-signings"
    menu_position = 47
    columns = [
        Column("author", _("Author"), "key"),
        Column("selector", _("Selector"), "text"),
        Column("created", _("Created"), "datetime"),
    ]
    card_columns = ("selector",)
    new_label = _("New DKIM signing")
    count_text = ngettext_lazy("%(count)s DKIM signing", "%(count)s DKIM signings", "count")
    search_fields = ["author"]
    domain_lookup = "dkim__domain_name"
    computed_values = {"selector": lambda row: row.dkim.selector}
    export_roles = dict.fromkeys(["author", "selector", "created", "modified"], Role.ADMINS)
    extra_columns = ("id",)
    example_values = {"author": "bob@example.org", "selector": "mail2026"}
    empty_text = _("No key signs yet.")
    services = Services(
        create=dkim.create_dkim_signings,
        edit=dkim.edit_dkim_signing,
        delete=dkim.delete_dkim_signings,
    )

    def prefetch_values(self, rows: Iterable[Any], principal: Any) -> list[Any]:
        found = list(super().prefetch_values(rows, principal))
        prefetch_related_objects(found, "dkim")
        return found

    def prefetch_cells(self, rows: list[Any], principal: Any) -> list[Any]:
        prefetch_related_objects(rows, "dkim")
        return rows

    def queryset(self, principal: Any) -> QuerySet:
        return super().queryset(principal).select_related("dkim")
