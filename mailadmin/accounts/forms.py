"""The forms of the sign-in."""

import unicodedata

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _


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
        widget=forms.TextInput(attrs={"autofocus": True, "autocomplete": "username"}),
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


class CodeForm(forms.Form):
    """The one-time code of a second factor."""

    code = forms.CharField(
        label=_("Code"),
        max_length=12,
        widget=forms.TextInput(
            attrs={"autofocus": True, "autocomplete": "one-time-code", "inputmode": "numeric"}
        ),
    )

    def clean_code(self) -> str:
        return self.cleaned_data["code"].replace(" ", "")

    def add_refusal(self) -> None:
        self.add_error("code", _("This code is incorrect or has already been used."))
