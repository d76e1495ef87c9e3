"""The forms of the sign-in."""

import unicodedata

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from mailadmin.accounts.models import Principal


def refuse_control_characters(text: str) -> None:
    """Refuse control characters: some collations ignore them, and equate two names."""
    if has_control_characters(text):
        raise ValidationError(_("Control characters are not allowed."))


def has_control_characters(text: str) -> bool:
    return any(unicodedata.category(letter) == "Cc" for letter in text)


class LoginForm(forms.Form):
    """Address and password."""

    username = forms.CharField(
        label=_("Email address"),
        max_length=255,
        validators=[refuse_control_characters],
        widget=forms.TextInput(attrs={"autofocus": True, "autocomplete": "username webauthn"}),
    )
    password = forms.CharField(
        label=_("Password"),
        max_length=1024,
        strip=False,
        widget=forms.PasswordInput(
            attrs={"autocomplete": "current-password", "data-password": "current"}
        ),
    )

    def add_refusal(self) -> None:
        self.add_error(None, _("Incorrect address or password."))


class OwnPasswordForm(forms.Form):
    """The password of the person who is signed in."""

    password = forms.CharField(
        label=_("Password"),
        max_length=1024,
        strip=False,
        widget=forms.PasswordInput(
            attrs={
                "autofocus": True,
                "autocomplete": "current-password",
                "data-password": "current",
            }
        ),
    )


def check_own_password(person: Principal, typed: str) -> None:
    """Refuse what is not the password of the person who is signed in."""
    if not person.check_password(typed):
        raise ValidationError(_("The password is incorrect."))
