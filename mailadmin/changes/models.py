"""PostfixAdmin's log and the change records."""

import uuid
from typing import Any, Self

from django.db import models
from django.db.models import Func, Q
from django.db.models.sql.compiler import SQLCompiler
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from mailadmin.accounts.models import Role, ScopedQuerySet
from mailadmin.db.fields import (
    CharField,
    DateTimeField,
    Latin1CharField,
    Latin1TextField,
    NameField,
    UnknownDate,
    mail_key,
)
from mailadmin.db.indexes import PrefixIndex
from mailadmin.db.table_names import get_table_name


class UnindexedValue(Func):
    """A column's value, in a comparison for which MySQL must not choose an index.

    For the lines since a moment MySQL would use that index and sort all of them, instead of reading
    the last ones in order.
    """

    template = "%(expressions)s"

    def as_mysql(self, compiler: SQLCompiler, connection: Any) -> tuple[str, Any]:
        template = self.template if connection.mysql_is_mariadb else "COALESCE(%(expressions)s)"
        return self.as_sql(compiler, connection, template=template)


class LogQuerySet(ScopedQuerySet):
    def visible_to(self, principal: Any) -> Self:
        """Return the lines in scope; an admin sees none from before their domain was created.

        A domain that was deleted and made again has a new customer, who must not see what was
        before.
        """
        lines = super().visible_to(principal)
        if getattr(principal, "role", None) != Role.ADMIN:
            return lines
        return lines.filter(
            Q(domain__created__isnull=True) | Q(domain__created__lte=UnindexedValue("timestamp"))
        )


class Log(models.Model):
    """A line of PostfixAdmin's log: who did what to which row."""

    id = models.AutoField(primary_key=True)
    timestamp = DateTimeField(_("time"), default=timezone.now, db_default=UnknownDate())
    username = Latin1CharField(_("by"), max_length=255)
    domain = mail_key(
        "domains.Domain",
        "domain",
        on_delete=models.DO_NOTHING,
        db_index=False,
        verbose_name=_("domain"),
    )
    action = NameField(_("action"))
    data = Latin1TextField(_("object"))

    actor: str  # who did it, as the reader may see it: set by `add_actors`

    objects = LogQuerySet.as_manager()

    class Meta:
        db_table = get_table_name("log")
        verbose_name = _("log entry")
        verbose_name_plural = _("log")
        indexes = [
            models.Index(fields=["timestamp"], name="mailadmin_log_time"),
            models.Index(fields=["domain", "timestamp"], name="mailadmin_log_domain_time"),
            models.Index(fields=["action", "timestamp"], name="mailadmin_log_action_time"),
            models.Index(fields=["username", "timestamp"], name="mailadmin_log_name_time"),
            models.Index(fields=["domain", "action", "timestamp"], name="mailadmin_log_domain_act"),
            PrefixIndex(field="data", length=64, name="mailadmin_log_data"),
        ]

    def __str__(self) -> str:
        return f"{self.timestamp} {self.username} {self.action} {self.data}"


class Change(models.Model):
    """The change of one row: the values before and after, without secrets."""

    at = DateTimeField()
    actor = CharField(max_length=255)
    batch = models.UUIDField(default=uuid.uuid4)
    verb = CharField(max_length=40)
    table = CharField(max_length=64)
    key = CharField(max_length=255)
    domain = CharField(max_length=255, blank=True)
    values = models.JSONField(default=dict)

    class Meta:
        db_table = "mailadmin_change"
        indexes = [
            models.Index(fields=["at", "key"], name="mailadmin_change_at_key"),
            models.Index(fields=["domain", "at"], name="mailadmin_change_domain"),
            models.Index(fields=["batch"], name="mailadmin_change_batch"),
        ]

    def __str__(self) -> str:
        return f"{self.at} {self.actor} {self.verb} {self.table} {self.key}"


class ChangeSecret(models.Model):
    """The values of a deleted row, to restore it; shown nowhere, gone after MAILADMIN_UNDO_DAYS."""

    at = DateTimeField(db_index=True)
    batch = models.UUIDField()
    table = CharField(max_length=64)
    key = CharField(max_length=255)
    row = models.JSONField()

    class Meta:
        db_table = "mailadmin_change_secret"
        indexes = [models.Index(fields=["batch"], name="mailadmin_secret_batch")]

    def __str__(self) -> str:
        return f"{self.table} {self.key}"
