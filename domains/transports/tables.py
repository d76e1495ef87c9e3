"""The table of transports."""

from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from domains import cells
from domains.models import Transport
from domains.patterns import WILDCARD_PATTERN
from domains.services import transports
from domains.transports.forms import TransportForm
from mailadmin.accounts.models import Role
from mailadmin.tables.actions import Services
from mailadmin.tables.columns import Column
from mailadmin.tables.table import DATE_COLUMNS, WRITE_SCREENS, Table
from mailadmin.translation import ngettext_lazy


class TransportTable(Table):
    model = Transport
    form_class = TransportForm
    slug = "transports"
    icon = "send"
    menu_position = 50
    columns = [
        "pattern",
        Column("transport", _("Transport"), cells.render_transport_cell),
        "description",
        "modified",
    ]
    card_columns = ("transport",)
    new_label = _("New transport")
    count_text = ngettext_lazy("%(count)s transport", "%(count)s transports", "count")
    search_fields = ["pattern", "transport", "description"]
    roles = dict.fromkeys(["list", "export", *WRITE_SCREENS], Role.SUPERADMIN)
    export_roles = dict.fromkeys(
        ["pattern", "transport", "description", "active", *DATE_COLUMNS], Role.SUPERADMIN
    )
    example_values = {"pattern": ".example.net", "transport": "smtp:[mx.example.net]:25"}
    empty_text = _("No transports. Mail uses the default or the domain's transport.")
    services = Services(
        create=transports.create_transports,
        edit=transports.edit_transport,
        set=transports.set_transports,
        delete=transports.delete_transports,
    )

    def filter_by_domain(self, rows: QuerySet, name: str) -> QuerySet:
        return transports.filter_transports_by_domains(rows, [name])

    def domains_taken_by_wildcard(self) -> tuple[list[str], bool]:
        """Return domains that `*` reroutes, and whether there are more."""
        return transports.get_first_domains_taken_by_wildcard()

    def save_notices(self, row: Any, is_new: bool) -> list[str]:
        if row.pk != WILDCARD_PATTERN:
            return []
        names, _more = self.domains_taken_by_wildcard()
        text = gettext(
            "“*” also reroutes your own domains: %(domains)s. Add a “:” (default"
            " delivery) row for each."
        )
        return [text % {"domains": ", ".join(names)}] if names else []
