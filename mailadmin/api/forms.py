"""The form for a new API token."""

import datetime
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from mailadmin import registry
from mailadmin.api.tokens import MAX_TOKEN_NETWORKS, TOKEN_VERBS, create_token, generate_token
from mailadmin.changes.perform import Actor, perform
from mailadmin.names import normalize_domain
from mailadmin.tables.form_fields import LineListField
from mailadmin.tables.form_sections import Section
from mailadmin.tables.forms import ValidatedTextForm
from mailadmin.tables.limit_fields import LastDayField, NetworkListField

MAX_TOKEN_DOMAINS = 500  # of one token
DEFAULT_VALIDITY = datetime.timedelta(days=90)  # that the form proposes


class TokenForm(ValidatedTextForm):
    """The limits of a new token; it is created for the owner by the actor."""

    sections = (
        Section("", ("name", "expires")),
        Section(
            _("Access"),
            ("full_access", "tables", "verbs", "domains", "networks"),
            help=_("Select full access, or limit the token by tables, permissions or domains."),
        ),
    )

    name = forms.CharField(
        label=_("Name"), max_length=100, help_text=_("The program that will use the token.")
    )
    full_access = forms.BooleanField(
        label=_("Full access"),
        required=False,
        help_text=_("No limits by table, permission or domain."),
    )
    tables = forms.MultipleChoiceField(
        label=_("Tables"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("Select none for all tables that you can access."),
    )
    verbs = forms.MultipleChoiceField(
        label=_("Permissions"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        choices=list(TOKEN_VERBS.items()),
        help_text=_("Select none for all permissions that you have."),
    )
    domains = LineListField(
        label=_("Domains"),
        required=False,
        help_text=_("One domain per line. Leave blank for all domains that you manage."),
    )
    networks = NetworkListField(max_networks=MAX_TOKEN_NETWORKS)
    expires = LastDayField(
        help_text=_("The last day on which the token works. Leave blank for no expiry date.")
    )

    def __init__(self, *args: Any, actor: Actor, owner: Any, **kwargs: Any) -> None:
        self.actor, self.owner = actor, owner
        super().__init__(*args, **kwargs)
        tables: Any = self.fields["tables"]
        tables.choices = get_table_choices(owner)
        self.fields["domains"].widget.attrs |= {"data-picker": "domains"}
        self.initial.setdefault("expires", timezone.localdate() + DEFAULT_VALIDITY)

    def clean_domains(self) -> list[str]:
        names = list(dict.fromkeys(normalize_domain(name) for name in self.cleaned_data["domains"]))
        if len(names) > MAX_TOKEN_DOMAINS:
            raise ValidationError(
                _("Enter at most %(most)s domains.") % {"most": MAX_TOKEN_DOMAINS}
            )
        return names

    def clean(self) -> dict[str, Any]:
        """Require an explicit choice of full access where no limit is given."""
        cleaned = super().clean()
        if {"tables", "verbs", "domains"} & set(self.errors):
            return cleaned
        is_limited = any(cleaned[name] for name in ("tables", "verbs", "domains"))
        if is_limited and cleaned["full_access"]:
            self.add_error("full_access", _("Remove the limits, or do not select full access."))
        elif not is_limited and not cleaned["full_access"]:
            text = _("Select full access, or limit the token by tables, permissions or domains.")
            self.add_error("full_access", text)
        return cleaned

    def save(self) -> str | None:
        """Create the token and return its text, which is not stored; None if it was refused."""
        text = generate_token()
        values = {name: value for name, value in self.cleaned_data.items() if name != "full_access"}
        try:
            perform(self.actor, create_token, self.owner, values, text)
        except ValidationError as error:
            self.add_service_error(error)
            return None
        return text


def get_table_choices(owner: Any) -> list[tuple[str, str | Promise]]:
    """Return the choices of tables that a token of this owner may be limited to."""
    allowed = [(t.slug, t.label) for t in registry.menu() if t.allows("list", owner)]
    return [*allowed, ("explain", _("Explain"))]
