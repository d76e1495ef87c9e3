"""What all tables share: roles and scope, people, the log and the change record."""

import enum
import uuid

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models
from django.db.models import Func, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from mailadmin import passwords
from mailadmin.db.fields import (
    CharField,
    DateTimeField,
    Latin1CharField,
    Latin1TextField,
    NameField,
    Unknown,
    mail_key,
)
from mailadmin.names import account_key


def table(name):
    """The name of a table of PostfixAdmin's in this database."""
    return settings.MAILADMIN_TABLE_PREFIX + name


class Role(enum.Flag):
    MAILBOX = enum.auto()
    ADMIN = enum.auto()
    SUPERADMIN = enum.auto()
    ADMINS = ADMIN | SUPERADMIN
    ANYONE = MAILBOX | ADMINS


class ScopedQuerySet(models.QuerySet):
    """Rows that know who may see them; an unknown person sees none."""

    domain_lookup = "domain"
    owner_lookup = None

    def visible_to(self, principal):
        match getattr(principal, "role", None):
            case Role.SUPERADMIN:
                return self.all()
            case Role.ADMIN:
                return self.filter(**{f"{self.domain_lookup}__in": principal.managed_domains()})
            case Role.MAILBOX if self.owner_lookup:
                return self.filter(**{self.owner_lookup: principal.pk})
            case _:
                return self.none()


class Record(models.Model):
    """A row that knows when it was made and changed, and whether it is in force."""

    created = DateTimeField(
        _("created"), default=timezone.now, db_default=Unknown(), editable=False
    )
    modified = DateTimeField(
        _("modified"), default=timezone.now, db_default=Unknown(), editable=False
    )
    active = models.BooleanField(_("active"), default=True, db_default=True)

    class Meta:
        abstract = True


class PrincipalManager(BaseUserManager):
    def get_by_natural_key(self, username):
        return self.get(username=username.strip().lower())


class Principal(AbstractBaseUser):
    """Somebody who signs in: an admin or the owner of a mailbox."""

    last_login = None
    password = Latin1CharField(_("password"), max_length=255, secret=True)
    phone = CharField(max_length=30, blank=True, default="", db_default="", editable=False)
    email_other = CharField(max_length=255, blank=True, default="", db_default="", editable=False)
    token = CharField(
        max_length=255, blank=True, default="", db_default="", secret=True, editable=False
    )
    choices = None  # of forms, that a principal of one request remembers
    token_validity = DateTimeField(default=timezone.now, db_default=Unknown(), editable=False)
    totp_secret = CharField(max_length=255, null=True, blank=True, secret=True, editable=False)  # noqa: DJ001 (PostfixAdmin asks "IS NULL")

    USERNAME_FIELD = "username"
    REQUIRED_FIELDS = []

    class Meta:
        abstract = True

    def __str__(self):
        return self.username

    @property
    def is_active(self):
        return self.active

    @property
    def model_label(self):
        """Which table this is a row of; what somebody owns names him by it and his key."""
        return self._meta.label

    def at_present(self):
        """The same person with the rights of this moment; None who has none any more."""
        return self._meta.model._base_manager.filter(pk=self.pk, active=True).first()

    def check_password(self, raw_password):
        return passwords.verify(raw_password, self.password, self.username)

    def check_password_evenly(self, raw_password):
        """The same in the time that it takes for everybody."""
        return passwords.verify_evenly(raw_password, self.password, self.username)

    def set_password(self, raw_password):
        self.password = passwords.make(raw_password, self.username)

    def password_has_expired(self):
        return False

    def get_session_auth_hash(self):
        """What a session is valid for: this password, and no end of all sessions since it began."""
        ended = self.sessions_ended_at()
        return super().get_session_auth_hash() + (f" {ended.isoformat()}" if ended else "")

    def sessions_ended_at(self):
        """When all sessions of this person were ended, if they were."""
        if "sessions_ended" not in vars(self):
            key = SessionEpoch.key_of(self)
            self.sessions_ended = SessionEpoch.moments(key).first()
        return self.sessions_ended


