"""Messages that admins send to many mailboxes."""

from django.db import models
from django.utils import timezone

from mailadmin.accounts.models import OwnedQuerySet
from mailadmin.db.fields import CharField, TextField
from mailadmin.translation import gettext_lazy as _


class Broadcast(models.Model):
    """A message to the mailboxes of domains, or to single ones. Its mails refer to it."""

    created = models.DateTimeField(default=timezone.now)
    owner = CharField(max_length=255)
    owner_model = CharField(max_length=64)
    owner_key = CharField(max_length=255)
    subject = CharField(max_length=255)
    text = TextField()
    domains = models.JSONField(default=list)  # empty: all of the sender's
    addresses = models.JSONField(default=list)  # empty: all mailboxes of the domains
    has_aliases = models.BooleanField(default=False)
    total = models.PositiveIntegerField(default=0)  # recipients as they were counted at first
    # What was queued last: whether a mailbox (0) or an alias (1), and its address
    part = models.PositiveSmallIntegerField(default=0)
    position = CharField(max_length=255, default="")
    is_complete = models.BooleanField(default=False)  # all have been queued
    stopped = models.DateTimeField(null=True)

    objects = OwnedQuerySet.as_manager()

    class Meta:
        db_table = "mailadmin_broadcast"
        verbose_name = _("message to users")
        verbose_name_plural = _("messages to users")

    def __str__(self) -> str:
        return self.subject
