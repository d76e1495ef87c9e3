"""The screens of domains, alias domains and admins."""

from collections import defaultdict

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import Count, OuterRef
from django.db.models.functions import Coalesce
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from domains import cells
from domains.forms import AdminForm, AliasDomainForm, DomainForm, TransportForm
from domains.models import (
    Admin,
    AliasDomain,
    Domain,
    DomainAdmin,
    DomainState,
    Transport,
    either_end,
)
from domains.patterns import EVERYTHING
from domains.services import admins, domains, transports
from mailadmin.accounts.models import Role
from mailadmin.changes.log_page import WarnsOfOldMail
from mailadmin.changes.perform import perform
from mailadmin.names import fold
from mailadmin.tables import DELETE, Column, Crud, Pick

READ = dict.fromkeys(["list", "export"], Role.ADMINS)
WRITE = ["create", "edit", "toggle", "bulk", "delete", "import"]
FEW = 10  # domains whose default aliases are looked at when they are saved
DATES = ["created", "modified"]  # in files for those who read them; no import does


class Domains(WarnsOfOldMail, Crud):
    model = Domain
    form_class = DomainForm
    slug = "domains"
    icon = "globe2"
    columns = [
        Column("domain", _("Domain"), "domain_key"),
        "description",
        Column("mailboxes", _("Mailboxes"), cells.mailboxes),
        Column("aliases", _("Aliases"), cells.aliases),
        Column("quota", _("Quota assigned"), cells.quota),
        "backupmx",
        "active",
        "modified",
    ]
    search_fields = ["domain", "description"]
    roles = READ | dict.fromkeys(WRITE, Role.SUPERADMIN)
    toggles = {"active": _("active"), "backupmx": _("backup MX")}
    exported = dict.fromkeys(
        [
            *("domain", "description", "aliases", "mailboxes", "maxquota", "quota", "transport"),
            *("backupmx", "active", "password_expiry", *DATES),
        ],
        Role.ADMINS,
    )
    example = {"domain": "example.org", "description": "Bakery", "mailboxes": 50, "aliases": 100}
    empty_text = _("There are no domains yet. The first one is where everything begins.")
    delete_service = domains.delete_domains
    set_service = domains.set_domains

    def decorate(self, rows):
        states = DomainState.objects.in_bulk([row.pk for row in rows])
        for row in rows:
            row.state = states.get(row.pk) or DomainState(domain_id=row.pk)
        return rows

    def going(self, keys):
        """The aliases of mailboxes are a part of them, here as in all other numbers."""
        aliases = Domain._meta.get_field("alias_set").related_model
        rows = [
            aliases.objects.filter(domain__in=keys).without_mailbox()
            if each.model is aliases
            else each
            for each in super().going(keys)
        ]
        return [*rows, *domains.within(keys), *domains.named(keys)]

    def objections(self, keys):
        try:
            domains.refuse_targets(keys)
        except ValidationError as error:
            return error.messages
        return []

    def pointing_at(self, keys):
        return domains.aliases_naming(self.request.user, [f"@{key}" for key in keys])

    def get_success_url(self):
        return reverse("domain", args=[self.object_saved.pk])

    @classmethod
    def warnings(cls, principal, rows) -> dict[str, list[str]]:
        """Standard aliases that point to nobody; of a few domains, as they are made."""
        if len(rows) > FEW:
            return {}
        text = gettext("The default aliases point to %(target)s, which does not exist.")
        found = {row.pk: domains.missing_targets(row) for row in rows}
        return {
            key: [text % {"target": each} for each in names]
            for key, names in found.items()
            if names
        }

    @classmethod
    def carry_out(cls, actor, action, keys, seen=None):
        """A large domain is closed at once and taken apart by the worker."""
        if action is DELETE and domains.is_large(keys):
            return perform(actor, domains.close_domains, keys, seen=seen)
        return super().carry_out(actor, action, keys, seen)

    @classmethod
    def carry_out_selection(cls, actor, action, selection):
        """Many domains are closed at once and deleted one by one, whatever their size."""
        if action is DELETE:
            return perform(actor, domains.close_selected_domains, selection)
        return super().carry_out_selection(actor, action, selection)