class UnindexedValue(Func):
    """A column's value, in a comparison for which MySQL shall not choose an index.

    Of the lines since a moment it would sort all, and not read the last ones in their order.
    """

    template = "%(expressions)s"

    def as_mysql(self, compiler, connection):
        template = self.template if connection.mysql_is_mariadb else "COALESCE(%(expressions)s)"
        return self.as_sql(compiler, connection, template=template)


class LogQuerySet(ScopedQuerySet):
    def visible_to(self, principal):
        """A domain that was made again has a new customer: what was before is not his."""
        lines = super().visible_to(principal)
        if getattr(principal, "role", None) != Role.ADMIN:
            return lines
        return lines.filter(
            Q(domain__created__isnull=True) | Q(domain__created__lte=UnindexedValue("timestamp"))
        )


class Log(models.Model):
    """PostfixAdmin's log: who did what to which row."""

    id = models.AutoField(primary_key=True)
    timestamp = DateTimeField(_("time"), default=timezone.now, db_default=Unknown())
    username = Latin1CharField(_("by"), max_length=255)
    domain = mail_key(
        "domains.Domain",
        "domain",
        on_delete=models.DO_NOTHING,
        db_index=False,
        verbose_name=_("domain"),
    )
    action = NameField(_("action"))
    data = Latin1TextField(_("what"))

    objects = LogQuerySet.as_manager()

    class Meta:
        db_table = table("log")
        verbose_name = _("log line")
        verbose_name_plural = _("log")
        indexes = [
            models.Index(fields=["timestamp"], name="mailadmin_log_time"),
            models.Index(fields=["domain", "timestamp"], name="mailadmin_log_domain_time"),
            models.Index(fields=["action", "timestamp"], name="mailadmin_log_action_time"),
            models.Index(fields=["username", "timestamp"], name="mailadmin_log_name_time"),
            models.Index(fields=["domain", "action", "timestamp"], name="mailadmin_log_domain_act"),
        ]

    def __str__(self):
        return f"{self.timestamp} {self.username} {self.action} {self.data}"


class Change(models.Model):
    """One row's change: what it was and what it is, without secrets."""

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

    def __str__(self):
        return f"{self.at} {self.actor} {self.verb} {self.table} {self.key}"


class ChangeSecret(models.Model):
    """What it takes to bring a deleted row back; shown nowhere, gone after MAILADMIN_UNDO_DAYS."""

    at = DateTimeField(db_index=True)
    batch = models.UUIDField()
    table = CharField(max_length=64)
    key = CharField(max_length=255)
    row = models.JSONField()

    class Meta:
        db_table = "mailadmin_change_secret"
        indexes = [models.Index(fields=["batch"], name="mailadmin_secret_batch")]

    def __str__(self):
        return f"{self.table} {self.key}"


class LoginFailure(models.Model):
    """Failed logins of a name or a network within the present window."""

    key = CharField(max_length=255, primary_key=True)
    failures = models.PositiveIntegerField(default=0)
    since = models.DateTimeField()

    class Meta:
        db_table = "mailadmin_login_failure"

    def __str__(self):
        return self.key


class KnownNetwork(models.Model):
    """A network from which somebody has signed in before; the key is a hash of both."""

    key = CharField(max_length=64, primary_key=True)
    seen = models.DateTimeField(db_index=True)

    class Meta:
        db_table = "mailadmin_known_network"

    def __str__(self):
        return self.key


class SessionEpoch(models.Model):
    """When all sessions of a person ended; a session that began before is not valid."""

    key = CharField(max_length=64, primary_key=True)
    at = models.DateTimeField(db_index=True)

    class Meta:
        db_table = "mailadmin_session_epoch"

    def __str__(self):
        return self.key

    @staticmethod
    def key_of(person) -> str:
        return account_key(person.model_label, person.pk)

    @classmethod
    def moments(cls, key):
        return cls.objects.filter(pk=key).values_list("at", flat=True)


