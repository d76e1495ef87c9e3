"""The forms of DKIM keys and of whom they sign for."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from domains.dkim.keys import MAX_SELECTOR_LENGTH
from domains.forms import DomainChoiceField
from domains.models import DkimKey, DkimSigning
from mailadmin.names import (
    normalize_address,
    normalize_domain,
    validate_address,
    validate_domain,
)
from mailadmin.tables.form_fields import SecretTextField, UntruncatedCharField
from mailadmin.tables.forms import TableForm


class DkimKeyForm(TableForm):
    """A key, which is made unless one is entered."""

    create_only_fields = ("domain_name", "selector", "private_key")
    kept_fields = ("domain_name",)

    domain_name = DomainChoiceField(label=_("Domain"))
    selector = UntruncatedCharField(
        label=_("Selector"),
        max_length=MAX_SELECTOR_LENGTH,
        help_text=_("A name of the key in the DNS, such as mail2026. A new key needs a new one."),
    )
    description = forms.CharField(label=_("Description"), max_length=255, required=False)
    private_key = SecretTextField(
        label=_("Private key"),
        required=False,
        max_length=10000,
        help_text=_("RSA in PEM format. Leave blank to have one made."),
    )

    class Meta:
        model = DkimKey
        fields = ["description"]

    field_order = ["domain_name", "selector", "description", "private_key"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if domain := self.initial.get("domain"):
            self.initial.setdefault("domain_name", domain)


class DkimSigningForm(TableForm):
    """Which key signs for a domain or an address."""

    create_only_fields = ("author",)
    preset_fields = ("author", "selector")

    author = UntruncatedCharField(
        label=_("Author"),
        max_length=255,
        help_text=_("A domain, or an address in it for which another key signs."),
    )
    selector = UntruncatedCharField(
        label=_("Selector"),
        max_length=MAX_SELECTOR_LENGTH,
        help_text=_("Of a key of the same domain."),
    )

    class Meta:
        model = DkimSigning
        fields = ["author"]

    field_order = ["author", "selector"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.is_edit:
            self.initial["selector"] = self.instance.dkim.selector

    def get_shown_values(self, row: Any) -> dict[str, Any]:
        return super().get_shown_values(row) | {"selector": row.dkim.selector}

    def clean_author(self) -> str:
        text: str = self.cleaned_data["author"]
        if "@" in text:
            validate_address(name := normalize_address(text))
        else:
            validate_domain(name := normalize_domain(text))
        return name
