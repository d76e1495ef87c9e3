"""The table of fetchmail: where mail of mailboxes is fetched from."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.db.models import QuerySet

from mailadmin.accounts.models import Role
from mailadmin.tables.actions import Services
from mailadmin.tables.columns import Column
from mailadmin.tables.table import DATE_COLUMNS, READ_ROLES, WRITE_SCREENS, Table
from mailadmin.translation import gettext_lazy, ngettext_lazy
from mailboxes.fetchmail.forms import FetchmailForm
from mailboxes.models import Fetchmail
from mailboxes.services.fetchmail import (
    create_fetchmail_entries,
    delete_fetchmail_entries,
    edit_fetchmail_entry,
    set_fetchmail_entries,
)


class FetchmailTable(Table):
    model = Fetchmail
    form_class = FetchmailForm
    slug = "fetchmail"
    icon = "download"
    menu_position = 44
    is_searched = False
    columns = [
        Column("mailbox", gettext_lazy("Mailbox"), "key"),
        Column("src_server", gettext_lazy("Server"), "text"),
        Column("src_user", gettext_lazy("User name"), "text"),
        Column("protocol", gettext_lazy("Protocol"), "text"),
        Column("date", gettext_lazy("Last run"), "datetime"),
        Column("returned_text", gettext_lazy("Result"), "text"),
        Column("active", gettext_lazy("Active"), "boolean"),
    ]
    card_columns = ("src_server", "date", "returned_text")
    filter_names = ("domain", "mailbox", "q", "active")
    new_label = gettext_lazy("New fetchmail entry")
    count_text = ngettext_lazy("%(count)s fetchmail entry", "%(count)s fetchmail entries", "count")
    search_fields = ["mailbox__username", "src_server", "src_user"]
    domain_lookup = "mailbox__domain"
    roles = READ_ROLES | dict.fromkeys(WRITE_SCREENS, Role.ADMINS) | {"import": Role.SUPERADMIN}
    export_roles = dict.fromkeys(
        [
            *("mailbox", "src_server", "src_port", "src_auth", "src_user", "src_folder"),
            *("poll_time", "fetchall", "keep", "protocol", "usessl", "sslcertck"),
            *("sslfingerprint", "date", "returned_text", "active", *DATE_COLUMNS),
        ],
        Role.ADMINS,
    )
    extra_columns = ("id",)
    example_values = {
        "mailbox": "bob@example.org",
        "protocol": "IMAP",
        "src_server": "imap.example.com",
        "src_user": "bob",
        "src_password": "secret",
        "poll_time": 10,
    }
    empty_text = gettext_lazy("No fetchmail entries. They fetch mail from mailboxes elsewhere.")
    services = Services(
        create=create_fetchmail_entries,
        edit=edit_fetchmail_entry,
        set=set_fetchmail_entries,
        delete=delete_fetchmail_entries,
    )

    def is_enabled(self) -> bool:
        return settings.MAILADMIN_FETCHMAIL

    def filter(self, rows: QuerySet, filters: Mapping[str, str]) -> QuerySet:
        rows = super().filter(rows, filters)
        return rows.filter(mailbox=filters["mailbox"]) if "mailbox" in filters else rows

    def list_url(self, row: Any) -> str:
        return self.url("list")
