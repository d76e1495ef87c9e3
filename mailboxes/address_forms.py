"""What the forms of mailboxes and aliases have in common: an address of two fields."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.functional import cached_property

from domains.models import Domain
from mailadmin.names import (
    domain_to_unicode,
    normalize_address,
    try_normalize_domain,
    validate_address,
    validate_local_part,
)
from mailadmin.translation import gettext_lazy as _
from mailboxes.quota_hints import build_limit_notice
from mailboxes.services import limits


def validate_deliverable_local_part(local_part: str) -> None:
    """Refuse names for which Postfix takes no mail from other servers; imports may have some."""
    if local_part.startswith("-") or any(sign in local_part for sign in "%!"):
        raise ValidationError(
            _("Postfix rejects mail to local parts that start with “-” or contain “%” or “!”.")
        )


def get_address_domain(text: str) -> str:
    """Return the domain of a whole address; empty for any other text."""
    try:
        address = normalize_address(text)
        validate_address(address)
    except ValidationError:
        return ""
    return address.rpartition("@")[2]


class AddressFormMixin(forms.Form):
    """A form on a row whose key is an address: local part and domain are asked separately."""

    address_fields: Sequence[str] = ("local_part", "domain")
    notice_template = "mailboxes/limit_notice.html"
    remedy_template = "mailboxes/reached_limit.html"
    limit_name = ""  # the column of the domain with the limit of such rows

    def __init__(self, data: Any = None, *args: Any, **kwargs: Any) -> None:
        super().__init__(split_pasted_address(data) if data else data, *args, **kwargs)

    @cached_property
    def notice(self) -> dict[str, str] | None:
        """Return the limit that stops a new row from the start, and its domain; None if none."""
        domain = self.selected_domain if "domain" in self.fields and not self.errors else None
        return build_limit_notice(domain, self.limit_name)

    @cached_property
    def selected_domain(self) -> Domain | None:
        """Return the domain that was sent, or that the link names, or the only one."""
        field: Any = self.fields["domain"]
        widget: Any = field.widget
        name = self.data.get("domain") or self.initial.get("domain") or ""
        if not name and isinstance(field.widget, forms.Select) and len(widget.choices) == 1:
            name = widget.choices[0][0]
        return field.find_row(try_normalize_domain(name))

    @property
    def domain_to_raise(self) -> str:
        """Return the domain whose limit was reached, for a link to its form; empty if none was."""
        errors = [error for found in self.errors.as_data().values() for error in found]
        domain = self.cleaned_data.get("domain")
        is_limit = any(error.code == limits.LIMIT_CODE for error in errors)
        return domain.pk if domain and is_limit else ""

    def check_local_part(self, local_part: str) -> None:
        """Refuse what is no local part that receives mail; of a whole address, name the domain."""
        if domain := get_address_domain(local_part):
            field: Any = self.fields["domain"]
            text = _("%(domain)s is not one of your domains. Enter only the part before the @.")
            if field.find_row(domain):
                text = _(
                    "This address belongs to %(domain)s: select that domain, or enter only the part"
                    " before the @."
                )
            raise ValidationError(text, params={"domain": domain_to_unicode(domain)})
        validate_local_part(local_part)
        validate_deliverable_local_part(local_part)

    @classmethod
    def identity_fields(cls, key: str) -> dict[str, str]:
        local_part, _at, domain = key.rpartition("@")
        return {"local_part": local_part, "domain": domain}

    def get_new_key(self) -> str:
        local_part, domain = self.cleaned_data["local_part"], self.cleaned_data["domain"]
        return f"{local_part.removeprefix('*')}@{domain.pk}".lower()


def split_pasted_address(data: Any) -> Any:
    """Return the data of a form with a whole address in place of the local part taken apart.

    Only where it is an address of the chosen domain, or where none was chosen.
    """
    local_part, at, domain = str(data.get("local_part", "")).strip().rpartition("@")
    chosen = str(data.get("domain") or "")
    if not at or (chosen and try_normalize_domain(chosen) != try_normalize_domain(domain)):
        return data
    data = data.copy()
    data["local_part"], data["domain"] = local_part, domain
    return data
