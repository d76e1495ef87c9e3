"""What scripts and webhooks are told, in the order in which it happened."""

import datetime

from django.db import models
from django.utils import timezone

from mailadmin.accounts.models import VisibleQuerySet
from mailadmin.db.fields import CharField, TextField
from mailadmin.jobs.queued_rows import QueuedRow
from mailadmin.translation import gettext_lazy as _


class HookDelivery(QueuedRow):
    """One event for one script or webhook. It is written in the transaction that it is about."""

    held_state = "running"
    lease_duration = datetime.timedelta(hours=2)  # longer than a script may take

    class State(models.TextChoices):
        WAITING = "waiting", _("waiting")
        RUNNING = "running", _("running")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")

    created = models.DateTimeField(default=timezone.now)
    event = CharField(max_length=64)
    key = CharField(max_length=255)
    target = CharField(max_length=255)  # the setting of a script, or the URL of a webhook
    arguments = models.JSONField(default=list)  # of a script
    body = TextField(default="")  # of a request
    sealed_input = TextField(blank=True, default="", secret=True)  # empty once it is finished
    state = CharField(max_length=16, choices=State.choices, default=State.WAITING)
    code = models.IntegerField(null=True)  # the exit status, or the status of the response
    output = TextField(blank=True, default="")

    objects = VisibleQuerySet.as_manager()

    class Meta:
        db_table = "mailadmin_hook_delivery"
        indexes = [
            models.Index(fields=["state", "due"], name="mailadmin_hook_due"),
            models.Index(fields=["state", "finished"], name="mailadmin_hook_finished"),
        ]

    def __str__(self) -> str:
        return f"{self.event} {self.key}"

    @property
    def is_script(self) -> bool:
        return not self.body
