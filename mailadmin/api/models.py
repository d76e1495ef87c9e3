"""API tokens, their rate counters, and stored responses."""

from typing import Any, Self

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from mailadmin.accounts.models import Role, ScopedQuerySet
from mailadmin.db.fields import CharField, mail_key


class TokenQuerySet(ScopedQuerySet):
    def visible_to(self, principal: Any) -> Self:
        """Return the principal's own tokens; superadmins see all, to revoke them."""
        match getattr(principal, "role", None):
            case Role.SUPERADMIN:
                return self.all()
            case Role.ADMIN:
                return self.filter(owner=principal.pk)
            case _:
                return self.none()


class Token(models.Model):
    """A secret with which a program acts for its owner; only its hash is stored.

    An empty list is no limit: all tables, verbs, domains or networks of the owner.
    """

    owner = mail_key("domains.Admin", "owner", related_name="tokens", verbose_name=_("owner"))
    name = CharField(_("name"), max_length=100)
    hint = CharField(_("prefix"), max_length=24)
    digest = CharField(max_length=64, unique=True, secret=True)
    tables = models.JSONField(_("tables"), default=list)
    verbs = models.JSONField(_("permissions"), default=list)
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

    def __str__(self) -> str:
        return self.name

    @property
    def log_key(self) -> str:
        """Return what the log calls this token."""
        return f"{self.owner_id} {self.name}"

    @property
    def is_expired(self) -> bool:
        """Return whether the token has expired."""
        return self.expires is not None and self.expires <= timezone.now()


class RequestCount(models.Model):
    """API requests of one person in the current minute, with any of their tokens."""

    owner = CharField(max_length=255, primary_key=True)
    window_start = models.DateTimeField()
    requests = models.PositiveIntegerField(default=0)

    class Meta:
        db_table = "mailadmin_request_count"

    def __str__(self) -> str:
        return self.owner


class StoredResponse(models.Model):
    """The response to a request with an Idempotency-Key, for the same request sent again."""

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

    def __str__(self) -> str:
        return self.key
