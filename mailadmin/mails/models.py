"""Mails that wait, are being sent, or were sent lately; the languages of their readers."""

from django.db import models
from django.utils import timezone

from mailadmin import registry
from mailadmin.accounts.models import VisibleQuerySet
from mailadmin.db.fields import CharField, TextField, mail_key
from mailadmin.db.translated_fields import TranslatedPlainTextField
from mailadmin.jobs.queued_rows import QueuedRow
from mailadmin.tables.actions import Text
from mailadmin.translation import gettext_lazy as _


class OutgoingMail(QueuedRow):
    """A mail of the panel. It is written in the transaction that it is about, and sent later."""

    held_state = "sending"

    class State(models.TextChoices):
        WAITING = "waiting", _("waiting")
        SENDING = "sending", _("being sent")
        SENT = "sent", _("sent")
        FAILED = "failed", _("not delivered")

    created = models.DateTimeField(default=timezone.now)
    kind = CharField(max_length=64)
    recipient = CharField(max_length=255, db_index=True)
    sender = CharField(max_length=255)
    language = CharField(max_length=16)
    # Of the account that the mail is about, whose admins may see it; none for those of admins.
    domain = mail_key("domains.Domain", "domain", null=True, related_name="+")
    message_id = CharField(max_length=255)
    # What mails have in common that belong together
    batch = CharField(max_length=64, blank=True, default="", db_default="", db_index=True)
    sealed_values = TextField(blank=True, default="", secret=True)  # empty once it is finished
    state = CharField(max_length=16, choices=State.choices, default=State.WAITING)
    error = TranslatedPlainTextField(blank=True, default="")

    objects = VisibleQuerySet.as_manager()

    class Meta:
        db_table = "mailadmin_outgoing_mail"
        indexes = [
            models.Index(fields=["state", "due"], name="mailadmin_mail_due"),
            models.Index(fields=["state", "finished"], name="mailadmin_mail_finished"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.recipient}"

    @property
    def kind_label(self) -> Text:
        """Return what pages call mails of this kind."""
        kind = registry.mail_kinds.get(self.kind)
        return kind.label if kind else self.kind


class ReaderLanguage(models.Model):
    """The language in which an account last used the panel; the key is a hash of the account."""

    account = CharField(max_length=64, primary_key=True)
    language = CharField(max_length=16)
    used = models.DateTimeField(db_index=True)

    class Meta:
        db_table = "mailadmin_reader_language"

    def __str__(self) -> str:
        return f"{self.account} {self.language}"
