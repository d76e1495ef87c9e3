"""Roles, scope, the principals who sign in, and the counters of their attempts."""

import datetime
import enum
import functools
from typing import Any, Self, TypeVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext_lazy as _

from mailadmin import passwords
from mailadmin.db.compiled import CompiledQuery
from mailadmin.db.fields import (
    CharField,
    DateTimeField,
    Latin1CharField,
    UnknownDate,
    is_known_date,
)
from mailadmin.names import hash_account

MAX_DEVICE_LENGTH = 120


class Role(enum.Flag):
    MAILBOX = enum.auto()
    ADMIN = enum.auto()
    SUPERADMIN = enum.auto()
    ADMINS = ADMIN | SUPERADMIN
    ANYONE = MAILBOX | ADMINS


class VisibleQuerySet(models.QuerySet):
    """Rows that know which principal may see them; an unknown principal sees none."""

    domain_lookup = "domain"
    owner_lookup: str | None = None

    def visible_to(self, principal: Any) -> Self:
        """Return the rows in the scope of this principal."""
        match getattr(principal, "role", None):
            case Role.SUPERADMIN:
                return self.all()
            case Role.ADMIN:
                return self.filter(**{f"{self.domain_lookup}__in": principal.managed_domains()})
            case Role.MAILBOX if self.owner_lookup:
                return self.filter(**{self.owner_lookup: principal.pk})
            case _:
                return self.none()


class ScopedQuerySet(VisibleQuerySet):
    """Rows of users' tables: `perform` checks that they stay in scope and records their changes."""


class OwnedQuerySet(models.QuerySet):
    """Rows that belong to who made them, named by `owner_model` and `owner_key`."""

    def visible_to(self, principal: Any) -> Self:
        """Return all rows for a superadmin, their own for anybody else."""
        return self.all() if principal.role is Role.SUPERADMIN else self.owned_by(principal)

    def owned_by(self, principal: Any) -> Self:
        """Leave out older rows: they belong to an earlier person of the same name."""
        owned = {"owner_model": principal.model_label, "owner_key": principal.pk}
        if is_known_date(principal.created):
            owned["created__gte"] = principal.created
        return self.filter(**owned)


P = TypeVar("P", bound="Principal")


class PrincipalManager(BaseUserManager[P]):
    def get_by_natural_key(self, username: str | None) -> P:
        return self.get(username=(username or "").strip().lower())


class Principal(AbstractBaseUser):
    """Somebody who signs in: an admin or the owner of a mailbox."""

    username: Any
    active: Any
    created: Any
    has_saved_filters = True  # unless the query that loaded the row has looked
    reader_language: str | None = None  # unless the query that loaded the row has looked
    password_request: str | None = None  # unless the query that loaded the row has looked
    invitation_link = ""  # of an invitation that was just sent, for who hands it over
    has_passkeys: bool
    factor_policy: str
    last_login = None
    password = Latin1CharField(_("password"), max_length=255, secret=True)
    phone = CharField(max_length=30, blank=True, default="", db_default="", editable=False)
    email_other = CharField(max_length=255, blank=True, default="", db_default="", editable=False)
    token = CharField(
        max_length=255, blank=True, default="", db_default="", secret=True, editable=False
    )
    form_choices: dict[type, Any] | None = None  # what the forms of one request share
    token_validity = DateTimeField(default=timezone.now, db_default=UnknownDate(), editable=False)
    totp_secret = CharField(max_length=255, null=True, blank=True, secret=True, editable=False)  # noqa: DJ001 (PostfixAdmin tests "IS NULL")

    USERNAME_FIELD = "username"
    REQUIRED_FIELDS = []

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.username

    @property
    def role(self) -> Role:
        raise NotImplementedError

    @property
    def is_active(self) -> bool:  # type: ignore[override]  # read only: other code sets `active`
        return self.active

    @property
    def model_label(self) -> str:
        """Return the label of the model; with the key it names the owner of a job or token."""
        return self._meta.label

    @property
    def account_key(self) -> str:
        """Return the key of the account in tables that name people by a hash alone."""
        return hash_account(self.model_label, self.pk)

    def reload(self) -> Self | None:
        """Return the principal with their current rights; None if they have none any more."""
        return active_principal_query(type(self)).first(key=self.pk)

    def check_password(self, raw_password: str | None) -> bool:
        return raw_password is not None and passwords.verify(
            raw_password, self.password, self.username
        )

    def check_password_in_constant_time(self, raw_password: str) -> bool:
        """Check the password in the time that it takes for everybody."""
        return passwords.verify_in_constant_time(raw_password, self.password, self.username)

    def set_password(self, raw_password: str | None) -> None:
        if raw_password is None:
            self.set_unusable_password()
        else:
            self.password = passwords.make_hash(raw_password, self.username)

    def password_has_expired(self) -> bool:
        return False

    def is_password_requested(self) -> bool:
        """Return whether an admin has requested a new password and the old one is still stored."""
        return self.password_request == PasswordRequest.digest_of(self.password)

    def find_recovery_address_problem(self, address: str) -> Any:
        """Return why links that set a new password must not be sent there; empty if they may."""
        raise NotImplementedError

    @classmethod
    def build_factor_policy(cls) -> models.expressions.Combinable:
        """Return an expression: whether a second factor is off, offered or required."""
        raise NotImplementedError

    def get_session_auth_hash(self) -> str:
        """Return a hash of the password and of the time at which all sessions were ended last."""
        ended = self.get_sessions_ended()
        return super().get_session_auth_hash() + (f" {ended.isoformat()}" if ended else "")

    def get_sessions_ended(self) -> datetime.datetime | None:
        """Return when all sessions of this principal were ended; None if they never were."""
        if "sessions_ended" not in vars(self):
            key = self.account_key
            self.sessions_ended = SessionEpoch.ended_at_queryset(key).first()
        return self.sessions_ended

    def forget_sessions_ended(self) -> None:
        """Have the database asked again when the sessions were ended."""
        vars(self).pop("sessions_ended", None)


