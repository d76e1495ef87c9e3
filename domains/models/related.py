"""PostfixAdmin's other tables of this floor: DKIM, transports, TOTP exceptions, preferences."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from domains.managers import (
    DkimKeyQuerySet,
    DkimSigningQuerySet,
    SuperadminQuerySet,
    TotpExceptionQuerySet,
)
from domains.models.domains import Admin, Domain
from domains.patterns import validate_pattern, validate_transport
from mailadmin.db.fields import (
    CharField,
    CurrentTime,
    DateTimeField,
    Latin1CharField,
    Latin1TextField,
    NameField,
    TimestampField,
    UnknownDate,
    mail_key,
)
from mailadmin.db.models import TimestampedModel
from mailadmin.db.table_names import get_table_name
from mailadmin.names import address_to_unicode


class Config(models.Model):
    """A setting of PostfixAdmin; `version` is that of its schema, and not ours to change."""

    id = models.AutoField(primary_key=True)
    name = NameField(max_length=20, default="", db_default="", unique=True)
    value = NameField(max_length=20, default="", db_default="")

    class Meta:
        db_table = get_table_name("config")

    def __str__(self) -> str:
        return f"{self.name}={self.value}"


class AdminPreference(models.Model):
    """A setting that an admin chose in PostfixAdmin."""

    pk = models.CompositePrimaryKey("admin_id", "pref_key")
    admin = mail_key(Admin, "username", related_name="preferences", default="")
    pref_key = NameField(max_length=64, default="", db_default="")
    pref_value = Latin1CharField(max_length=2048, default="", db_default="")

    class Meta:
        db_table = get_table_name("admin_preferences")

    def __str__(self) -> str:
        return f"{self.admin_id} {self.pref_key}"


class DkimKey(models.Model):
    """A DKIM key of a domain."""

    id = models.AutoField(primary_key=True)
    domain_name = mail_key(Domain, "domain_name", related_name="dkim_keys")
    description = CharField(max_length=255, null=True, blank=True, default="", db_default="")  # noqa: DJ001 (as it is)
    selector = NameField(max_length=63, default="default", db_default="default")
    private_key = Latin1TextField(null=True, secret=True)  # noqa: DJ001 (as it is)
    public_key = Latin1TextField(null=True)  # noqa: DJ001 (as it is)
    created = DateTimeField(default=timezone.now, db_default=UnknownDate())
    modified = DateTimeField(default=timezone.now, db_default=UnknownDate())

    objects = DkimKeyQuerySet.as_manager()

    class Meta:
        db_table = get_table_name("dkim")
        verbose_name = _("DKIM key")
        verbose_name_plural = _("DKIM keys")

    def __str__(self) -> str:
        return f"{self.selector}._domainkey.{self.domain_name_id}"


class DkimSigning(models.Model):
    """The key that signs for an author: a domain or the address of a mailbox."""

    id = models.AutoField(primary_key=True)
    author = NameField(default="", db_default="", db_index=True)
    dkim = mail_key(DkimKey, "dkim_id", related_name="signings")
    created = DateTimeField(default=timezone.now, db_default=UnknownDate())
    modified = DateTimeField(default=timezone.now, db_default=UnknownDate())

    objects = DkimSigningQuerySet.as_manager()

    class Meta:
        db_table = get_table_name("dkim_signing")
        verbose_name = _("DKIM signing")
        verbose_name_plural = _("DKIM signings")

    def __str__(self) -> str:
        return f"{self.author} {self.dkim_id}"


class Transport(TimestampedModel):
    """The transport of mail for an address, a domain, its sub-domains or everybody."""

    pattern = NameField(_("pattern"), primary_key=True, validators=[validate_pattern])
    transport = Latin1CharField(
        _("transport"), max_length=255, db_default="", validators=[validate_transport]
    )
    description = CharField(_("description"), max_length=255, blank=True, default="", db_default="")

    objects = SuperadminQuerySet.as_manager()

    class Meta:
        db_table = "mailadmin_transport"
        verbose_name = _("transport")
        verbose_name_plural = _("transports")

    def __str__(self) -> str:
        return address_to_unicode(self.pattern)


class TotpException(models.Model):
    """An address from which a mailbox, a domain or everybody may skip the second factor."""

    id = models.AutoField(primary_key=True)
    ip = NameField(max_length=46)
    username = CharField(max_length=255, null=True)  # noqa: DJ001 (NULL means everybody)
    description = CharField(max_length=255, null=True)  # noqa: DJ001 (as it is)
    created = TimestampField(default=timezone.now, db_default=CurrentTime())
    modified = TimestampField(default=timezone.now, db_default=CurrentTime())

    objects = TotpExceptionQuerySet.as_manager()

    class Meta:
        db_table = get_table_name("totp_exception_address")
        verbose_name = _("TOTP exception")
        verbose_name_plural = _("TOTP exceptions")
        constraints = [
            models.UniqueConstraint(fields=["ip", "username"], name="mailadmin_totp_exception")
        ]

    def __str__(self) -> str:
        return f"{self.ip} {self.username or ''}".strip()

    @property
    def domain_name(self) -> str:
        """Return the domain that the exception is for; empty if it is for everybody."""
        return (self.username or "").rpartition("@")[2]


class OwnTotpException(models.Model):
    """Marks an exception that a mailbox owner has made for themselves.

    It does not count where a second factor is required, nor for an admin of the same name.
    """

    exception = mail_key(
        TotpException, "exception_id", primary_key=True, related_name="own_exception"
    )

    class Meta:
        db_table = "mailadmin_own_totp_exception"

    def __str__(self) -> str:
        return str(self.exception_id)
