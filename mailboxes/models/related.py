"""Rows that other programs keep beside mailboxes: usage, fetchmail."""

from typing import Any, Self

from django.db import models
from django.db.models import Exists, OuterRef

from mailadmin.accounts.models import Role, ScopedQuerySet, VisibleQuerySet
from mailadmin.db.compared_columns import AsColumn, have_same_collation
from mailadmin.db.fields import (
    NameField,
    mail_key,
)
from mailadmin.db.table_names import get_table_name
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
