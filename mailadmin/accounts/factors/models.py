"""Passkeys and recovery codes of admins and mailbox owners."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from mailadmin.accounts.models import OwnedQuerySet, Principal, Role
from mailadmin.db.fields import CharField, NameField

CHALLENGE_SECONDS = 600  # for which a passkey can answer a challenge


class OwnedFactor(models.Model):
    """A row that belongs to an admin or a mailbox owner."""

    owner_model = CharField(max_length=64)
    owner_key = NameField()
    created = models.DateTimeField(default=timezone.now)

    objects = OwnedQuerySet.as_manager()

    class Meta:
        abstract = True


class Passkey(OwnedFactor):
    """The public key of a passkey; the private key stays with the person's device."""

    name = CharField(max_length=60)
    # A digest, since the identifier of a passkey can be too long for an index.
    digest = CharField(max_length=64, unique=True)
    credential_id = models.TextField()  # base64url
    public_key = models.TextField()  # base64url
    sign_count = models.BigIntegerField(default=0)
    transports = models.JSONField(default=list)
    last_used = models.DateTimeField(null=True)

    class Meta:
        db_table = "mailadmin_passkey"
        indexes = [models.Index(fields=["owner_key"], name="mailadmin_passkey_owner")]

    def __str__(self) -> str:
        return self.name


class RecoveryCode(OwnedFactor):
    """The hash of a code that replaces a second factor once."""

    digest = CharField(max_length=64)
    used = models.DateTimeField(null=True)

    class Meta:
        db_table = "mailadmin_recovery_code"
        indexes = [models.Index(fields=["owner_key"], name="mailadmin_recovery_owner")]

    def __str__(self) -> str:
        return self.owner_key


class UsedChallenge(models.Model):
    """A challenge that a passkey has answered; it is unique, so it cannot be answered again."""

    digest = CharField(max_length=64, primary_key=True)
    used = models.DateTimeField(db_index=True)

    class Meta:
        db_table = "mailadmin_used_challenge"

    def __str__(self) -> str:
        return self.digest


class PolicyLevel(models.TextChoices):
    OFF = "off", _("not offered")
    OFFERED = "offered", _("offered")
    REQUIRED = "required", _("required")


class RoleFactorPolicy(models.Model):
    """Whether people of a role can or must have a second factor; without a row they can."""

    role = CharField(max_length=16, primary_key=True)
    level = CharField(max_length=16, choices=PolicyLevel.choices)

    class Meta:
        db_table = "mailadmin_role_factor_policy"

    def __str__(self) -> str:
        return f"{self.role}: {self.level}"

    @classmethod
    def level_of(cls, role: Role) -> models.Subquery:
        """Return the level of a role as an expression; NULL without a row."""
        return models.Subquery(cls.objects.filter(role=role.name).values("level"))


def get_owner_columns(person: Principal) -> dict[str, str]:
    """Return the columns that name the owner of a new row."""
    return {"owner_model": person.model_label, "owner_key": person.pk}
