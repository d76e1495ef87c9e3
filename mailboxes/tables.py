"""The tables of mailboxes and aliases."""

import datetime
from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import F, OuterRef, Q, QuerySet, Subquery, prefetch_related_objects
from django.db.models.lookups import IsNull

from domains.quotas import file_quota, to_megabytes
from domains.services.text_references import get_text_references
from domains.tables import old_mail_notices
from mailadmin.accounts.models import Role
from mailadmin.accounts.password_requests import REQUEST_PASSWORD
from mailadmin.accounts.person_tables import PersonTable
from mailadmin.db.pagination import Part
from mailadmin.names import fold, try_normalize_domain
from mailadmin.tables.actions import ACTIVATE, DEACTIVATE, DELETE, Action, Services, Text
from mailadmin.tables.cascade import ReferenceGroup
from mailadmin.tables.columns import Column
from mailadmin.tables.custom_columns import with_custom_columns
from mailadmin.tables.filters import build_search_condition, filter_by_columns
from mailadmin.tables.table import DATE_COLUMNS, READ_ROLES, WRITE_SCREENS, Table
from mailadmin.translation import gettext_lazy, ngettext_lazy
from mailboxes import cells, deletion_references
from mailboxes.actions import ALLOW_SENDING, BLOCK_SENDING, SET_VACATION
from mailboxes.forms import AliasForm, MailboxForm, quota_to_form_value
from mailboxes.last_logins import filter_unused
from mailboxes.models import Alias, Mailbox, StandaloneAlias
from mailboxes.row_values import MAILBOX_KEYS, VACATIONS, add_delivery, add_domains, add_usage
from mailboxes.services import cached_stats
from mailboxes.services.addresses import find_keys_of_mailboxes
from mailboxes.services.aliases import (
    create_aliases,
    delete_aliases,
    edit_alias,
    edit_aliases,
    set_aliases,
)
from mailboxes.services.domain_warnings import (
    find_own_address_warnings,
)
from mailboxes.services.known_counts import get_known_count
from mailboxes.services.logged_aliases import find_logged_aliases
from mailboxes.services.mail_logins import get_own_rule
from mailboxes.services.mailboxes import (
    create_mailboxes,
    delete_mailboxes,
    edit_mailbox,
    edit_mailboxes,
    set_mailboxes,
)
from mailboxes.services.target_checks import find_alias_problems, find_alias_warnings
from mailboxes.vacations.access import get_vacation_roles

DELETE_ACTIONS = ("delete_mailbox", "delete_alias")  # what had an address before
UNUSED_CHOICES: dict[str, Text] = {
    "30": gettext_lazy("30 days"),
    "90": gettext_lazy("90 days"),
    "180": gettext_lazy("180 days"),
    "365": gettext_lazy("365 days"),
}


