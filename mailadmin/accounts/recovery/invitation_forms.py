"""The choice between a password and an invitation, on the forms of new people."""

from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from mailadmin.accounts.password_forms import NewPasswordMixin
from mailadmin.accounts.recovery.forms import RecoveryAddressMixin, SendableAddressField
from mailadmin.accounts.recovery.invitations import check_invitation
from mailadmin.passwords import UNUSABLE_HASH


class InvitationField(SendableAddressField):
    """Where an invitation is sent to."""

    def __init__(self) -> None:
        super().__init__(
            label=_("Send an invitation to"),
            required=False,
            help_text=_(
                "Instead of a password: an address elsewhere that gets a link, by which the person"
                " sets a password within three days."
            ),
        )


class InvitationMixin(RecoveryAddressMixin, NewPasswordMixin):
    """A new person gets a password or an invitation."""

    invitation_to = InvitationField()

    def full_clean(self) -> None:
        """Require a password unless an invitation is sent."""
        if self.is_bound and self.is_invitation:
            for name in {"password", "password2"} & set(self.fields):
                self.fields[name].required = False
        super().full_clean()

    @property
    def is_invitation(self) -> bool:
        typed = self.data.get(self.add_prefix("invitation_to"), "")
        return "invitation_to" in self.fields and bool(str(typed or "").strip())

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        if address := cleaned.get("invitation_to"):
            try:
                self._check_invitation(address)
            except ValidationError as error:
                self.add_error("invitation_to", error)
        return cleaned

    def _check_invitation(self, address: str) -> None:
        if self.cleaned_data.get("password") or self.cleaned_data.get("password_hash"):
            raise ValidationError(_("Enter a password or an address for the invitation, not both."))
        check_invitation(self._meta.model(pk=self.get_new_key() or ""), address)

    def get_password_values(self, username: str) -> dict[str, str]:
        if self.cleaned_data.get("invitation_to"):
            return {"password": UNUSABLE_HASH}
        return super().get_password_values(username)
