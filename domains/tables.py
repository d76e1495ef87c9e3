"""The tables of domains, alias domains, admins and transports."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Count, OuterRef, QuerySet
from django.db.models.functions import Coalesce
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from domains import cells
from domains.forms import (
    AdminForm,
    AliasDomainForm,
    BaseDomainForm,
    TotpExceptionForm,
)
from domains.models import (
    Admin,
    AliasDomain,
    Domain,
    DomainAdmin,
    DomainState,
    TotpException,
    build_either_domain_filter,
)
from domains.quotas import to_megabytes
from domains.services import admins, totp_exceptions
from domains.services.alias_domains import (
    ALIAS_DOMAIN_TARGET_MESSAGE,
    create_alias_domains,
    delete_alias_domains,
    edit_alias_domain,
    iter_blocking_alias_domains,
    set_alias_domains,
)
from mailadmin.accounts.models import Role
from mailadmin.accounts.person_tables import PersonTable
from mailadmin.changes.models import Log
from mailadmin.db.pagination import Part
from mailadmin.formatting import fill_html, key_url, unicode_address
from mailadmin.names import fold
from mailadmin.tables.actions import DELETE, Services
from mailadmin.tables.columns import Column
from mailadmin.tables.table import DATE_COLUMNS, READ_ROLES, WRITE_SCREENS, Table
from mailadmin.translation import ngettext_lazy

DELETE_ACTIONS = ("delete_domain", "delete_alias_domain")


def old_mail_notices(row: Any, actions: Sequence[str]) -> list[str]:
    """Return a warning if the log has one of these deletions for a row of this name."""
    domain = getattr(row, "domain_id", row.pk)
    if not Log.objects.filter(domain=domain, action__in=actions, data=row.pk).exists():
        return []
    text = gettext("%(row)s existed before: its old mail may still be on disk.")
    return [text % {"row": row}]


def format_alias_domain_target(alias_domain: AliasDomain) -> SafeString:
    """Return why the target of an alias domain is not deleted, with a link where there is one."""
    mirror = str(alias_domain)
    if settings.MAILADMIN_ALIAS_DOMAIN:
        url = key_url("alias-domains-delete", alias_domain.pk)
        mirror = format_html('<a href="{}">{}</a>', url, mirror)
    target = unicode_address(alias_domain.target_domain_id)
    return fill_html(str(ALIAS_DOMAIN_TARGET_MESSAGE), {"target": target, "mirror": mirror})


def add_states(domains: Iterable[Domain]) -> list[Domain]:
    """Return these domains with their tallies, which are 0 where nothing was counted yet."""
    rows = list(domains)
    states = DomainState.objects.in_bulk([row.pk for row in rows])
    for row in rows:
        row.state = states.get(row.pk) or DomainState(domain_id=row.pk)
    return rows


class BaseDomainTable(Table):
    """The columns of domains; mailboxes adds the services, which know what is in them."""

    model = Domain
    form_class = BaseDomainForm
    slug = "domains"
    icon = "globe2"
    menu_position = 10
    columns = [
        Column("domain", _("Domain"), cells.render_domain_key_cell),
        "description",
        Column(
            "mailboxes",
            _("Mailboxes"),
            cells.render_mailbox_count_cell,
            is_short=True,
            is_labelled=True,
        ),
        Column(
            "aliases", _("Aliases"), cells.render_alias_count_cell, is_short=True, is_labelled=True
        ),
        Column("quota", _("Quota assigned"), cells.render_domain_quota_cell, is_short=True),
        "modified",
    ]
    card_columns = ("mailboxes", "aliases")
    detail_url_name = "domain"
    new_label = _("New domain")
    count_text = ngettext_lazy("%(count)s domain", "%(count)s domains", "count")
    search_fields = ["domain", "description"]
    roles = READ_ROLES | dict.fromkeys(WRITE_SCREENS, Role.SUPERADMIN)
    toggles = {"active": _("active"), "backupmx": _("backup MX")}
    computed_values: Mapping[str, Callable[[Any], Any]] = {
        "second_factor": attrgetter("second_factor"),
        "mailbox_count": attrgetter("state.mailboxes"),
        "alias_count": attrgetter("state.aliases"),
        "quota_assigned": lambda row: to_megabytes(row.state.quota_assigned),
        "quota_used": lambda row: to_megabytes(row.state.quota_used),
    }
    computed_fields: Mapping[str, models.Field] = {
        "mailbox_count": models.IntegerField("The number of mailboxes."),
        "alias_count": models.IntegerField("The number of aliases, without those of mailboxes."),
        "quota_assigned": models.FloatField("The sum of the quotas of its mailboxes, in MB."),
        "quota_used": models.FloatField(
            "The space that its mailboxes use, in MB, as last counted."
        ),
    }
    live_columns = ("mailbox_count", "alias_count", "quota_assigned", "quota_used")
    export_roles = dict.fromkeys(
        [
            *("domain", "description", "aliases", "mailboxes", "maxquota", "quota", "transport"),
            *("backupmx", "active", "password_expiry", "second_factor", *DATE_COLUMNS),
        ],
        Role.ADMINS,
    )
    example_values = {
        "domain": "example.org",
        "description": "Bakery",
        "mailboxes": 50,
        "aliases": 100,
    }
    empty_text = _("No domains yet. Start by adding your first domain.")

    def prefetch_cells(self, rows: list[Any], principal: Any) -> list[Any]:
        return add_states(rows)

    def prefetch_values(self, rows: Iterable[Any], principal: Any) -> list[Any]:
        rows = list(rows)
        models.prefetch_related_objects(rows, "factor_policy")
        return rows

    def prefetch_live_values(self, rows: Iterable[Any]) -> list[Any]:
        return add_states(rows)

    def delete_blockers(self, keys: Sequence[str], principal: Any) -> list[str]:
        """Return a text for each alias domain of these domains, with a link to its deletion."""
        return [format_alias_domain_target(each) for each in iter_blocking_alias_domains(keys)]

    def save_notices(self, row: Any, is_new: bool) -> list[str]:
        return old_mail_notices(row, DELETE_ACTIONS) if is_new else []


class BaseAliasDomainTable(Table):
    """The columns of alias domains; mailboxes warns of what is in them."""

    model = AliasDomain
    form_class = AliasDomainForm
    slug = "alias-domains"
    icon = "signpost-split"
    menu_position = 45
    columns = [
        Column("alias_domain", _("Alias domain"), "key"),
        "target_domain",
        "description",
        "modified",
    ]
    card_columns = ("target_domain",)
    new_label = _("New alias domain")
    count_text = ngettext_lazy("%(count)s alias domain", "%(count)s alias domains", "count")
    search_fields = ["alias_domain__domain", "target_domain__domain", "description"]
    roles = READ_ROLES | dict.fromkeys(WRITE_SCREENS, Role.ADMINS) | {"import": Role.SUPERADMIN}
    export_roles = dict.fromkeys(
        ["alias_domain", "target_domain", "description", "active", *DATE_COLUMNS], Role.ADMINS
    )
    example_values = {"alias_domain": "example.com", "target_domain": "example.org"}
    empty_text = _("No alias domains yet. An alias domain mirrors the addresses of another domain.")
    services = Services(
        create=create_alias_domains,
        edit=edit_alias_domain,
        set=set_alias_domains,
        delete=delete_alias_domains,
    )

    def is_enabled(self) -> bool:
        return settings.MAILADMIN_ALIAS_DOMAIN

    def filter_by_domain(self, rows: QuerySet, name: str) -> QuerySet:
        return rows.filter(build_either_domain_filter([name]))


class AdminTable(PersonTable):
    model = Admin
    form_class = AdminForm
    slug = "admins"
    icon = "person-badge"
    menu_group = "access"
    menu_position = 60
    columns = [
        "username",
        Column(
            "domains",
            _("Domains"),
            cells.render_assigned_domains_cell,
            is_short=True,
            is_labelled=True,
        ),
        "modified",
    ]
    card_columns = ("domains",)
    ready_url_name = "admin-ready"
    detail_url_name = "admin"
    new_label = _("New admin")
    count_text = ngettext_lazy("%(count)s admin", "%(count)s admins", "count")
    search_fields = ["username"]
    roles = dict.fromkeys(["list", "export", *WRITE_SCREENS], Role.SUPERADMIN)
    toggles = {"active": _("active")}
    export_roles = dict.fromkeys(
        ["username", "superadmin", "domains", "active", "phone", "email_other", *DATE_COLUMNS],
        Role.SUPERADMIN,
    )
    computed_values = {"domains": attrgetter("assigned")}
    example_values = {
        "username": "alice@example.org",
        "password": "correct-horse-42",
        "domains": ["example.org"],
    }
    empty_text = _("No admins yet.")
    services = Services(
        create=admins.create_admins,
        edit=admins.edit_admin,
        set=admins.set_admins,
        delete=admins.delete_admins,
    )

    def delete_blockers(self, keys: Sequence[str], principal: Any) -> list[str]:
        is_own = isinstance(principal, Admin) and principal.pk in keys
        return [str(admins.OWN_ACCOUNT_MESSAGE)] if is_own else []

    def filter_by_domain(self, rows: QuerySet, name: str) -> QuerySet:
        assigned = DomainAdmin.objects.filter(domain=name, active=True)
        return rows.filter(pk__in=list(assigned.values_list("admin_id", flat=True)))

    def prefetch_values(self, rows: Iterable[Any], principal: Any) -> list[Any]:
        rows = list(rows)
        assigned = DomainAdmin.objects.filter(admin__in=[row.pk for row in rows], active=True)
        names = defaultdict(list)
        for admin, domain in assigned.order_by("domain_id").values_list("admin_id", "domain_id"):
            names[fold(admin)].append(domain)
        for row in rows:
            row.assigned = list(dict.fromkeys(names[fold(row.pk)]))
        return rows

    def split(self, rows: QuerySet, filters: Mapping[str, str], principal: Any) -> list[Part]:
        """Annotate the count of domains: for a list of names, planners may read them all."""
        assigned = DomainAdmin.objects.filter(admin=OuterRef("pk"), active=True)
        counts = assigned.values("admin").annotate(count=Count("domain_id", distinct=True))
        rows = rows.annotate(domain_count=Coalesce(counts.values("count"), 0))
        return super().split(rows, filters, principal)


class TotpExceptionTable(Table):
    model = TotpException
    form_class = TotpExceptionForm
    slug = "totp-exceptions"
    icon = "shield-lock"
    menu_group = "access"
    menu_position = 80
    columns = [
        Column("ip", _("IP address"), "key"),
        Column("username", _("Applies to"), cells.render_exception_name_cell),
        Column("description", _("Description"), "text"),
        Column("modified", _("Modified"), "datetime"),
    ]
    card_columns = ("username", "description")
    toggles: Mapping[str, Any] = {}
    actions = (DELETE,)
    filter_names = ("domain", "q")
    new_label = _("New exception")
    count_text = ngettext_lazy("%(count)s TOTP exception", "%(count)s TOTP exceptions", "count")
    search_fields = ["ip", "username", "description"]
    roles = dict.fromkeys(["list", "export", "create", "edit", "delete", "bulk"], Role.ADMINS)
    export_roles = dict.fromkeys(["ip", "username", "description", *DATE_COLUMNS], Role.ADMINS)
    example_values = {"ip": "192.0.2.7", "username": "example.org", "description": "Office"}
    empty_text = _("No exceptions: the second factor is asked for at every IP address.")
    services = Services(
        create=totp_exceptions.create_totp_exceptions,
        edit=totp_exceptions.edit_totp_exception,
        delete=totp_exceptions.delete_totp_exceptions,
    )

    def filter_by_domain(self, rows: Any, name: str) -> QuerySet:
        return rows.filter_by_domains([name])
