"""Background jobs, the keys they work on, and the workers."""

from typing import Any, Self

from django.db import models
from django.utils import timezone

from mailadmin.accounts.models import OwnedQuerySet
from mailadmin.db.fields import CharField
from mailadmin.db.translated_fields import TranslatedCharField, TranslatedPlainTextField
from mailadmin.translation import gettext_lazy as _


class JobQuerySet(OwnedQuerySet):
    def visible_to(self, principal: Any) -> Self:
        """Leave out drafts: their page is that of the confirmation."""
        return super().visible_to(principal).exclude(state=Job.State.DRAFT)


class Job(models.Model):
    """Work that outlives a request: a chain of transactions, with the progress stored."""

    class State(models.TextChoices):
        DRAFT = "draft", _("awaiting confirmation")
        WAITING = "waiting", _("waiting")
        RUNNING = "running", _("running")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")

    created = models.DateTimeField(default=timezone.now)
    finished = models.DateTimeField(null=True)
    kind = CharField(max_length=64)
    title = TranslatedCharField(max_length=255)
    owner = CharField(max_length=255)
    owner_model = CharField(max_length=64)
    owner_key = CharField(max_length=255)
    token = models.ForeignKey(
        "Token", null=True, on_delete=models.SET_NULL, db_constraint=False, related_name="+"
    )
    arguments = models.JSONField(default=dict)
    state = CharField(max_length=16, choices=State.choices, default=State.WAITING)
    done = models.PositiveIntegerField(default=0)
    total = models.PositiveIntegerField(default=0)
    message = TranslatedPlainTextField(blank=True)
    lease_until = models.DateTimeField(null=True)
    lease_holder = CharField(max_length=64, blank=True)
    # Since its last step.
    attempts = models.PositiveSmallIntegerField(default=0, db_default=0, db_column="tries")
    is_attempt_counted = False  # by the worker that holds this object

    objects = JobQuerySet.as_manager()

    class Meta:
        db_table = "mailadmin_job"
        indexes = [models.Index(fields=["state", "id"], name="mailadmin_job_state")]

    def __str__(self) -> str:
        return self.title

    @property
    def is_finished(self) -> bool:
        return self.state in (self.State.DONE, self.State.FAILED)

    @property
    def can_retry(self) -> bool:
        """Return whether the job failed, and may succeed when it is run again."""
        return self.state == self.State.FAILED and self.arguments.get("can_retry", True)


class JobKeys(models.Model):
    """The keys that one step of a job works on: a large selection is many rows, not one value."""

    job = models.ForeignKey(
        Job, on_delete=models.CASCADE, db_constraint=False, related_name="selection"
    )
    position = models.PositiveIntegerField()
    keys = models.JSONField()

    class Meta:
        db_table = "mailadmin_job_keys"
        constraints = [
            models.UniqueConstraint(fields=["job", "position"], name="mailadmin_job_keys_position")
        ]

    def __str__(self) -> str:
        return f"{self.job_id}/{self.position}"


class WorkerHeartbeat(models.Model):
    """When the worker of a machine was last seen running."""

    machine = CharField(max_length=64, primary_key=True)
    seen = models.DateTimeField()

    class Meta:
        db_table = "mailadmin_worker_sign"

    def __str__(self) -> str:
        return self.machine