@with_custom_columns
class MailboxTable(PersonTable):
    model = Mailbox
    form_class = MailboxForm
    slug = "mailboxes"
    icon = "inbox"
    menu_position = 30
    columns = [
        Column("username", gettext_lazy("Address"), cells.render_mailbox_key_cell),
        "name",
        Column("quota", gettext_lazy("Usage"), cells.render_quota_cell, is_short=True),
        Column("goto", gettext_lazy("Forwarding"), cells.render_forwarding_cell),
        "modified",
        "created",
    ]
    hidden_columns = ("created",)
    card_columns = ("name", "quota")
    ready_url_name = "mailbox-ready"
    detail_url_name = "mailbox"
    new_label = gettext_lazy("New mailbox")
    count_text = ngettext_lazy("%(count)s mailbox", "%(count)s mailboxes", "count")
    filter_names = (*PersonTable.filter_names, "unused")
    actions = (
        *(ACTIVATE, DEACTIVATE, ALLOW_SENDING, BLOCK_SENDING, SET_VACATION, REQUEST_PASSWORD),
        DELETE,
    )
    search_fields = ["username", "name"]
    is_split_by_domain = True
    has_search_index = True
    roles = READ_ROLES | dict.fromkeys(WRITE_SCREENS, Role.ADMINS)
    toggles = {"active": gettext_lazy("active"), "smtp_active": gettext_lazy("sending allowed")}
    export_roles = (
        dict.fromkeys(
            ["username", "name", "quota", "active", "smtp_active", "email_other"], Role.ADMINS
        )
        | {"app_passwords_only": Role.ADMINS}
        | dict.fromkeys(["maildir", "phone", "password_expiry"], Role.SUPERADMIN)
        | dict.fromkeys(DATE_COLUMNS, Role.ADMINS)
    )
    extra_columns = ("local_part", "domain")
    computed_values = {
        "app_passwords_only": get_own_rule,
        "quota_used": lambda row: to_megabytes(row.used),
        "message_count": lambda row: row.messages,
        "password_expires": attrgetter("password_end"),
    }
    computed_fields = {
        "quota_used": models.FloatField("The space used, in MB, as Dovecot counts it."),
        "message_count": models.IntegerField("The number of messages, as Dovecot counts them."),
        "password_expires": models.DateTimeField("When the password expires, if it does."),
    }
    live_columns = ("quota_used", "message_count", "password_expires")
    example_values = {
        "local_part": "bob",
        "domain": "example.org",
        "password": "correct-horse-42",
        "name": "Bob Builder",
        "quota": 1024,
    }
    empty_text = gettext_lazy("No mailboxes yet.")
    not_searched_text = deletion_references.NOT_SEARCHED_TEXT
    services = Services(
        create=create_mailboxes,
        edit=edit_mailbox,
        edit_many=edit_mailboxes,
        set=set_mailboxes,
        delete=delete_mailboxes,
    )

    def prefetch_cells(self, rows: list[Any], principal: Any) -> list[Any]:
        rows = add_usage(rows)
        add_delivery(rows, principal)
        return rows

    def get_actions(self, principal: Any) -> Sequence[Action]:
        has_vacations = principal.role in get_vacation_roles()
        return [each for each in self.actions if has_vacations or each is not SET_VACATION]

    def filter_choices(self, principal: Any) -> Mapping[str, Mapping[str, Text]]:
        unused = UNUSED_CHOICES if settings.MAILADMIN_LAST_LOGIN_DAYS else {}
        return {**super().filter_choices(principal), "unused": unused}

    def filter(self, rows: QuerySet, filters: Mapping[str, str]) -> QuerySet:
        rows = super().filter(rows, filters)
        return filter_unused(rows, filters["unused"]) if "unused" in filters else rows

    def cascade_querysets(self, keys: Sequence[str]) -> list[QuerySet]:
        return [
            *super().cascade_querysets(keys),
            *get_text_references(keys),
        ]  # its own alias is a part of it

    def export_value(self, row: Any, name: str) -> Any:
        return file_quota(row.quota) if name == "quota" else super().export_value(row, name)

    def api_value(self, row: Any, name: str) -> Any:
        return quota_to_form_value(row.quota) if name == "quota" else super().api_value(row, name)

    def save_notices(self, row: Any, is_new: bool) -> list[str]:
        return old_mail_notices(row, DELETE_ACTIONS) if is_new else []

    def warnings(self, principal: Any, rows: Sequence[Any]) -> dict[str, list[str]]:
        return find_own_address_warnings(principal, rows)

    def inbound_references(self, keys: Sequence[str], principal: Any) -> list[ReferenceGroup]:
        return deletion_references.find_address_references(principal, keys)

    def prefetch_values(self, rows: Iterable[Any], principal: Any) -> list[Any]:
        rows = list(super().prefetch_values(rows, principal))
        prefetch_related_objects(rows, "mail_login")
        return rows

    def prefetch_live_values(self, rows: Iterable[Any]) -> list[Any]:
        return add_domains(add_usage(rows))

    def prefetch_forms(self, rows: list[Any]) -> list[Any]:
        """Do not count app passwords: forms say to people only how many there are."""
        prefetch_related_objects(rows, "mail_login")
        for row in rows:
            row.app_password_count = 0
        return rows

    def head_values(self, row: Any) -> dict[str, Any]:
        vacation = VACATIONS.first(key=row.pk)
        head = {"vacation": vacation, "away": vacation.status if vacation else ""}
        is_inactive = row.own_domain is not None and not row.own_domain.active
        return head | {"is_domain_inactive": is_inactive, "is_suspended": is_inactive}

    def count(self, principal: Any, filters: Mapping[str, str]) -> int | None:
        return get_known_count("mailboxes", principal, filters)


def is_whole_table_faster(filters: Mapping[str, str], principal: Any) -> bool:
    """Return whether MySQL reads all aliases in less time than it looks up those of the index."""
    is_inactive, is_superadmin = filters.get("active") == "0", principal.role is Role.SUPERADMIN
    if "q" in filters and "domain" not in filters:
        return is_inactive or is_superadmin
    return is_inactive and is_superadmin


