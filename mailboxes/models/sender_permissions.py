"""Who may send as an address besides its own mailbox and the targets of its alias."""

from typing import Any, Self

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from domains.models import Domain
from mailadmin.accounts.models import Role, ScopedQuerySet
from mailadmin.db.fields import CharField, NameField, mail_key
from mailadmin.db.models import TimestampedModel
from mailadmin.names import address_to_unicode
from mailboxes.models.mail import Mailbox


class SenderPermissionQuerySet(ScopedQuerySet):
    owner_lookup = "mailbox"

    def visible_to(self, principal: Any) -> Self:
        """Select permissions for addresses or for mailboxes in the principal's domains."""
        if getattr(principal, "role", None) != Role.ADMIN:
            return super().visible_to(principal)
        return self.filter_by_domains(principal.managed_domains())

    def filter_by_domains(self, names: Any) -> Self:
        """Select permissions with the address or the mailbox in one of these domains."""
        return self.filter(Q(domain__in=names) | Q(mailbox_domain__in=names))


class SenderPermission(TimestampedModel):
    """A mailbox that may send as an address, which need not be an alias or a mailbox.

    The address `@domain` means all addresses of the domain.
    """

    id = models.AutoField(primary_key=True)
    address = NameField(_("sender address"))
    domain = mail_key(Domain, "domain", related_name="sender_permissions", verbose_name=_("domain"))
    mailbox = mail_key(
        Mailbox, "mailbox", related_name="sender_permissions", verbose_name=_("mailbox")
    )
    # That of the mailbox, so that the rows of an admin are found by an index
    mailbox_domain = mail_key(
        Domain, "mailbox_domain", on_delete=models.DO_NOTHING, related_name="+", editable=False
    )
    description = CharField(_("description"), max_length=255, blank=True, default="", db_default="")

    objects = SenderPermissionQuerySet.as_manager()

    class Meta:
        db_table = "mailadmin_sender_permission"
        verbose_name = _("sender permission")
        verbose_name_plural = _("sender permissions")
        constraints = [
            models.UniqueConstraint(
                fields=["address", "mailbox"], name="mailadmin_sender_permission_once"
            )
        ]

    def __str__(self) -> str:
        return f"{address_to_unicode(self.address)} ({address_to_unicode(self.mailbox_id)})"

    @property
    def is_of_whole_domain(self) -> bool:
        return self.address.startswith("@")
