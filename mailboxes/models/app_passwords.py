"""App passwords: one for each mail program, with limits that Dovecot honours."""

from typing import Any, ClassVar, Self

from django.db import models
from django.db.models import Count, Exists, Max, OuterRef
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from domains.models import Domain
from mailadmin.accounts.models import Role, ScopedQuerySet, VisibleQuerySet
from mailadmin.db.fields import CharField, DateTimeField, NameField, UnknownDate, mail_key
from mailadmin.db.table_names import get_table_name
from mailboxes.models.mail import Mailbox
from mailboxes.models.related import MailboxOwnedQuerySet

# How hashes of passwords begin that the panel has generated. They are long and random, so a fast
# hash is as safe as a slow one, and Dovecot finds the row of a password by its hash.
GENERATED_PREFIX = "{MAILADMIN}"
MAX_NETWORKS_LENGTH = 1000


class AppPasswordQuerySet(MailboxOwnedQuerySet):
    def salted(self) -> Self:
        """Select those that the panel has not generated: PostfixAdmin's, with salted hashes."""
        return self.exclude(password_hash__startswith=GENERATED_PREFIX)

    def count_most_salted(self) -> int:
        """Return how many salted ones the mailbox has that has the most."""
        counts = self.salted().exclude(mailbox=None).values("mailbox").annotate(count=Count("pk"))
        most = counts.aggregate(most=Max("count"))["most"]
        return most or 0


class AppPassword(models.Model):
    """A password for one program: for the mail server, not for the panel."""

    PROTOCOLS: ClassVar[dict[str, str]] = {
        "imap": "IMAP",
        "pop3": "POP3",
        "smtp": "SMTP",
        "sieve": "ManageSieve",
    }

    id = models.AutoField(primary_key=True)
    mailbox = mail_key(Mailbox, "username", related_name="app_passwords", null=True, db_index=False)
    description = CharField(max_length=255, null=True)  # noqa: DJ001 (as it is)
    password_hash = CharField(max_length=255, null=True, secret=True)  # noqa: DJ001 (as it is)
    new_password = ""  # of a row that was just created; it is not stored

    objects = AppPasswordQuerySet.as_manager()

    class Meta:
        db_table = get_table_name("mailbox_app_password")
        verbose_name = _("app password")
        verbose_name_plural = _("app passwords")
        indexes = [models.Index(fields=["mailbox"], name="mailadmin_app_password_of")]

    def __str__(self) -> str:
        return f"{self.mailbox_id or '–'} {self.description or '–'}"

    @property
    def log_key(self) -> str:
        return str(self.mailbox_id)

    @property
    def known_limits(self) -> "AppPasswordLimits | None":
        """Return the limits; None for an app password that PostfixAdmin has made.

        Old limits may have been left for its number; Dovecot does not read them.
        """
        return getattr(self, "limits", None) if self.is_generated else None

    @property
    def is_generated(self) -> bool:
        """Return whether the panel generated it; PostfixAdmin's are typed by people."""
        return (self.password_hash or "").startswith(GENERATED_PREFIX)

    @property
    def kind(self) -> str:
        """Return who made it: `generated` by the panel, or `postfixadmin`."""
        return "generated" if self.is_generated else "postfixadmin"


class AppPasswordSalt(models.Model):
    """The salt of the generated app passwords of this installation; there is one row."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    salt = CharField(max_length=64, secret=True)

    class Meta:
        db_table = "mailadmin_app_password_salt"

    def __str__(self) -> str:
        return str(self.pk)


class AppPasswordLimitsQuerySet(ScopedQuerySet):
    owner_lookup = "app_password__mailbox"

    def visible_to(self, principal: Any) -> Self:
        """Select the limits of the app passwords in scope."""
        if getattr(principal, "role", None) != Role.ADMIN:
            return super().visible_to(principal)
        own = AppPassword.objects.filter(pk=OuterRef("pk"))
        return self.filter(Exists(own.visible_to(principal)))


class AppPasswordLimits(models.Model):
    """What a generated app password is good for; without this row it is refused."""

    app_password = mail_key(AppPassword, "app_password", primary_key=True, related_name="limits")
    imap = models.BooleanField("IMAP", default=True, db_default=True)
    pop3 = models.BooleanField("POP3", default=True, db_default=True)
    smtp = models.BooleanField("SMTP", default=True, db_default=True)
    sieve = models.BooleanField("ManageSieve", default=True, db_default=True)
    networks = NameField(
        _("networks"), max_length=MAX_NETWORKS_LENGTH, blank=True, default="", db_default=""
    )
    expires = DateTimeField(_("expires"), null=True, blank=True)
    created = DateTimeField(_("created"), default=timezone.now, db_default=UnknownDate())

    objects = AppPasswordLimitsQuerySet.as_manager()

    class Meta:
        db_table = "mailadmin_app_password"
        verbose_name = _("limits of an app password")
        verbose_name_plural = _("limits of app passwords")

    def __str__(self) -> str:
        return str(self.app_password_id)

    @property
    def protocol_names(self) -> list[str]:
        """Return the protocols that the password is good for, as people call them."""
        return [name for column, name in AppPassword.PROTOCOLS.items() if getattr(self, column)]

    @property
    def network_names(self) -> list[str]:
        return [name for name in self.networks.split(",") if name]

    @property
    def is_expired(self) -> bool:
        return self.expires is not None and self.expires <= timezone.now()


class DomainMailLogin(models.Model):
    """Whether the mail programs of a domain's mailboxes need app passwords."""

    domain = mail_key(Domain, "domain", primary_key=True, related_name="mail_login")
    app_passwords_only = models.BooleanField(default=False, db_default=False)

    objects = ScopedQuerySet.as_manager()

    class Meta:
        db_table = "mailadmin_domain_mail_login"

    def __str__(self) -> str:
        return self.domain_id


class MailboxMailLogin(models.Model):
    """Whether the mail programs of one mailbox need app passwords, whatever its domain says."""

    mailbox = mail_key(Mailbox, "username", primary_key=True, related_name="mail_login")
    app_passwords_only = models.BooleanField(default=False, db_default=False)

    objects = MailboxOwnedQuerySet.as_manager()

    class Meta:
        db_table = "mailadmin_mailbox_mail_login"

    def __str__(self) -> str:
        return self.mailbox_id


class LastLoginQuerySet(VisibleQuerySet):
    domain_lookup = "mailbox__domain"
    owner_lookup = "mailbox"


class LastLogin(models.Model):
    """The last sign-in of a mailbox by a protocol, a password and an IP address.

    Dovecot writes these rows; the worker keeps the last one of each protocol and password.
    """

    pk = models.CompositePrimaryKey("mailbox_id", "protocol", "app_password", "address")
    mailbox = mail_key(Mailbox, "username", related_name="last_logins", db_index=False)
    protocol = NameField(max_length=16)
    app_password = models.IntegerField(default=0, db_default=0)  # its id; 0 is the main password
    address = NameField(max_length=64, default="", db_default="")
    at = models.BigIntegerField(default=0, db_default=0)  # in seconds since 1970

    objects = LastLoginQuerySet.as_manager()

    class Meta:
        db_table = "mailadmin_last_login"
        verbose_name = _("last sign-in")
        verbose_name_plural = _("last sign-ins")
        indexes = [models.Index(fields=["at"], name="mailadmin_last_login_at")]

    def __str__(self) -> str:
        return f"{self.mailbox_id} {self.protocol}"