class AliasDomains(Crud):
    model = AliasDomain
    form_class = AliasDomainForm
    slug = "alias-domains"
    icon = "signpost-split"
    columns = [
        Column("alias_domain", _("Alias domain"), "key"),
        "target_domain",
        "description",
        "active",
        "modified",
    ]
    search_fields = ["alias_domain__domain", "target_domain__domain", "description"]
    roles = READ | dict.fromkeys(WRITE, Role.ADMINS) | {"import": Role.SUPERADMIN}
    exported = dict.fromkeys(
        ["alias_domain", "target_domain", "description", "active", *DATES], Role.ADMINS
    )
    example = {"alias_domain": "example.com", "target_domain": "example.org"}
    empty_text = _("There are no alias domains. One makes a domain a mirror of another.")
    delete_service = domains.delete_alias_domains
    set_service = domains.set_alias_domains

    @classmethod
    def is_offered(cls):
        return settings.MAILADMIN_ALIAS_DOMAIN

    def of_domain(self, rows, name):
        return rows.filter(either_end([name]))


class Admins(Crud):
    model = Admin
    form_class = AdminForm
    slug = "admins"
    icon = "person-badge"
    columns = [
        "username",
        Column("domains", _("Domains"), "domains/cells/assigned.html"),
        "superadmin",
        "active",
        "modified",
    ]
    search_fields = ["username"]
    roles = dict.fromkeys(["list", "export", *WRITE], Role.SUPERADMIN)
    toggles = {"active": _("active")}
    exported = dict.fromkeys(
        ["username", "superadmin", "domains", "active", "phone", "email_other", *DATES],
        Role.SUPERADMIN,
    )
    example = {
        "username": "alice@example.org",
        "password": "correct-horse-42",
        "domains": ["example.org"],
    }
    empty_text = _("There are no admins.")
    delete_service = admins.delete_admins
    set_service = admins.set_admins

    def of_domain(self, rows, name):
        assigned = DomainAdmin.objects.filter(domain=name, active=True)
        return rows.filter(pk__in=list(assigned.values_list("admin_id", flat=True)))

    @classmethod
    def exported_value(cls, row, name):
        return row.assigned_names() if name == "domains" else super().exported_value(row, name)

    @classmethod
    def prepared(cls, rows):
        rows = list(rows)
        assigned = DomainAdmin.objects.filter(admin__in=[row.pk for row in rows], active=True)
        names = defaultdict(list)
        for admin, domain in assigned.order_by("domain_id").values_list("admin_id", "domain_id"):
            names[fold(admin)].append(domain)
        for row in rows:
            row.assigned = list(dict.fromkeys(names[fold(row.pk)]))
        return rows

    @classmethod
    def value(cls, row, name):
        return row.assigned if name == "domains" else super().value(row, name)

    def parts(self, rows):
        """Their domains are counted row by row: of a list of names, planners may read them all."""
        assigned = DomainAdmin.objects.filter(admin=OuterRef("pk"), active=True)
        counts = assigned.values("admin").annotate(count=Count("domain_id", distinct=True))
        return super().parts(rows.annotate(domain_count=Coalesce(counts.values("count"), 0)))


class Transports(Crud):
    model = Transport
    form_class = TransportForm
    slug = "transports"
    icon = "send"
    columns = [
        "pattern",
        Column("transport", _("Transport"), cells.transport),
        "description",
        "active",
        "modified",
    ]
    search_fields = ["pattern", "transport", "description"]
    roles = dict.fromkeys(["list", "export", *WRITE], Role.SUPERADMIN)
    exported = dict.fromkeys(
        ["pattern", "transport", "description", "active", *DATES], Role.SUPERADMIN
    )
    example = {"pattern": ".example.net", "transport": "smtp:[mx.example.net]:25"}
    empty_text = _("There are no transports. Mail goes the usual way, or that of its domain.")
    delete_service = transports.delete_transports
    set_service = transports.set_transports

    def of_domain(self, rows, name):
        return transports.about(rows, [name])

    @cached_property
    def taken(self):
        """Domains whose mail `*` takes, and whether there are more than these."""
        return transports.few_taken_by_everything()

    def success_text(self, form):
        names, _more = self.taken
        if names and self.object_saved.pk == EVERYTHING:
            messages.warning(
                self.request,
                gettext("“*” takes the mail of this server’s own mailboxes too: %(domains)s")
                % {"domains": ", ".join(names)},
            )
        return super().success_text(form)


class PickDomain(Pick):
    model = Domain
    field_names = ("q", "domain", "alias_domain", "target_domain")
