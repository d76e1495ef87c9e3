"""Requests for a recovery link that the worker has yet to answer."""

from django.db import models
from django.utils import timezone

from mailadmin.accounts.models import MAX_DEVICE_LENGTH
from mailadmin.db.fields import CharField


class RecoveryRequest(models.Model):
    """Somebody has asked for a link for this name, whether or not there is such an account."""

    name = CharField(max_length=255)
    address = CharField(max_length=64)
    device = CharField(max_length=MAX_DEVICE_LENGTH)
    requested = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        db_table = "mailadmin_recovery_request"

    def __str__(self) -> str:
        return f"{self.address} {self.requested}"