@functools.cache
def active_principal_query(model: Any) -> CompiledQuery:
    """Return the compiled query of an active principal of this model, by key."""
    return CompiledQuery(lambda key: model._base_manager.filter(pk=key, active=True))


class LoginFailure(models.Model):
    """Failed logins of an account or a network within the current window."""

    key = CharField(max_length=255, primary_key=True)
    failures = models.PositiveIntegerField(default=0)
    since = models.DateTimeField()

    class Meta:
        db_table = "mailadmin_login_failure"

    def __str__(self) -> str:
        return self.key


class KnownNetwork(models.Model):
    """A network from which an account was used before; the key is a hash of both."""

    key = CharField(max_length=64, primary_key=True)
    seen = models.DateTimeField(db_index=True)

    class Meta:
        db_table = "mailadmin_known_network"

    def __str__(self) -> str:
        return self.key


class SessionEpoch(models.Model):
    """When all sessions of a principal ended; a session that began before is not valid."""

    key = CharField(max_length=64, primary_key=True)
    at = models.DateTimeField(db_index=True)

    class Meta:
        db_table = "mailadmin_session_epoch"

    def __str__(self) -> str:
        return self.key

    @classmethod
    def ended_at_queryset(cls, key: str) -> models.QuerySet:
        return cls.objects.filter(pk=key).values_list("at", flat=True)


class PasswordRequest(models.Model):
    """An admin's request to set a new password; it is open while the password stays the same."""

    key = CharField(max_length=64, primary_key=True)
    digest = CharField(max_length=64)
    at = models.DateTimeField(db_index=True)

    class Meta:
        db_table = "mailadmin_password_request"

    def __str__(self) -> str:
        return self.key

    @staticmethod
    def digest_of(stored: str) -> str:
        """Return a digest of a stored password, keyed so that it tells nothing about it."""
        return salted_hmac("mailadmin.password_request", stored, algorithm="sha256").hexdigest()


class SignedInSession(models.Model):
    """A session of somebody who signed in by the pages, as their list of sessions shows it."""

    account = CharField(max_length=64, db_index=True)
    session_key = CharField(max_length=40)
    password_digest = CharField(max_length=16)
    device = CharField(max_length=MAX_DEVICE_LENGTH)
    address = CharField(max_length=64)
    since = models.DateTimeField()
    seen = models.DateTimeField(db_index=True)

    class Meta:
        db_table = "mailadmin_signed_in_session"

    def __str__(self) -> str:
        return f"{self.device} {self.address}"


class UsedCode(models.Model):
    """A one-time code that was used; it is unique, so it cannot be used again."""

    key = CharField(max_length=255)
    step = models.BigIntegerField()

    class Meta:
        db_table = "mailadmin_used_code"
        constraints = [models.UniqueConstraint(fields=["key", "step"], name="mailadmin_code_once")]

    def __str__(self) -> str:
        return self.key


@functools.cache
def is_scoped_model(model: type[models.Model]) -> bool:
    """Return whether rows of this table belong to users, not to the panel or the mail server."""
    return isinstance(model._default_manager.none(), ScopedQuerySet)


def is_later_namesake(principal: Any, made: datetime.datetime) -> bool:
    """Return whether what was made then belongs to an earlier person of this name."""
    return is_known_date(principal.created) and principal.created > made


def visible_rows(model: type[models.Model], principal: Any) -> models.QuerySet[Any]:
    """Return the rows of a scoped model that this principal may see."""
    manager: Any = model._default_manager
    return manager.visible_to(principal)
