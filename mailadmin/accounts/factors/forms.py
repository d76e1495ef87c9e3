"""The forms of second factors."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _


class CodeForm(forms.Form):
    """The one-time code of an authenticator app, or a recovery code."""

    code = forms.CharField(
        label=_("Code"),
        max_length=30,
        widget=forms.TextInput(attrs={"autofocus": True, "autocomplete": "one-time-code"}),
    )

    def clean_code(self) -> str:
        return self.cleaned_data["code"].replace(" ", "")

    def add_refusal(self) -> None:
        self.add_error("code", _("This code is incorrect or has already been used."))


class BrowserAnswerInput(forms.HiddenInput):
    """A field that a script fills in; it is empty again when its form is shown again."""

    def __init__(self) -> None:
        super().__init__(attrs={"autocomplete": "off"})

    def format_value(self, value: Any) -> None:
        return None


class PasskeyForm(forms.Form):
    """What a browser answers with a passkey; a script fills it in."""

    credential = forms.CharField(max_length=20_000, widget=BrowserAnswerInput)


class NewPasskeyForm(PasskeyForm):
    """A passkey just created, and what its owner calls it."""

    name = forms.CharField(
        label=_("Name"),
        max_length=60,
        help_text=_("For example the device that holds the passkey."),
        widget=forms.TextInput(attrs={"autofocus": True}),
    )
