"""The table of vacation replies."""

from typing import Any

from mailadmin.accounts.models import Role
from mailadmin.tables.actions import Services
from mailadmin.tables.columns import Column
from mailadmin.tables.table import DATE_COLUMNS, READ_ROLES, WRITE_SCREENS, Table
from mailadmin.translation import gettext_lazy, ngettext_lazy
from mailboxes.models import Vacation
from mailboxes.services.vacations import (
    create_vacations,
    delete_vacations,
    edit_vacation,
    set_vacations,
)
from mailboxes.vacations.access import get_vacation_roles
from mailboxes.vacations.forms import VacationRowForm


class VacationTable(Table):
    model = Vacation
    form_class = VacationRowForm
    slug = "vacations"
    icon = "umbrella"
    menu_position = 43
    is_searched = False  # a search finds the mailbox, whose page has it
    columns = [
        Column("email", gettext_lazy("Mailbox"), "key"),
        "subject",
        "activefrom",
        "activeuntil",
        "active",
    ]
    card_columns = ("subject", "activeuntil")
    new_label = gettext_lazy("New vacation reply")
    count_text = ngettext_lazy("%(count)s vacation reply", "%(count)s vacation replies", "count")
    search_fields = ["mailbox__username", "subject"]
    roles = READ_ROLES | dict.fromkeys(WRITE_SCREENS, Role.ADMINS) | {"import": Role.SUPERADMIN}
    export_roles = dict.fromkeys(
        [
            *("email", "subject", "body", "active", "activefrom", "activeuntil", "interval_time"),
            *DATE_COLUMNS,
        ],
        Role.ADMINS,
    )
    example_values = {
        "email": "bob@example.org",
        "subject": "Out of office",
        "body": "I am back on Monday.",
        "active": True,
        "activefrom": "2027-01-04T00:00:00+01:00",
        "activeuntil": "2027-01-10T23:59:00+01:00",
    }
    empty_text = gettext_lazy("No vacation replies.")
    services = Services(
        create=create_vacations,
        edit=edit_vacation,
        set=set_vacations,
        delete=delete_vacations,
    )

    def is_enabled(self) -> bool:
        return bool(get_vacation_roles())

    def roles_of(self, screen: str) -> Role:
        return super().roles_of(screen) & get_vacation_roles()

    def api_roles_of(self, screen: str) -> Role:
        return super().api_roles_of(screen) & get_vacation_roles()

    def list_url(self, row: Any) -> str:
        return self.url("list")
