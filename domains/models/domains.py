"""Domains, alias domains, and admins with their domains."""

from collections.abc import Iterable
from typing import Any, Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Concat
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from domains.managers import (
    AdminManager,
    AliasDomainQuerySet,
)
from mailadmin.accounts.factors.models import PolicyLevel, RoleFactorPolicy
from mailadmin.accounts.models import Principal, Role, ScopedQuerySet, VisibleQuerySet
from mailadmin.db.compiled import CompiledQuery
from mailadmin.db.custom_columns import has_custom_columns
from mailadmin.db.fields import (
    AddressField,
    CharField,
    DateTimeField,
    DomainField,
    Latin1CharField,
    LimitField,
    MegabytesField,
    NameField,
    UnknownDate,
    mail_key,
)
from mailadmin.db.models import TimestampedModel
from mailadmin.db.table_names import get_table_name
from mailadmin.names import domain_to_unicode

ALL_DOMAINS = "ALL"  # PostfixAdmin's name for "every domain"; not a domain
NONE_ALLOWED, UNLIMITED = -1, 0
MAX_QUOTA_MB = 2**30  # sums of quotas stay far below the maximum of a BIGINT
MAX_PASSWORD_EXPIRY_DAYS = 36500  # as in PostfixAdmin 4.0.6
MAX_LITERAL_DOMAINS = 500  # beyond that a subquery is faster than a list of names


ScopedManager = models.Manager.from_queryset(ScopedQuerySet)


class DomainManager(ScopedManager):
    """Domains without PostfixAdmin's row `ALL`."""

    def with_password_expiry(self) -> models.QuerySet:
        """Return the domains whose passwords expire."""
        if not settings.MAILADMIN_PASSWORD_EXPIRATION:
            return self.none()
        return self.filter(password_expiry__gt=0)

    def get_queryset(self) -> models.QuerySet:
        return super().get_queryset().exclude(domain=ALL_DOMAINS)


@has_custom_columns("domain")
class Domain(TimestampedModel):
    """A mail domain with its limits."""

    domain = DomainField(_("domain"), primary_key=True)
    description = CharField(_("description"), max_length=255, blank=True, default="")
    aliases = LimitField(_("alias limit"), default=0, db_default=0)
    mailboxes = LimitField(_("mailbox limit"), default=0, db_default=0)
    maxquota = MegabytesField(_("maximum quota per mailbox"), default=0, db_default=0)
    quota = MegabytesField(_("domain quota"), default=0, db_default=0)
    transport = Latin1CharField(_("transport"), max_length=255, blank=True, default="virtual")
    backupmx = models.BooleanField(_("backup MX"), default=False, db_default=False)
    password_expiry = models.IntegerField(
        _("password lifetime (days)"), null=True, blank=True, default=0, db_default=0
    )

    objects = DomainManager()

    class Meta:
        db_table = get_table_name("domain")
        verbose_name = _("domain")
        verbose_name_plural = _("domains")

    def __str__(self) -> str:
        return domain_to_unicode(self.domain)

    @property
    def second_factor(self) -> str:
        """Return the level of second factors for this domain alone; empty if it has none."""
        policy = getattr(self, "factor_policy", None)  # its row is missing in most domains
        return policy.level if policy else ""

    @property
    def expiry_days(self) -> int:
        """Return after how many days passwords expire; 0 if they do not."""
        if not settings.MAILADMIN_PASSWORD_EXPIRATION:
            return 0
        return min(max(0, self.password_expiry or 0), MAX_PASSWORD_EXPIRY_DAYS)

    @property
    def enforced_maxquota(self) -> int:
        """Return the maximum quota of a mailbox, as far as the settings enforce it."""
        return self.maxquota if settings.MAILADMIN_QUOTA_LIMITS != "no" else UNLIMITED

    @property
    def enforced_quota(self) -> int:
        """Return the quota of all mailboxes together, as far as the settings enforce it."""
        return self.quota if settings.MAILADMIN_QUOTA_LIMITS == "all" else UNLIMITED

    @property
    def quota_size(self) -> int:
        """Return the enforced quota in bytes."""
        return self.enforced_quota * settings.MAILADMIN_QUOTA_MULTIPLIER

    def has_capacity_for(self, relation: str, current: int, added: int = 1) -> bool:
        """Return whether so many mailboxes or aliases more fit under the limit."""
        limit = getattr(self, relation)
        return limit == UNLIMITED or (limit != NONE_ALLOWED and current + added <= limit)


class AliasDomain(TimestampedModel):
    """A domain whose mail goes to the same names in another domain."""

    alias_domain = mail_key(
        Domain,
        "alias_domain",
        primary_key=True,
        related_name="mirror",
        verbose_name=_("alias domain"),
    )
    target_domain = mail_key(
        Domain, "target_domain", related_name="mirrors", verbose_name=_("target domain"), default=""
    )
    description = CharField(_("description"), max_length=255, blank=True, default="", db_default="")

    objects = AliasDomainQuerySet.as_manager()

    class Meta:
        db_table = get_table_name("alias_domain")
        verbose_name = _("alias domain")
        verbose_name_plural = _("alias domains")
        indexes = [models.Index(fields=["active"], name="mailadmin_mirror_active")]

    def __str__(self) -> str:
        return domain_to_unicode(self.alias_domain_id)