@with_custom_columns
class AliasTable(Table):
    model = Alias
    form_class = AliasForm
    slug = "aliases"
    icon = "arrow-left-right"
    menu_position = 40
    columns = [
        Column("address", gettext_lazy("Alias"), cells.render_alias_key_cell),
        Column("goto", gettext_lazy("Forwards to"), cells.render_targets_cell, is_wide=True),
        "description",
        "modified",
        "created",
    ]
    hidden_columns = ("created",)
    card_columns = ("goto",)
    detail_url_name = "alias"
    new_label = gettext_lazy("New alias")
    count_text = ngettext_lazy("%(count)s alias", "%(count)s aliases", "count")
    search_fields = ["address", "goto", "description"]
    is_split_by_domain = True
    roles = READ_ROLES | dict.fromkeys(WRITE_SCREENS, Role.ADMINS)
    export_roles = dict.fromkeys(
        ["address", "goto", "description", "active", *DATE_COLUMNS], Role.ADMINS
    )
    extra_columns = ("local_part", "domain", "goto_mailbox")
    api_values = {
        "local_part": attrgetter("local_part"),
        "goto": attrgetter("others"),
        "goto_mailbox": attrgetter("keeps_copy"),
    }
    example_values = {"local_part": "info", "domain": "example.org", "goto": ["bob@example.org"]}
    empty_text = gettext_lazy("No aliases yet.")
    not_searched_text = deletion_references.NOT_SEARCHED_TEXT
    services = Services(
        create=create_aliases,
        edit=edit_alias,
        edit_many=edit_aliases,
        set=set_aliases,
        delete=delete_aliases,
    )

    def parse_key(self, text: str) -> str:
        """A catch-all is stored without the star by which people call it."""
        return super().parse_key(text.removeprefix("*") if text.startswith("*@") else text)

    def filter_listed(self, rows: Any) -> QuerySet:
        """The alias of a mailbox is edited like any other, and listed with its mailbox."""
        return rows.without_mailbox()

    def split(self, rows: QuerySet, filters: Mapping[str, str], principal: Any) -> list[Part]:
        """Among very many they are looked up, and those that others have just made added."""
        is_whole = is_whole_table_faster(filters, principal)
        moment = None if is_whole else cached_stats.get_last_refresh()
        if not moment:
            return super().split(rows, filters, principal)
        known = self.filter_known(StandaloneAlias.scoped.visible_to(principal), filters)
        refreshed = datetime.datetime.fromtimestamp(moment, datetime.UTC)
        new = find_logged_aliases(refreshed, "create_alias")
        return super().split(known, filters, principal) + ([rows.filter(pk__in=new)] if new else [])

    def filter_known(self, known: Any, filters: Mapping[str, str]) -> QuerySet:
        """Return the entries of aliases that match the filters."""
        known = known.with_alias()
        if (active := filters.get("active")) in ("0", "1"):
            known = known.filter(alias__active=active == "1")
        if domain := filters.get("domain"):
            known = self.filter_by_domain(known, try_normalize_domain(domain))
        known = filter_by_columns(known, self.column_filters, filters, "alias__")
        text = filters.get("q", "")
        condition = build_search_condition(Alias, self.search_fields, text, path="alias__")
        return known.none() if condition is None else known.filter(condition)

    def count(self, principal: Any, filters: Mapping[str, str]) -> int | None:
        return get_known_count("aliases", principal, filters)

    def head_values(self, row: Any) -> dict[str, Any]:
        return {"has_mailbox": bool(MAILBOX_KEYS.fetch(key=row.pk))}

    def prefetch_forms(self, rows: list[Any]) -> list[Any]:
        of_mailboxes = find_keys_of_mailboxes([row.pk for row in rows])
        for row in rows:
            row.has_mailbox = fold(row.pk) in of_mailboxes
        return rows

    def warnings(self, principal: Any, rows: Sequence[Any]) -> dict[str, list[str]]:
        found = find_alias_warnings(principal, rows)
        for key, texts in find_own_address_warnings(principal, rows).items():
            found[key] = [*found.get(key, []), *texts]
        return found

    def prefetch_cells(self, rows: list[Any], principal: Any) -> list[Any]:
        found = find_alias_problems(principal, [row for row in rows if row.active])
        for row in rows:
            row.problems = found.get(row.pk, [])
        return rows

    def filter_searchable(self, rows: QuerySet, text: str) -> QuerySet:
        """A mailbox that forwards is found by where its mail goes; by its address it is above."""
        rows = rows.exclude(goto=F("address"))
        # As a value, for each alias that matches: for EXISTS, MariaDB may collect all mailboxes.
        mailbox = Subquery(Mailbox.objects.filter(pk=OuterRef("pk")).values("pk"))
        by_address = build_search_condition(Alias, ["address"], text)
        return rows.exclude(by_address & Q(IsNull(mailbox, False))) if by_address else rows

    def export_value(self, row: Any, name: str) -> Any:
        return row.targets if name == "goto" else super().export_value(row, name)

    def api_value(self, row: Any, name: str) -> Any:
        return (
            self.api_values[name](row) if name in self.api_values else super().api_value(row, name)
        )

    def save_notices(self, row: Any, is_new: bool) -> list[str]:
        return old_mail_notices(row, DELETE_ACTIONS) if is_new else []

    def inbound_references(self, keys: Sequence[str], principal: Any) -> list[ReferenceGroup]:
        """Do not search for catch-alls: which addresses only they take is not known."""
        catch_alls = [key for key in keys if key.startswith("@")]
        names = [key for key in keys if not key.startswith("@")]
        return deletion_references.find_address_references(principal, names, catch_alls)
