"""The form of a message to users."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from domains.models import Domain
from mailadmin.accounts.models import Role
from mailadmin.changes.perform import Actor
from mailadmin.names import fold, normalize_address, normalize_domain
from mailadmin.tables.form_fields import LineListField
from mailadmin.tables.form_sections import Section
from mailadmin.tables.forms import ValidatedTextForm
from mailboxes.broadcasts.recipients import iter_missing
from mailboxes.models import Broadcast

MAX_ADDRESSES = 1000


class BroadcastForm(ValidatedTextForm):
    """Who gets the message, and what it says."""

    sections = (
        Section(_("Recipients"), ("domains", "addresses", "has_aliases")),
        Section(_("Message"), ("subject", "text")),
    )

    domains = LineListField(
        label=_("Domains"),
        required=False,
        help_text=_("One per line. All mailboxes in them get the message."),
    )
    addresses = LineListField(
        label=_("Mailboxes"),
        required=False,
        help_text=_("One per line, instead of domains."),
    )
    has_aliases = forms.BooleanField(
        label=_("Aliases too"),
        required=False,
        help_text=_("The message is sent to the aliases of the domains as well."),
    )
    subject = forms.CharField(label=_("Subject"), max_length=255)
    text = forms.CharField(
        label=_("Text"), widget=forms.Textarea(attrs={"rows": 10}), max_length=60000
    )

    def __init__(self, *args: Any, actor: Actor, **kwargs: Any) -> None:
        self.actor = actor
        super().__init__(*args, **kwargs)
        if self.can_send_to_all:
            text = _("One per line. Leave blank for all domains.")
            self.fields["domains"].help_text = text

    @property
    def can_send_to_all(self) -> bool:
        return self.actor.principal.role is Role.SUPERADMIN

    def clean_domains(self) -> list[str]:
        """Return the domains as they are stored; refuse those out of scope."""
        names = [normalize_domain(name) for name in self.cleaned_data["domains"]]
        rows = Domain.objects.visible_to(self.actor.principal).filter(pk__in=names)
        found = {fold(key): key for key in rows.values_list("pk", flat=True)}
        for name in names:
            if fold(name) not in found:
                text = _("The domain %(name)s does not exist.")
                raise ValidationError(text, params={"name": name})
        return list(found.values())

    def clean_addresses(self) -> list[str]:
        addresses = [normalize_address(text) for text in self.cleaned_data["addresses"]]
        if len(addresses) > MAX_ADDRESSES:
            raise ValidationError(
                _("Enter at most %(count)s mailboxes."), params={"count": MAX_ADDRESSES}
            )
        return list(dict.fromkeys(addresses))

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        domains, addresses = cleaned.get("domains"), cleaned.get("addresses")
        if domains and addresses:
            self.add_error("addresses", _("Enter domains or mailboxes, not both."))
        elif not (domains or addresses or self.errors or self.can_send_to_all):
            self.add_error("domains", _("Enter domains or mailboxes."))
        elif addresses and not self.errors:
            self.refuse_missing()
        return cleaned

    def refuse_missing(self) -> None:
        missing = next(iter_missing(self.build_broadcast(), self.actor.principal), "")
        if missing:
            text = _("There is no active mailbox %(name)s.") % {"name": missing}
            self.add_error("addresses", text)

    def build_broadcast(self) -> Broadcast:
        """Return the message, not stored."""
        return Broadcast(**self.cleaned_data)
