"""The table of app passwords. They are created and edited on the pages of their mailboxes."""

from collections.abc import Iterable, Mapping
from operator import attrgetter
from typing import Any
from urllib.parse import urlencode

from django.db import models
from django.db.models import QuerySet, prefetch_related_objects

from mailadmin.accounts.models import Role
from mailadmin.db.column_facts import fits_column, get_column_field
from mailadmin.names import try_normalize_address
from mailadmin.tables.actions import DELETE, Services
from mailadmin.tables.columns import Column
from mailadmin.tables.table import READ_ROLES, Table
from mailadmin.translation import gettext_lazy, ngettext_lazy
from mailboxes.app_passwords import cells
from mailboxes.app_passwords.forms import AppPasswordTableForm, get_limit_values
from mailboxes.last_logins import find_last_used
from mailboxes.models import AppPassword
from mailboxes.services.app_passwords import (
    create_app_passwords,
    edit_app_password,
    edit_app_passwords,
    revoke_app_passwords,
)


class AppPasswordTable(Table):
    model = AppPassword
    form_class = AppPasswordTableForm
    slug = "app-passwords"
    icon = "phone"
    menu_group = "access"
    menu_position = 72
    is_searched = False  # a search finds the mailbox, whose page has them
    columns = [
        Column("mailbox", gettext_lazy("Mailbox"), cells.render_owner_cell),
        Column("description", gettext_lazy("Name"), "text"),
        Column("kind", gettext_lazy("Created in"), cells.render_kind_cell),
        Column("protocols", gettext_lazy("Protocols"), cells.render_protocols_cell),
        Column("expires", gettext_lazy("Valid until"), cells.render_expiry_cell, is_short=True),
        Column("last_used", gettext_lazy("Last used"), "datetime"),
        Column("created", gettext_lazy("Created"), "datetime"),
    ]
    hidden_columns = ("created",)
    card_columns = ("description",)
    detail_url_name = "app-password"
    new_label = gettext_lazy("Create app password")
    count_text = ngettext_lazy("%(count)s app password", "%(count)s app passwords", "count")
    filter_names = ("domain", "mailbox", "q")
    search_fields = ["mailbox__username", "description"]
    domain_lookup = "mailbox__domain"
    roles = {**READ_ROLES, "delete": Role.ADMINS, "bulk": Role.ADMINS}
    program_roles = dict.fromkeys(("create", "edit"), Role.ADMINS)
    toggles: Mapping[str, Any] = {}
    actions = (DELETE,)
    computed_values = {
        "mailbox": lambda row: row.mailbox_id or "",
        "kind": attrgetter("kind"),
        "protocols": lambda row: get_limit_values(row)["protocols"],
        "networks": lambda row: get_limit_values(row)["networks"],
        "expires": lambda row: get_limit_values(row)["expires"],
        "created": attrgetter("created"),
        "last_used": attrgetter("last_used"),
    }
    computed_fields = {
        "kind": models.CharField("Who created it: `generated` here, or `postfixadmin`."),
        "created": models.DateTimeField("Null if PostfixAdmin has created it.", null=True),
        "last_used": models.DateTimeField(
            "The last sign-in to read mail; null if there was none, or none is recorded.", null=True
        ),
    }
    export_roles = dict.fromkeys(
        ["mailbox", "description", *list(computed_values)[1:]], Role.ADMINS
    )
    extra_columns = ("id",)
    new_value_texts = {
        "password": "The app password, in the response to the request that creates it and never"
        " again: null where that response is repeated for the same `Idempotency-Key`."
    }
    example_values = {
        "mailbox": "bob@example.org",
        "description": "Phone",
        "protocols": ["imap", "smtp"],
        "networks": ["192.0.2.0/24"],
        "expires": "2027-12-31",
    }
    empty_text = gettext_lazy("No app passwords. They are created on the pages of mailboxes.")
    services = Services(
        create=create_app_passwords,
        edit=edit_app_password,
        edit_many=edit_app_passwords,
        delete=revoke_app_passwords,
    )

    def filter(self, rows: QuerySet, filters: Mapping[str, str]) -> QuerySet:
        rows = super().filter(rows, filters)
        if "mailbox" not in filters:
            return rows
        name = try_normalize_address(filters["mailbox"])
        column = get_column_field(AppPassword, "mailbox")
        return rows.filter(mailbox=name) if fits_column(column, name) else rows.none()

    def filter_by_domain(self, rows: Any, name: str) -> QuerySet:
        return rows.filter_by_domains([name])

    def prefetch_values(self, rows: Iterable[Any], principal: Any) -> list[Any]:
        """Add the limits and the last uses, by a query for each."""
        found = list(rows)
        prefetch_related_objects(found, "limits")
        new = [row for row in found if not hasattr(row, "last_used")]
        last_used = find_last_used(new) if new else {}
        for row in new:
            row.created = row.known_limits.created if row.known_limits else None
            row.last_used = last_used.get(row.pk)
        return found

    def prefetch_forms(self, rows: list[Any]) -> list[Any]:
        return self.prefetch_values(rows, None)

    def prefetch_cells(self, rows: list[Any], principal: Any) -> list[Any]:
        return self.prefetch_values(rows, principal)

    def get_new_values(self, row: Any) -> dict[str, Any]:
        return {"password": row.new_password}

    def list_url(self, row: Any) -> str:
        """Return the list, filtered by the mailbox."""
        return f"{self.url('list')}?{urlencode({'mailbox': row.mailbox_id or ''})}"
