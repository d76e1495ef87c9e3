"""The forms of recovery: the address of the account, the new password, the recovery address."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from mailadmin.accounts.forms import refuse_control_characters
from mailadmin.accounts.models import Principal
from mailadmin.accounts.recovery.services import set_recovery_address
from mailadmin.changes.perform import Actor
from mailadmin.mails.queue import is_possible_recipient
from mailadmin.tables.form_fields import AddressFormField
from mailadmin.tables.forms import ConflictCheckedForm, TableForm


class RecoveryRequestForm(forms.Form):
    """Whose password is to be set."""

    username = forms.CharField(
        label=_("Email address"),
        max_length=255,
        validators=[refuse_control_characters],
        widget=forms.TextInput(attrs={"autofocus": True, "autocomplete": "username"}),
    )


class SendableAddressField(AddressFormField):
    """An address to which the panel can send mail."""

    def to_python(self, value: Any) -> Any:
        """Return the address as it is stored, if mail can be sent there."""
        address = super().to_python(value)
        if address and not is_possible_recipient(address):
            raise ValidationError(_("“%(value)s” is not a valid email address.") % {"value": value})
        return address


class RecoveryAddressField(SendableAddressField):
    """`email_other`, as people type it."""

    def __init__(self) -> None:
        super().__init__(
            label=_("Recovery address"),
            required=False,
            help_text=_("An address elsewhere, to which links for a new password are sent."),
        )


def check_recovery_address(person: Principal, address: str) -> None:
    """Refuse an address to which links for this person must not be sent."""
    if address and (problem := person.find_recovery_address_problem(address)):
        raise ValidationError(problem)


class RecoveryAddressMixin(TableForm):
    """The recovery address on the form of a person."""

    email_other = RecoveryAddressField()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.is_edit:
            self.initial["email_other"] = self.instance.email_other

    def get_shown_values(self, row: Any) -> dict[str, Any]:
        return super().get_shown_values(row) | {"email_other": row.email_other}

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        try:
            self._check_recovery_address(cleaned.get("email_other", ""))
        except ValidationError as error:
            self.add_error("email_other", error)
        return cleaned

    def _check_recovery_address(self, address: str) -> None:
        """Refuse a new address that cannot be used; one that is stored already may stay."""
        if address and address != self.initial.get("email_other"):
            key = self.instance.pk if self.is_edit else self.get_new_key()
            check_recovery_address(self._meta.model(pk=key or ""), address)


class RecoveryAddressForm(ConflictCheckedForm):
    """The recovery address of the signed-in person."""

    email_other = RecoveryAddressField()

    def __init__(self, *args: Any, actor: Actor, **kwargs: Any) -> None:
        self.actor = actor
        kwargs["initial"] = {"email_other": actor.principal.email_other}
        super().__init__(*args, **kwargs)
        self.watch_row(actor.principal)

    def get_shown_values(self, row: Any) -> dict[str, Any]:
        return {"email_other": row.email_other}

    def clean_email_other(self) -> str:
        address: str = self.cleaned_data["email_other"]
        check_recovery_address(self.actor.principal, address)
        return address

    def save(self) -> Any:
        person = self.actor.principal
        return self.run_service(
            set_recovery_address, person._meta.model, person.pk, self.cleaned_data["email_other"]
        )
