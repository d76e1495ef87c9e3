"""Maildirs that belong to no mailbox any more, and the runs of `mailadmin maildirs`."""

import datetime

from django.db import models
from django.utils import timezone

from domains.managers import SuperadminQuerySet
from mailadmin.db.fields import CharField, DateTimeField, NameField, SizeField, TextField
from mailadmin.db.translated_fields import TranslatedTextField
from mailadmin.translation import gettext_lazy as _


class LeftoverMaildir(models.Model):
    """The maildir of a former mailbox: where it is, or its archive. `mailadmin maildirs` writes it.

    A path that gets mail again after it was archived has another row.
    """

    class State(models.TextChoices):
        LISTED = "listed", _("Listed")
        ARCHIVING = "archiving", _("Being archived")  # the folder is not changed yet
        REMOVING = "removing", _("Being removed")  # the archive is complete
        ARCHIVED = "archived", _("Archived")
        PURGING = "purging", _("Being purged")
        PURGED = "purged", _("Purged")

    UNFINISHED_STATES = (State.ARCHIVING, State.REMOVING)
    CURRENT_STATES = (State.LISTED, *UNFINISHED_STATES)  # the folder may exist

    id = models.AutoField(primary_key=True)
    storage = CharField(_("storage"), max_length=64)
    path = TextField(_("maildir"))  # below the mail root; see `paths.escape_path`
    digest = CharField(max_length=64, db_index=True)  # of the path
    mailbox = CharField(_("mailbox"), max_length=255, default="", db_default="")
    domain_name = NameField(_("domain"), default="", db_default="")
    size = SizeField(_("size"), default=0, db_default=0)
    messages = models.PositiveIntegerField(_("messages"), default=0, db_default=0)
    first_seen = DateTimeField(_("without a mailbox since"), default=timezone.now)
    last_mail = DateTimeField(_("last mail"), null=True)
    last_change = DateTimeField(_("last change"), null=True)
    state = CharField(
        _("state"), max_length=16, choices=State.choices, default=State.LISTED, db_index=True
    )
    kept = models.BooleanField(_("kept"), default=False, db_default=False)
    archive_due = DateTimeField(_("archived on"), null=True)
    archive = CharField(_("archive"), max_length=64, default="", db_default="")
    archive_size = SizeField(_("size of the archive"), default=0, db_default=0)
    archived = DateTimeField(_("archived"), null=True)
    purge_due = DateTimeField(_("purged on"), null=True)
    purged = DateTimeField(_("purged"), null=True)
    restored = DateTimeField(_("restored"), null=True)
    problem = TranslatedTextField(_("problem"), blank=True, default="")

    objects = SuperadminQuerySet.as_manager()

    class Meta:
        db_table = "mailadmin_leftover_maildir"
        verbose_name = _("leftover maildir")
        verbose_name_plural = _("leftover maildirs")

    def __str__(self) -> str:
        return self.path

    @property
    def due(self) -> datetime.datetime | None:
        """Return when it will be archived, or its archive purged; None if it will not."""
        if self.kept:
            return None
        is_archived = self.state == self.State.ARCHIVED
        return self.purge_due if is_archived else self.archive_due if not self.purged else None


class MaildirRun(models.Model):
    """The last run of `mailadmin maildirs` on a storage, and which process has leased it."""

    STALE_AFTER = datetime.timedelta(days=3)

    id = models.AutoField(primary_key=True)
    storage = CharField(max_length=64, unique=True)
    holder = CharField(max_length=64, default="", db_default="")
    until = DateTimeField(default=timezone.now)  # of the lease
    host = CharField(max_length=64, default="", db_default="")
    started = DateTimeField(null=True)
    finished = DateTimeField(null=True)
    error = TranslatedTextField(blank=True, default="")
    # At the last scan that was not refused
    mailboxes = models.PositiveIntegerField(default=0, db_default=0)
    maildirs = models.PositiveIntegerField(default=0, db_default=0)
    scanned = DateTimeField(null=True)

    class Meta:
        db_table = "mailadmin_maildir_run"
        verbose_name = _("run on maildirs")
        verbose_name_plural = _("runs on maildirs")

    def __str__(self) -> str:
        return self.storage

    @classmethod
    def is_failed(cls) -> models.Q:
        """Return the condition of runs that failed or were interrupted, or that are overdue."""
        now = timezone.now()
        interrupted = models.Q(started__isnull=False, finished__isnull=True, until__lt=now)
        running = models.Q(started__isnull=False, finished__isnull=True, until__gte=now)
        overdue = models.Q(scanned__isnull=True) | models.Q(scanned__lt=now - cls.STALE_AFTER)
        return ~models.Q(error="") | interrupted | (overdue & ~running)

    @property
    def is_running(self) -> bool:
        return bool(self.started) and self.finished is None and self.until >= timezone.now()

    @property
    def was_interrupted(self) -> bool:
        return bool(self.started) and self.finished is None and self.until < timezone.now()

    @property
    def is_overdue(self) -> bool:
        """Return whether the last successful scan is too long ago, and none is running."""
        is_stale = self.scanned is None or self.scanned < timezone.now() - self.STALE_AFTER
        return is_stale and not self.is_running
