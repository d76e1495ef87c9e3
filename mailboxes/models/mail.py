"""Mailboxes, aliases and vacation replies."""

import datetime
from collections.abc import Collection
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from domains.models import Domain, DomainFactorPolicy
from domains.queries import find_domain
from mailadmin.accounts.factors.models import RoleFactorPolicy
from mailadmin.accounts.models import (
    Principal,
    PrincipalManager,
    Role,
    ScopedQuerySet,
    VisibleQuerySet,
)
from mailadmin.db.custom_columns import has_custom_columns
from mailadmin.db.fields import (
    AddressField,
    CharField,
    CurrentTime,
    DateTimeField,
    FarFutureDate,
    Latin1CharField,
    Latin1TextField,
    NameField,
    SizeField,
    TextField,
    TimestampField,
    UnknownDate,
    is_end_date,
    is_known_date,
    mail_key,
)
from mailadmin.db.indexes import LongIndex
from mailadmin.db.models import TimestampedModel
from mailadmin.db.table_names import get_table_name
from mailadmin.names import address_to_unicode, fold
from mailboxes.models.goto import (
    GotoField,
    get_target_names,
    is_vacation_target,
    split_goto,
)


class MailboxQuerySet(ScopedQuerySet):
    owner_lookup = "pk"


@has_custom_columns("mailbox")
class Mailbox(Principal, TimestampedModel):
    role = Role.MAILBOX

    username = AddressField(_("mailbox"), primary_key=True)
    name = CharField(_("name"), max_length=255, blank=True, default="")
    maildir = Latin1CharField(_("maildir"), max_length=255, editable=False)
    quota = SizeField(_("quota"), default=0, db_default=0)
    local_part = NameField(_("local part"))
    domain = mail_key(Domain, "domain", related_name="mailbox_set", verbose_name=_("domain"))
    password_expiry = DateTimeField(
        _("password expires"), default=timezone.now, db_default=UnknownDate(), editable=False
    )
    smtp_active = models.BooleanField(_("sending allowed"), default=True, db_default=True)

    objects = PrincipalManager.from_queryset(MailboxQuerySet)()

    class Meta:
        db_table = get_table_name("mailbox")
        verbose_name = _("mailbox")
        verbose_name_plural = _("mailboxes")
        indexes = [
            models.Index(fields=["active"], name="mailadmin_mailbox_active"),
            models.Index(fields=["domain", "active"], name="mailadmin_mailbox_domain_on"),
            # A search reads these alone, of all mailboxes or of those of a domain.
            LongIndex(fields=["username", "name"], name="mailadmin_mailbox_search"),
            LongIndex(fields=["domain", "username", "name"], name="mailadmin_mailbox_search_in"),
        ]

    def __str__(self) -> str:
        return address_to_unicode(self.username)

    def clean_fields(self, exclude: Collection[str] | None = None) -> None:
        if self._state.adding:
            self.set_derived_fields()
        super().clean_fields(exclude)

    @cached_property
    def app_password_count(self) -> int:
        return self.app_passwords.count()

    def set_derived_fields(self) -> None:
        """Set address and maildir of a new mailbox from its local part and domain."""
        self.username = f"{self.local_part}@{self.domain_id}".lower()
        self.maildir = self.maildir or build_maildir(self.local_part.lower(), self.domain_id)

    def find_recovery_address_problem(self, address: str) -> Any:
        """Refuse the mailbox itself: who has forgotten the password cannot read mail there."""
        if fold(address) == fold(self.pk):
            return _("Enter an address other than that of the mailbox itself.")
        return ""

    @classmethod
    def build_factor_policy(cls) -> models.expressions.Combinable:
        """Return an expression: the level of the domain if it has one, else that of the role."""
        of_domain = DomainFactorPolicy.objects.filter(domain=models.OuterRef("domain"))
        return Coalesce(
            models.Subquery(of_domain.values("level")), RoleFactorPolicy.level_of(Role.MAILBOX)
        )

    def password_has_expired(self) -> bool:
        """Return whether the password has expired; without an expiry in the domain none does."""
        is_past = is_end_date(self.password_expiry) and self.password_expiry <= timezone.now()
        return is_past and self.password_end is not None

    @property
    def password_end(self) -> datetime.datetime | None:
        """Return when the password expires; None if it does not."""
        if not is_end_date(self.password_expiry):
            return None
        has_end = self.own_domain is not None and self.own_domain.expiry_days > 0
        return self.password_expiry if has_end else None

    @cached_property
    def own_domain(self) -> Domain | None:
        """Return the domain for pages, read once; None if another program has deleted it."""
        return find_domain(self.domain_id)


def build_maildir(local_part: str, domain: str) -> str:
    """Return the folder of a mailbox by the pattern of MAILADMIN_MAILDIR."""
    path = settings.MAILADMIN_MAILDIR.format(
        domain=domain, local_part=local_part, username=f"{local_part}@{domain}"
    )
    return path.rstrip("/") + "/"


class AliasQuerySet(ScopedQuerySet):
    owner_lookup = "pk"

    def without_mailbox(self) -> "AliasQuerySet":
        """Return aliases that do not belong to a mailbox."""
        return self.exclude(pk__in=Mailbox.objects.values("pk"))


