"""Links by which somebody sets up a device for a mailbox, without signing in."""

import datetime

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from mailadmin.db.fields import CharField, DateTimeField, NameField, UnknownDate, mail_key
from mailboxes.models.mail import Mailbox
from mailboxes.models.related import MailboxOwnedQuerySet


class DeviceLink(models.Model):
    """A link that creates one app password for a mailbox, for whoever has it."""

    id = models.AutoField(primary_key=True)
    mailbox = mail_key(Mailbox, "username", related_name="device_links", verbose_name=_("mailbox"))
    secret_hash = CharField(max_length=64, secret=True)
    created_by = NameField(_("created by"), default="", db_default="")
    created = DateTimeField(_("created"), default=timezone.now, db_default=UnknownDate())
    expires = DateTimeField(_("expires"))
    url: str  # of a link that was just created; only its hash is stored

    objects = MailboxOwnedQuerySet.as_manager()

    class Meta:
        db_table = "mailadmin_device_link"
        verbose_name = _("device link")
        verbose_name_plural = _("device links")
        indexes = [models.Index(fields=["expires"], name="mailadmin_device_link_end")]

    def __str__(self) -> str:
        return f"{self.mailbox_id} {self.pk}"

    @property
    def log_key(self) -> str:
        return str(self.mailbox_id)

    def is_open(self, now: datetime.datetime) -> bool:
        return self.expires > now