class UsedCode(models.Model):
    """A one-time code that has opened the door once; unique, so it opens it never again."""

    key = CharField(max_length=255)
    step = models.BigIntegerField()

    class Meta:
        db_table = "mailadmin_used_code"
        constraints = [models.UniqueConstraint(fields=["key", "step"], name="mailadmin_code_once")]

    def __str__(self):
        return self.key


class Job(models.Model):
    """Work that outlives a request: a chain of performs with its progress kept."""

    class State(models.TextChoices):
        DRAFT = "draft", _("to be confirmed")
        WAITING = "waiting", _("waiting")
        RUNNING = "running", _("running")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")

    created = models.DateTimeField(default=timezone.now)
    finished = models.DateTimeField(null=True)
    kind = CharField(max_length=64)
    title = CharField(max_length=255)
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
    message = models.TextField(blank=True)
    lease_until = models.DateTimeField(null=True)
    lease_holder = CharField(max_length=64, blank=True)
    tries = models.PositiveSmallIntegerField(default=0, db_default=0)  # since its last step

    class Meta:
        db_table = "mailadmin_job"
        indexes = [models.Index(fields=["state", "id"], name="mailadmin_job_state")]

    def __str__(self):
        return self.title

    @property
    def is_over(self):
        return self.state in (self.State.DONE, self.State.FAILED)


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

    def __str__(self):
        return f"{self.job_id}/{self.position}"


class TokenQuerySet(ScopedQuerySet):
    def visible_to(self, principal):
        """Everybody has his own; superadmins see all, to take one back."""
        match getattr(principal, "role", None):
            case Role.SUPERADMIN:
                return self.all()
            case Role.ADMIN:
                return self.filter(owner=principal.pk)
            case _:
                return self.none()


class Token(models.Model):
    """What a program shows in its owner's place; only a hash of it is kept.

    Empty lists limit nothing: all tables, verbs, domains and networks that are its owner's.
    """

    owner = mail_key("domains.Admin", "owner", related_name="tokens", verbose_name=_("owner"))
    name = CharField(_("name"), max_length=100)
    hint = CharField(_("begins with"), max_length=24)
    digest = CharField(max_length=64, unique=True, secret=True)
    tables = models.JSONField(_("tables"), default=list)
    verbs = models.JSONField(_("rights"), default=list)
    domains = models.JSONField(_("domains"), default=list)
    networks = models.JSONField(_("networks"), default=list)
    created = models.DateTimeField(_("created"), default=timezone.now)
    expires = models.DateTimeField(_("expires"), null=True)
    last_used = models.DateTimeField(_("last used"), null=True)
    last_address = CharField(max_length=64, blank=True, default="")

    objects = TokenQuerySet.as_manager()

    class Meta:
        db_table = "mailadmin_token"
        verbose_name = _("token")
        verbose_name_plural = _("tokens")

    def __str__(self):
        return self.name

    @property
    def log_key(self):
        return f"{self.owner_id} {self.name}"

    @property
    def is_over(self):
        return self.expires is not None and self.expires <= timezone.now()


class RequestCount(models.Model):
    """API requests of one person in the current minute, whichever of their tokens sent them."""

    owner = CharField(max_length=255, primary_key=True)
    window_start = models.DateTimeField()
    requests = models.PositiveIntegerField(default=0)

    class Meta:
        db_table = "mailadmin_request_count"

    def __str__(self):
        return self.owner


class Answer(models.Model):
    """What a request with an Idempotency-Key was answered, for whoever sends it again."""

    token = models.ForeignKey(Token, on_delete=models.CASCADE, db_constraint=False)
    key = CharField(max_length=64)
    digest = CharField(max_length=64)
    body = models.JSONField(null=True)
    at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        db_table = "mailadmin_answer"
        constraints = [
            models.UniqueConstraint(fields=["token", "key"], name="mailadmin_answer_once")
        ]

    def __str__(self):
        return self.key


class WorkerSign(models.Model):
    """When the worker of a machine was last seen at work, or waiting for it."""

    machine = CharField(max_length=64, primary_key=True)
    seen = models.DateTimeField()

    class Meta:
        db_table = "mailadmin_worker_sign"

    def __str__(self):
        return self.machine
