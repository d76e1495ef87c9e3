"""Mail that is fetched from mailboxes elsewhere, as PostfixAdmin keeps it, and who fetches it."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from domains.models import Domain
from mailadmin.accounts.models import ScopedQuerySet
from mailadmin.db.fields import (
    CharField,
    CurrentTime,
    DateTimeField,
    Latin1CharField,
    Latin1TextField,
    TimestampField,
    UnknownDate,
    mail_key,
)
from mailadmin.db.table_names import get_table_name
from mailboxes.models.mail import Mailbox
from mailboxes.models.related import EnumField, MailboxOwnedQuerySet

PROTOCOLS = ["POP3", "IMAP", "POP2", "ETRN", "AUTO"]


AUTHENTICATIONS = [
    "password",
    "kerberos_v5",
    "kerberos",
    "kerberos_v4",
    "gssapi",
    "cram-md5",
    "otp",
    "ntlm",
    "msn",
    "ssh",
    "any",
]


class Fetchmail(models.Model):
    id = models.AutoField(primary_key=True)
    mailbox = mail_key(Mailbox, "mailbox", related_name="fetchmail_set", db_index=False)
    src_server = Latin1CharField(max_length=255)
    src_auth = EnumField(null=True, choices=[(word, word) for word in AUTHENTICATIONS])
    src_user = Latin1CharField(max_length=255)
    src_password = Latin1CharField(max_length=255, secret=True)
    src_folder = Latin1CharField(max_length=255, blank=True, default="")
    poll_time = models.PositiveIntegerField(default=10, db_default=10)
    fetchall = models.BooleanField(default=False, db_default=False)
    keep = models.BooleanField(default=False, db_default=False)
    protocol = EnumField(null=True, choices=[(word, word) for word in PROTOCOLS])
    usessl = models.BooleanField(default=False, db_default=False)
    extra_options = Latin1TextField(null=True, blank=True)  # noqa: DJ001 (as it is)
    returned_text = Latin1TextField(null=True, blank=True)  # noqa: DJ001 (as it is)
    mda = Latin1CharField(max_length=255, null=True, blank=True, default="")  # noqa: DJ001 (NOT NULL in 3.3)
    date = TimestampField(default=timezone.now, db_default=UnknownDate())
    sslcertck = models.BooleanField(default=False, db_default=False)
    sslcertpath = CharField(max_length=255, null=True, blank=True, default="", db_default="")  # noqa: DJ001 (as it is)
    sslfingerprint = Latin1CharField(
        max_length=255, null=True, blank=True, default="", db_default=""
    )  # noqa: DJ001 (as it is)
    domain = mail_key(
        Domain, "domain", related_name="fetchmail_set", null=True, default="", db_default=""
    )
    active = models.BooleanField(default=False, db_default=False)
    created = TimestampField(default=timezone.now, db_default=UnknownDate())
    modified = TimestampField(default=timezone.now, db_default=CurrentTime())
    src_port = models.IntegerField(default=0, db_default=0)

    objects = MailboxOwnedQuerySet.as_manager()

    class Meta:
        db_table = get_table_name("fetchmail")
        verbose_name = _("fetchmail entry")
        verbose_name_plural = _("fetchmail entries")

    def __str__(self) -> str:
        return f"{self.mailbox_id} {self.src_server}"

    @property
    def log_key(self) -> str:
        return str(self.mailbox_id)

    @property
    def has_program_options(self) -> bool:
        """Return whether PostfixAdmin stored options that could run a program; they are ignored."""
        return bool(self.extra_options or self.mda)


class FetchmailRunQuerySet(ScopedQuerySet):
    domain_lookup = "entry__mailbox__domain"
    owner_lookup = "entry__mailbox"


class FetchmailRun(models.Model):
    """Which machine fetches for an entry, and what became of the last time."""

    entry = mail_key(Fetchmail, "fetchmail", primary_key=True, related_name="run")
    holder = CharField(max_length=64, default="", db_default="")
    until = DateTimeField(default=timezone.now, db_default=UnknownDate())
    failures = models.PositiveIntegerField(_("failures"), default=0, db_default=0)  # in a row
    # The numbers of messages that stay on the server (`keep`), as fetchmail notes them
    seen_messages = models.TextField(null=True)  # noqa: DJ001 (MySQL has no default for a text)

    objects = FetchmailRunQuerySet.as_manager()

    class Meta:
        db_table = "mailadmin_fetchmail_run"
        verbose_name = _("run of fetchmail")
        verbose_name_plural = _("runs of fetchmail")

    def __str__(self) -> str:
        return str(self.entry_id)