class Admin(Principal, TimestampedModel):
    """An admin: a superadmin, or an admin of the assigned domains."""

    username = AddressField(_("admin"), primary_key=True)
    superadmin = models.BooleanField(_("superadmin"), default=False, db_default=False)

    objects = AdminManager()

    class Meta:
        db_table = get_table_name("admin")
        verbose_name = _("admin")
        verbose_name_plural = _("admins")

    @property
    def role(self) -> Role:
        return Role.SUPERADMIN if self.superadmin else Role.ADMIN

    def find_recovery_address_problem(self, address: str) -> Any:
        """Refuse addresses of domains in the panel: admins of those could read the mail."""
        name = address.rpartition("@")[2]
        if Domain._base_manager.filter(pk=name).exists():
            return _("Enter an address in a domain that this panel does not manage.")
        return ""

    @classmethod
    def build_factor_policy(cls) -> models.expressions.Combinable:
        """Return an expression: the level of the role, or what a domain of the admin requires.

        An admin can change the passwords of the domain's mailboxes.
        """
        required = DomainFactorPolicy.objects.filter(
            domain__assignments__admin=models.OuterRef("pk"),
            domain__assignments__active=True,
            level=PolicyLevel.REQUIRED,
        )
        return models.Case(
            models.When(superadmin=True, then=RoleFactorPolicy.level_of(Role.SUPERADMIN)),
            models.When(models.Exists(required), then=models.Value(PolicyLevel.REQUIRED)),
            default=RoleFactorPolicy.level_of(Role.ADMIN),
        )

    def get_assigned_domains(self) -> list[str]:
        """Return the names of all assigned domains, in order."""
        rows = self.assignments.filter(active=True).order_by("domain_id")
        return list(dict.fromkeys(rows.values_list("domain_id", flat=True)))

    def managed_domains(self) -> list[str] | models.QuerySet:
        """Return the names of this admin's domains, queried once; beyond 500 as a query."""
        if not hasattr(self, "_managed"):
            rows = FIRST_ASSIGNMENTS.fetch(admin=self.pk)
            names = list(dict.fromkeys(row.domain_id for row in rows))
            query = self.assignments.filter(active=True).values_list("domain_id", flat=True)
            self._managed = names if len(names) <= MAX_LITERAL_DOMAINS else query
        return self._managed


class DomainFactorPolicy(models.Model):
    """Whether mailbox owners of a domain can or must have a second factor, unlike all others."""

    domain = mail_key(Domain, "domain", primary_key=True, related_name="factor_policy")
    level = CharField(max_length=16, choices=PolicyLevel.choices)

    objects = ScopedQuerySet.as_manager()

    class Meta:
        db_table = "mailadmin_domain_factor_policy"

    def __str__(self) -> str:
        return f"{self.domain_id}: {self.level}"


class AssignmentManager(ScopedManager):
    """Assignments without the rows for `ALL`."""

    def get_queryset(self) -> models.QuerySet:
        return super().get_queryset().exclude(domain=ALL_DOMAINS)


class DomainAdmin(models.Model):
    """The assignment of a domain to an admin; `ALL` marks a superadmin for PostfixAdmin."""

    id = models.AutoField(primary_key=True)
    admin = mail_key(Admin, "username", related_name="assignments", verbose_name=_("admin"))
    domain = mail_key(
        Domain, "domain", related_name="assignments", db_index=False, verbose_name=_("domain")
    )
    created = DateTimeField(default=timezone.now, db_default=UnknownDate())
    active = models.BooleanField(default=True, db_default=True)

    objects = AssignmentManager()

    class Meta:
        db_table = get_table_name("domain_admins")
        verbose_name = _("domain assignment")
        verbose_name_plural = _("domain assignments")
        indexes = [models.Index(fields=["domain"], name="mailadmin_admins_domain")]

    def __str__(self) -> str:
        return f"{self.admin_id} {self.domain_id}"

    @property
    def log_key(self) -> str:
        return self.admin_id


# Enough rows to see whether there are too many names for a list, though a name may occur twice.
FIRST_ASSIGNMENTS = CompiledQuery(
    lambda admin: (
        DomainAdmin.objects.filter(admin=admin, active=True)
        .only("domain")
        .order_by("domain_id")[: MAX_LITERAL_DOMAINS * 2 + 1]
    )
)


class DomainStateQuerySet(VisibleQuerySet):
    def visible_to(self, principal: Any) -> Self:
        """Leave out the state of “all domains”, which only serves as a lock."""
        return super().visible_to(principal).exclude(domain=ALL_DOMAINS)


class DomainState(models.Model):
    """The lock of a domain and its tallies; to lock a domain is to write to this row.

    `at_domain` is the key that Postfix looks up for a whole domain, in a column with an index.
    """

    domain = mail_key(Domain, "domain", primary_key=True, related_name="state")
    at_domain = models.GeneratedField(
        expression=Concat(models.Value("@"), "domain"),
        output_field=NameField(max_length=255),
        db_persist=True,
        unique=True,
    )
    version = models.BigIntegerField(default=0)
    mailboxes = models.IntegerField(default=0)
    aliases = models.IntegerField(default=0)
    quota_assigned = models.BigIntegerField(default=0)
    quota_used = models.BigIntegerField(default=0)

    objects = DomainStateQuerySet.as_manager()

    class Meta:
        db_table = "mailadmin_domain_state"

    def __str__(self) -> str:
        return self.domain_id


def build_either_domain_filter(domains: Iterable[str]) -> Q:
    """Return the filter for alias domains with one end in these domains."""
    return Q(alias_domain__in=domains) | Q(target_domain__in=domains)
