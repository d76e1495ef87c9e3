"""The form of sender permissions."""

from typing import Any

from django.utils.translation import gettext_lazy as _

from mailadmin.names import normalize_address
from mailadmin.tables.form_fields import AddressFormField, RowChoiceMixin, UntruncatedCharField
from mailadmin.tables.forms import TableForm
from mailboxes.models import Mailbox, SenderPermission
from mailboxes.services.sender_permissions import validate_sender_address


class MailboxChoiceField(RowChoiceMixin, AddressFormField):
    """One of the mailboxes in the user's scope."""

    missing_text = _("You do not manage a mailbox %(name)s.")

    def __init__(self, **options: Any) -> None:
        super().__init__(model=Mailbox, url_name="mailboxes-pick", **options)


class SenderAddressField(UntruncatedCharField):
    """An address, or `@domain` for all addresses of a domain."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=255, validators=[validate_sender_address], **options)

    def to_python(self, value: Any) -> Any:
        value = super().to_python(value)
        return normalize_address(value.removeprefix("*")) if value else value


class SenderPermissionForm(TableForm):
    """A mailbox and the address as which it may send; one of them is preset from the link."""

    create_only_fields = ("address", "mailbox")
    kept_fields = ("mailbox",)
    preset_fields = ("address",)

    address = SenderAddressField(
        label=_("Sender address"),
        help_text=_(
            "An address in one of your domains, or @example.org for all addresses of the domain."
        ),
    )
    mailbox = MailboxChoiceField(
        label=_("Mailbox"), help_text=_("May send as this address, signed in with its own name.")
    )

    class Meta:
        model = SenderPermission
        fields = ["description", "active"]  # the service checks the others

    field_order = ["address", "mailbox", "description", "active"]
