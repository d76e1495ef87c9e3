"""The table of sender permissions."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from django.db.models import QuerySet

from domains.models import Domain
from mailadmin.accounts.models import Role
from mailadmin.db.pagination import Part, Partition
from mailadmin.names import fold, try_normalize_domain
from mailadmin.tables.actions import Services
from mailadmin.tables.columns import Column
from mailadmin.tables.parts import MAX_DOMAIN_QUERIES
from mailadmin.tables.table import DATE_COLUMNS, READ_ROLES, WRITE_SCREENS, Table
from mailadmin.translation import gettext_lazy, ngettext_lazy
from mailboxes import cells
from mailboxes.models import SenderPermission
from mailboxes.sender_permission_forms import SenderPermissionForm
from mailboxes.services.sender_permissions import (
    create_sender_permissions,
    delete_sender_permissions,
    edit_sender_permission,
    set_sender_permissions,
)

DOMAIN_COLUMNS = ("domain", "mailbox_domain")


class SenderPermissionTable(Table):
    model = SenderPermission
    form_class = SenderPermissionForm
    slug = "sender-permissions"
    icon = "send-check"
    menu_position = 42
    is_searched = False  # a search finds the mailbox, whose page has them
    columns = [
        Column("address", gettext_lazy("Sender address"), cells.render_sender_address_cell),
        Column("mailbox", gettext_lazy("Mailbox"), cells.render_sender_mailbox_cell),
        "description",
        "modified",
        "created",
    ]
    hidden_columns = ("created",)
    card_columns = ("mailbox",)
    new_label = gettext_lazy("New sender permission")
    count_text = ngettext_lazy(
        "%(count)s sender permission", "%(count)s sender permissions", "count"
    )
    search_fields = ["address", "mailbox__username", "description"]
    roles = READ_ROLES | dict.fromkeys(WRITE_SCREENS, Role.ADMINS)
    export_roles = dict.fromkeys(
        ["address", "mailbox", "description", "active", *DATE_COLUMNS], Role.ADMINS
    )
    extra_columns = ("id",)
    example_values = {"address": "billing@example.org", "mailbox": "bob@example.org"}
    empty_text = gettext_lazy(
        "No sender permissions. A mailbox may send as its own address and as aliases that forward"
        " to it."
    )
    services = Services(
        create=create_sender_permissions,
        edit=edit_sender_permission,
        set=set_sender_permissions,
        delete=delete_sender_permissions,
    )

    def prefetch_cells(self, rows: list[Any], principal: Any) -> list[Any]:
        """Add whether the page of the mailbox may be opened."""
        names = {row.mailbox_domain_id for row in rows}
        visible = Domain.objects.visible_to(principal).filter(pk__in=names)
        domains = {fold(name) for name in visible.values_list("pk", flat=True)}
        for row in rows:
            row.is_mailbox_visible = fold(row.mailbox_domain_id) in domains
        return rows

    def list_url(self, row: Any) -> str:
        """Return the list, filtered by the mailbox: the address may be in a foreign domain."""
        return f"{self.url('list')}?{urlencode({'q': row.mailbox_id})}"

    def filter_by_domain(self, rows: Any, name: str) -> QuerySet:
        return rows.filter_by_domains([name])

    def split(self, rows: QuerySet, filters: Mapping[str, str], principal: Any) -> list[Part]:
        """Have the rows of domains read from two indexes: those of addresses and of mailboxes.

        For a condition of both columns databases would collect and sort all rows that match.
        """
        names = get_domain_names(filters, principal)
        if "q" in filters or not names:
            return super().split(rows, filters, principal)
        if len(names) > MAX_DOMAIN_QUERIES:
            return [rows.filter(**{f"{column}__in": names}) for column in DOMAIN_COLUMNS]
        return [Partition(rows, column, names) for column in DOMAIN_COLUMNS]


def get_domain_names(filters: Mapping[str, str], principal: Any) -> list[str]:
    """Return the domains whose rows a list shows; none if it shows all, or those of a query."""
    if domain := filters.get("domain"):
        return [try_normalize_domain(domain)]
    names = principal.managed_domains() if principal.role is Role.ADMIN else None
    return names if isinstance(names, list) else []
