"""Form fields for new passwords and password hashes."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from mailadmin import passwords
from mailadmin.accounts.models import Role
from mailadmin.tables.forms import ConflictCheckedForm

MIN_CRYPT_LENGTH = 26  # `$1$`, a salt and an MD5 digest


class PasswordHashField(forms.CharField):
    """A stored password hash, in any scheme that can be verified."""

    def __init__(self) -> None:
        super().__init__(
            label=_("Password hash"),
            required=False,
            max_length=255,
            validators=[validate_password_hash],
        )


def validate_password_hash(stored: str) -> None:
    """Refuse a value that does not name its scheme: it could be a plain text password."""
    body = stored.rpartition("}")[2]
    is_whole = stored.isascii() and not (body.startswith("$") and len(body) < MIN_CRYPT_LENGTH)
    if not (stored.startswith(("{", "$")) and is_whole and passwords.is_verifiable(stored)):
        raise ValidationError(_("Enter a password hash: {SCHEME}… or $…$… with a known scheme."))


class NewPasswordMixin(ConflictCheckedForm):
    """A password typed twice. Left empty on an edit, the old one stays."""

    password_address = ""

    password = forms.CharField(
        label=_("Password"),
        help_text=_("Leave blank to keep the current password."),
        required=False,
        strip=False,
        max_length=1024,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password", "data-password": "new"}),
    )
    password2 = forms.CharField(
        label=_("Confirm password"),
        required=False,
        strip=False,
        max_length=1024,
        widget=forms.PasswordInput(
            attrs={"autocomplete": "new-password", "data-password": "again"}
        ),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["password"].widget.attrs["data-length"] = passwords.get_min_length()

    def set_password_address(self, address: str) -> None:
        """Name the person whose password it is; for a new row their address is yet to be typed."""
        self.password_address = address
        self.fields["password"].widget.attrs["data-address"] = address

    def get_password_address(self) -> str:
        """Return whose password it is; empty if the address that was typed is no valid one."""
        return self.password_address

    def require_password(self) -> None:
        """Require a new password, and show the rules for it."""
        self.fields["password"].required = self.fields["password2"].required = True
        self.fields["password"].help_text = " ".join(
            str(rule) for rule in passwords.describe_rules()
        )

    def replace_password_with_hash(
        self, values: Mapping[str, Any], username: str
    ) -> dict[str, Any]:
        """Return the values for the service, with the hash in place of the typed passwords."""
        others = {
            k: v for k, v in values.items() if k not in ("password", "password2", "password_hash")
        }
        return others | self.get_password_values(username)

    def get_password_values(self, username: str) -> dict[str, str]:
        """Return the hash of the new password; nothing if the old one stays."""
        if stored := self.cleaned_data.get("password_hash"):
            return {"password": stored}
        if not (typed := self.cleaned_data.get("password")):
            return {}
        return {"password": passwords.make_hash(typed, username)}

    def adapt_for_api(self, values: Mapping[str, Any]) -> None:
        """Ask for the password once; superadmins' programs may give its hash instead."""
        super().adapt_for_api(values)
        del self.fields["password2"]
        if self.actor.principal.role is Role.SUPERADMIN:
            self.fields["password_hash"] = PasswordHashField()
            self.fields["password"].required &= not values.get("password_hash")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        if not {"password", "password2"} & set(self.errors):
            first = cleaned.get("password", "")
            self._check_passwords(first, cleaned.get("password2", first))
        return cleaned

    def _check_passwords(self, first: str, second: str) -> None:
        """Refuse two different passwords, and one that breaks the rules."""
        if first != second:
            self.add_error("password2", _("The passwords do not match."))
        elif first and self.cleaned_data.get("password_hash"):
            self.add_error("password", _("Enter a password or a password hash, not both."))
        elif first:
            try:
                passwords.validate_password(first, self.get_password_address())
            except ValidationError as error:
                self.add_error("password", error)
                if self.fields["password"].required:
                    self["password"].help_text = ""  # the errors are the rules