@has_custom_columns("alias")
class Alias(TimestampedModel):
    address = NameField(_("alias"), primary_key=True)
    goto = GotoField(_("forwards to"))
    domain = mail_key(Domain, "domain", related_name="alias_set", verbose_name=_("domain"))
    description = CharField(_("description"), max_length=255, blank=True, default="", db_default="")

    objects = AliasQuerySet.as_manager()

    class Meta:
        db_table = get_table_name("alias")
        verbose_name = _("alias")
        verbose_name_plural = _("aliases")
        indexes = [
            models.Index(fields=["active"], name="mailadmin_alias_active"),
            models.Index(fields=["domain", "active"], name="mailadmin_alias_domain_on"),
        ]

    def __str__(self) -> str:
        return address_to_unicode(self.address)

    @property
    def local_part(self) -> str:
        return self.address.rpartition("@")[0] or "*"

    @property
    def is_catch_all(self) -> bool:
        return self.address.startswith("@")

    @property
    def targets(self) -> list[str]:
        """Return where mail goes, without the target of the vacation reply."""
        return [target for target in split_goto(self.goto) if not is_vacation_target(target)]

    @cached_property
    def has_mailbox(self) -> bool:
        """Return whether this is the alias of a mailbox; looked up once, for many together."""
        return Mailbox.objects.filter(pk=self.pk).exists()

    @property
    def is_to_itself(self) -> bool:
        """Return whether mail goes to the mailbox of the address and nowhere else."""
        return self.goto == self.address

    @property
    def others(self) -> list[str]:
        """Return the targets besides the address itself."""
        return [target for target in self.targets if target.lower() != self.address.lower()]

    @property
    def keeps_copy(self) -> bool:
        return len(self.others) < len(self.targets)

    @property
    def is_autoreply_only(self) -> bool:
        """Return whether mail gets a vacation reply and is not stored anywhere."""
        return not self.targets and bool(split_goto(self.goto))


class StandaloneAliasQuerySet(ScopedQuerySet):
    def with_alias(self) -> "StandaloneAliasQuerySet":
        """Return entries whose alias exists, in a way that lets MySQL begin with this table."""
        return self.filter(alias__active__isnull=False)


class StandaloneAlias(models.Model):
    """Index table of the aliases that belong to no mailbox, in a large installation.

    Services add new aliases, the worker adds those that other programs created.
    """

    alias = mail_key(Alias, "address", primary_key=True, related_name="standalone_entry")
    domain = mail_key(Domain, "domain", related_name="standalone_aliases")

    objects = models.Manager()  # not scoped: changes of it are not recorded
    scoped = StandaloneAliasQuerySet.as_manager()

    class Meta:
        db_table = "mailadmin_lone_alias"

    def __str__(self) -> str:
        return self.alias_id


class AliasTarget(models.Model):
    """Index table of the addresses and domains to which aliases point, besides their own.

    Services keep it (`build_alias_targets`), the worker corrects it after other programs. It only
    says which aliases are candidates: their targets decide. The domain is that of the alias, so
    that an admin's rows are found without reading others.
    """

    pk = models.CompositePrimaryKey("name", "domain_id", "alias_id")
    name = NameField()  # an address, or a domain as `@domain`
    domain = mail_key(
        Domain, "domain", on_delete=models.DO_NOTHING, db_index=False, related_name="+"
    )
    alias = mail_key(Alias, "address", related_name="target_entries")

    objects = VisibleQuerySet.as_manager()

    class Meta:
        db_table = "mailadmin_alias_target"

    def __str__(self) -> str:
        return f"{self.alias_id} {self.name}"


def build_alias_targets(alias: Alias) -> list[AliasTarget]:
    """Return the entries of an alias in the index of targets; most aliases have none."""
    if alias.is_to_itself:
        return []
    names = get_target_names(alias.pk, alias.goto)
    return [
        AliasTarget(name=name, domain_id=alias.domain_id, alias_id=alias.pk)
        for name in sorted(names)
    ]


class VacationQuerySet(ScopedQuerySet):
    owner_lookup = "pk"


class Vacation(models.Model):
    mailbox = mail_key(Mailbox, "email", primary_key=True, related_name="vacation")
    subject = CharField(_("subject"), max_length=255)
    body = TextField(_("text"))
    cache = Latin1TextField(blank=True, default="", editable=False)
    domain = mail_key(Domain, "domain", related_name="vacations", db_index=False)
    created = DateTimeField(default=timezone.now, db_default=UnknownDate(), editable=False)
    modified = TimestampField(default=timezone.now, db_default=CurrentTime(), editable=False)
    active = models.BooleanField(_("active"), default=True, db_default=True)
    activefrom = TimestampField(_("from"), default=timezone.now, db_default=UnknownDate())
    activeuntil = TimestampField(_("until"), default=timezone.now, db_default=FarFutureDate())
    interval_time = models.IntegerField(_("reply to each sender"), default=0, db_default=0)

    objects = VacationQuerySet.as_manager()

    class Meta:
        db_table = get_table_name("vacation")
        verbose_name = _("vacation reply")
        verbose_name_plural = _("vacation replies")
        indexes = [models.Index(fields=["domain"], name="mailadmin_vacation_domain")]

    def __str__(self) -> str:
        return self.mailbox_id

    @property
    def status(self) -> str:
        """Return whether replies are sent: now, later or over; empty if the reply is inactive."""
        if not self.active:
            return ""
        now = timezone.now()
        if is_known_date(self.activefrom) and self.activefrom > now:
            return "later"
        return "over" if is_known_date(self.activeuntil) and self.activeuntil < now else "now"


class VacationNotification(models.Model):
    """A sender who has received the vacation reply, and when."""

    pk = models.CompositePrimaryKey("vacation_id", "notified")
    vacation = mail_key(Vacation, "on_vacation", related_name="notifications", db_index=False)
    notified = NameField(default="", db_default="")
    notified_at = TimestampField(default=timezone.now, db_default=CurrentTime())

    class Meta:
        db_table = get_table_name("vacation_notification")

    def __str__(self) -> str:
        return f"{self.vacation_id} {self.notified}"
