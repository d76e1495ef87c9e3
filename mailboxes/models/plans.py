"""Plans of imports: what each row would change, and how far it has been applied."""

import uuid
from typing import Any, Self

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from mailadmin.accounts.models import OwnedQuerySet
from mailadmin.db.fields import CharField, DateTimeField, NameField
from mailadmin.db.translated_fields import TranslatedCharField, TranslatedTextField
from mailadmin.translation import decode_text


class PlanQuerySet(OwnedQuerySet):
    def owned_by(self, principal: Any) -> Self:
        """Leave out plans that they made as a superadmin."""
        return super().owned_by(principal).filter(of_superadmin=False)


class Plan(models.Model):
    """An import: read, reviewed, applied, perhaps undone."""

    class State(models.TextChoices):
        READING = "reading", _("reading")
        READY = "ready", _("ready for review")
        APPLYING = "applying", _("applying")
        STOPPED = "stopped", _("stopped")
        APPLIED = "applied", _("applied")
        RETURNING = "returning", _("undoing")
        RETURNED = "returned", _("undone")
        FAILED = "failed", _("reading failed")
        DISCARDED = "discarded", _("discarded")

    created = DateTimeField(default=timezone.now)
    format = NameField(max_length=20)
    source = CharField(max_length=255)
    options = models.JSONField(default=dict)
    owner = CharField(max_length=255)
    owner_model = CharField(max_length=64)
    owner_key = CharField(max_length=255)
    of_superadmin = models.BooleanField(default=False)
    state = CharField(max_length=16, choices=State.choices, default=State.READING)
    batch = models.UUIDField(default=uuid.uuid4)
    losses = models.JSONField(default=list)
    trouble = TranslatedTextField(blank=True, default="")
    is_returning = models.BooleanField(default=False)  # undoing has begun: not applied again
    job = models.BigIntegerField(null=True)  # the job that continues it, if any

    objects = PlanQuerySet.as_manager()

    class Meta:
        db_table = "mailadmin_plan"
        verbose_name = _("import")
        verbose_name_plural = _("imports")

    def __str__(self) -> str:
        return f"{self.format} {self.source}"

    @property
    def notes(self) -> list[dict[str, Any]]:
        """Return the notes on data of the source that is not imported, in the active language."""
        return [
            note
            | {
                "text": decode_text(note["text"]),
                "places": [decode_text(place) for place in note["places"]],
            }
            for note in self.losses
        ]


class PlanRow(models.Model):
    """One row of the source, and what is done with it."""

    class Verb(models.TextChoices):
        NEW = "new", _("new")
        CHANGED = "changed", _("changed")
        SAME = "same", _("unchanged")
        REFUSED = "refused", _("rejected")

    plan = models.ForeignKey(
        Plan, on_delete=models.CASCADE, db_constraint=False, related_name="rows", db_index=False
    )
    stage = models.PositiveSmallIntegerField()  # domains come before what is in them
    kind = NameField(max_length=20)
    key = CharField(max_length=255)  # case-folded, as the database compares it
    place = TranslatedCharField(max_length=255)
    verb = NameField(max_length=8, choices=Verb.choices)
    # As the services take them, secrets too; once applied, the previous values of the row.
    values = models.JSONField(default=dict)
    differences = models.JSONField(default=list)  # (column, old, new), without secrets
    digest = NameField(max_length=32, blank=True, default="")  # of the row as it was read
    is_done = models.BooleanField(default=False)  # or nothing was to do
    done = DateTimeField(null=True)
    reason = TranslatedTextField(blank=True, default="")

    class Meta:
        db_table = "mailadmin_plan_row"
        indexes = [
            models.Index(fields=["plan", "is_done", "stage", "id"], name="mailadmin_plan_next"),
            models.Index(fields=["plan", "verb", "stage", "id"], name="mailadmin_plan_verb"),
            models.Index(fields=["plan", "kind", "key"], name="mailadmin_plan_key"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"


class UploadPiece(models.Model):
    """A piece of an uploaded file, encrypted: it may hold passwords in plain text."""

    plan = models.ForeignKey(
        Plan, on_delete=models.CASCADE, db_constraint=False, related_name="pieces"
    )
    sealed = models.BinaryField()

    class Meta:
        db_table = "mailadmin_upload_piece"

    def __str__(self) -> str:
        return f"{self.plan_id}/{self.pk}"
