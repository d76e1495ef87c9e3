"""The form of domains, which may be created with default aliases."""

from dataclasses import replace
from typing import Any

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from domains.forms import BaseDomainForm
from mailadmin.tables.form_fields import AddressFormField
from mailadmin.tables.form_sections import Section
from mailboxes.services.default_aliases import get_reachable_address
from mailboxes.services.mail_logins import needs_app_passwords


class DomainForm(BaseDomainForm):
    """A new domain with its default aliases, or one to edit."""

    sections = (
        BaseDomainForm.sections[0],
        Section(_("Standard aliases"), ("default_aliases", "default_aliases_to")),
        *BaseDomainForm.sections[1:-1],
        replace(
            BaseDomainForm.sections[-1],
            fields=(*BaseDomainForm.sections[-1].fields, "app_passwords_only"),
        ),
    )
    guarded_fields = (*BaseDomainForm.guarded_fields, "app_passwords_only")
    create_only_fields = ("domain", "default_aliases", "default_aliases_to")

    default_aliases = forms.BooleanField(
        label=_("Create standard aliases"), required=False, initial=True
    )
    default_aliases_to = AddressFormField(label=_("Deliver standard aliases to"), required=False)
    app_passwords_only = forms.BooleanField(
        label=_("Mail programs need app passwords"),
        required=False,
        help_text=_("The passwords of the mailboxes then work in this panel only."),
    )

    field_order = [
        *BaseDomainForm.Meta.fields[: BaseDomainForm.Meta.fields.index("active")],
        "default_aliases",
        "default_aliases_to",
        "active",
        "password_expiry",
        "second_factor",
        "app_passwords_only",
    ]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.is_edit:
            self.initial["app_passwords_only"] = needs_app_passwords(self.instance)
        else:
            self._preset_aliases()

    def get_shown_values(self, row: Any) -> dict[str, Any]:
        return super().get_shown_values(row) | {"app_passwords_only": needs_app_passwords(row)}

    def _preset_aliases(self) -> None:
        names = ", ".join(name for name, _target in settings.MAILADMIN_DEFAULT_ALIASES)
        self.fields["default_aliases"].help_text = names
        own = get_reachable_address(self.actor.principal)
        self.initial.setdefault("default_aliases_to", own)
        self.fields["default_aliases_to"].help_text = (
            _("An address whose mail is read.")
            if own
            else _("An address whose mail is read. If left blank, these aliases are not created.")
        )
