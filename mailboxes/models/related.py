"""Rows that other programs keep beside mailboxes: usage, fetchmail."""

from typing import Any, Self

from django.db import models
from django.db.models import Exists, OuterRef
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from domains.models import Domain
from mailadmin.accounts.models import Role, ScopedQuerySet, VisibleQuerySet
from mailadmin.db.compared_columns import AsColumn, have_same_collation
from mailadmin.db.fields import (
    CharField,
    CurrentTime,
    Latin1CharField,
    Latin1TextField,
    NameField,
    TimestampField,
    UnknownDate,
    mail_key,
)
from mailadmin.db.models import get_table_name
from mailboxes.models.mail import Mailbox


class UsageQuerySet(VisibleQuerySet):
    domain_lookup = "mailbox__domain"
    owner_lookup = "mailbox"


class Usage(models.Model):
    """The space used by a mailbox, as Dovecot counts it (quota2)."""

    mailbox = mail_key(Mailbox, "username", primary_key=True, related_name="usage")
    bytes = models.BigIntegerField(default=0, db_default=0)
    messages = models.IntegerField(default=0, db_default=0)
    percent: int  # of the quota, on the dashboard

    objects = UsageQuerySet.as_manager()

    class Meta:
        db_table = get_table_name("quota2")

    def __str__(self) -> str:
        return self.mailbox_id


class OldUsage(models.Model):
    """The same in the table of Dovecot 1.1 (quota)."""

    pk = models.CompositePrimaryKey("mailbox_id", "path")
    mailbox = mail_key(Mailbox, "username", related_name="old_usage", db_index=False)
    path = NameField(max_length=100)
    current = models.BigIntegerField(default=0, db_default=0)

    class Meta:
        db_table = get_table_name("quota")

    def __str__(self) -> str:
        return f"{self.mailbox_id} {self.path}"


class MailboxOwnedQuerySet(ScopedQuerySet):
    domain_lookup = "mailbox__domain"
    owner_lookup = "mailbox"

    def visible_to(self, principal: Any) -> Self:
        if getattr(principal, "role", None) != Role.ADMIN:
            return super().visible_to(principal)
        return self.filter_by_domains(principal.managed_domains())

    def filter_by_domains(self, names: Any) -> Self:
        """Select rows of mailboxes in these domains; by the key of each if a join cannot use it.

        A newer PostfixAdmin adds tables to an older database in another charset or collation. Then
        a join reads all mailboxes of the domains, or the database refuses it.
        """
        own: Any = self.model._meta.get_field("mailbox")
        key = Mailbox._meta.pk
        if have_same_collation(own, key):
            return self.filter(**{f"{self.domain_lookup}__in": names})
        mailboxes = Mailbox._base_manager.filter(domain__in=names)
        return self.filter(Exists(mailboxes.filter(pk=AsColumn(OuterRef(own.attname), key))))


class EnumField(NameField):
    """A value of one of PostfixAdmin's enum columns."""

    def db_type(self, connection: Any) -> str | None:
        if connection.vendor != "mysql":
            return super().db_type(connection)
        return "enum(" + ", ".join(f"'{word}'" for word, _label in self.choices or ()) + ")"


PROTOCOLS = ["POP3", "IMAP", "POP2", "ETRN", "AUTO"]


AUTHENTICATIONS = [
    "password",
    "kerberos_v5",
    "kerberos",
    "kerberos_v4",
    "gssapi",
    "cram-md5",
    "otp",
    "ntlm",
    "msn",
    "ssh",
    "any",
]


class Fetchmail(models.Model):
    id = models.AutoField(primary_key=True)
    mailbox = mail_key(Mailbox, "mailbox", related_name="fetchmail_set", db_index=False)
    src_server = Latin1CharField(max_length=255)
    src_auth = EnumField(null=True, choices=[(word, word) for word in AUTHENTICATIONS])
    src_user = Latin1CharField(max_length=255)
    src_password = Latin1CharField(max_length=255, secret=True)
    src_folder = Latin1CharField(max_length=255, blank=True, default="")
    poll_time = models.PositiveIntegerField(default=10, db_default=10)
    fetchall = models.BooleanField(default=False, db_default=False)
    keep = models.BooleanField(default=False, db_default=False)
    protocol = EnumField(null=True, choices=[(word, word) for word in PROTOCOLS])
    usessl = models.BooleanField(default=False, db_default=False)
    extra_options = Latin1TextField(null=True, blank=True)  # noqa: DJ001 (as it is)
    returned_text = Latin1TextField(null=True, blank=True)  # noqa: DJ001 (as it is)
    mda = Latin1CharField(max_length=255, null=True, blank=True, default="")  # noqa: DJ001 (NOT NULL in 3.3)
    date = TimestampField(default=timezone.now, db_default=UnknownDate())
    sslcertck = models.BooleanField(default=False, db_default=False)
    sslcertpath = CharField(max_length=255, null=True, blank=True, default="", db_default="")  # noqa: DJ001 (as it is)
    sslfingerprint = Latin1CharField(
        max_length=255, null=True, blank=True, default="", db_default=""
    )  # noqa: DJ001 (as it is)
    domain = mail_key(
        Domain, "domain", related_name="fetchmail_set", null=True, default="", db_default=""
    )
    active = models.BooleanField(default=False, db_default=False)
    created = TimestampField(default=timezone.now, db_default=UnknownDate())
    modified = TimestampField(default=timezone.now, db_default=CurrentTime())
    src_port = models.IntegerField(default=0, db_default=0)

    objects = MailboxOwnedQuerySet.as_manager()

    class Meta:
        db_table = get_table_name("fetchmail")
        verbose_name = _("fetchmail entry")
        verbose_name_plural = _("fetchmail entries")

    def __str__(self) -> str:
        return f"{self.mailbox_id} {self.src_server}"

    @property
    def log_key(self) -> str:
        return str(self.mailbox_id)
