"""API tokens, their rate counters, and stored responses."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from mailadmin.accounts.models import Role, ScopedQuerySet
from mailadmin.db.fields import CharField, mail_key


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
