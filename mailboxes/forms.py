"""Forms of mailboxes and aliases."""

from collections.abc import Mapping
from copy import deepcopy
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.functional import SimpleLazyObject

from domains.forms import DomainChoiceField
from domains.models import MAX_QUOTA_MB
from domains.quotas import bytes_to_megabytes, megabytes_to_bytes
from mailadmin.accounts.recovery.invitation_forms import InvitationMixin
from mailadmin.db.custom_columns import get_custom_names
from mailadmin.formatting import page_url
from mailadmin.hooks.events import get_command
from mailadmin.tables.form_fields import UntruncatedCharField
from mailadmin.tables.form_sections import Section
from mailadmin.tables.forms import TableForm
from mailadmin.translation import gettext_lazy as _
from mailboxes.address_forms import AddressFormMixin
from mailboxes.app_passwords.revocation import REVOKE_FIELD, RevocationMixin
from mailboxes.goto_fields import GotoMixin, get_goto_initial
from mailboxes.models import Alias, Mailbox
from mailboxes.quota_hints import QuotaHint, get_new_mailbox_hint
from mailboxes.services import limits
from mailboxes.services.aliases import NO_TARGET_MESSAGE
from mailboxes.services.default_targets import get_default_targets

LOGIN_RULE_FIELD = "app_passwords_only"


class MailboxForm(AddressFormMixin, RevocationMixin, InvitationMixin, TableForm):
    limit_name = "mailboxes"
    sections = (
        Section(_("Identity"), ("local_part", "domain", "name")),
        Section(
            _("Password"),
            (
                *("password", "password2", REVOKE_FIELD),
                *("invitation_to", "email_other", "welcome_mail"),
            ),
        ),
        Section(_("Limits"), ("quota",)),
        Section(_("Access"), ("active", "smtp_active")),
    )
    create_only_fields = ("local_part", "domain", "welcome_mail", "invitation_to")
    edit_only_fields = (REVOKE_FIELD,)
    kept_fields = ("quota",)
    api_defaults = {"welcome_mail": False}

    local_part = UntruncatedCharField(
        label=_("Local part (before the @)"), max_length=64, validators=[]
    )
    domain = DomainChoiceField(label=_("Domain"))
    quota = forms.DecimalField(
        label=_("Quota"),
        required=False,
        min_value=-1,
        max_value=MAX_QUOTA_MB,
        decimal_places=2,
        help_text=_("0 is unlimited."),
        widget=forms.NumberInput(attrs={"data-unit": _("MB")}),
    )
    welcome_mail = forms.BooleanField(label=_("Send welcome email"), required=False, initial=True)
    # For programs; people have a page for it
    app_passwords_only = forms.NullBooleanField(
        label=_("Mail programs need app passwords"),
        required=False,
        help_text=_(
            "Null: as for the domain. Only superadmins can exempt a mailbox from the rule of its"
            " domain."
        ),
    )

    class Meta:
        model = Mailbox
        fields = ["local_part", "name", "quota", "active", "smtp_active"]
        fields += get_custom_names("mailbox")

    field_order = [
        "local_part",
        "domain",
        "password",
        "password2",
        REVOKE_FIELD,
        "name",
        "quota",
        "active",
        "smtp_active",
        "invitation_to",
        "email_other",
        "welcome_mail",
    ]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        del self.fields[LOGIN_RULE_FIELD]
        self.fields["name"].help_text = _("Shown to administrators only.")
        self.fields["smtp_active"].help_text = _(
            "If not selected, the mailbox can receive mail but not send it."
        )
        if self.is_edit:
            self._prepare_edit()
        else:
            self._prepare_create()

    def _prepare_create(self) -> None:
        """Require a password; suggest a quota that fits into the selected domain."""
        self.require_password()
        self.fields["domain"].widget.attrs |= {
            "hx-get": page_url("quota-hint"),
            "hx-trigger": "change",
            "hx-target": "#id_quota_helptext",
        }
        hint = get_new_mailbox_hint(self.selected_domain, self.actor.principal)
        if "quota" not in self.initial:
            self.initial["quota"] = hint.suggestion
        quota: Any = self.fields["quota"]
        quota.help_text = SimpleLazyObject(lambda: hint.help_text)

    def _prepare_edit(self) -> None:
        self.guarded_fields = ("password", "email_other")
        self.set_password_address(self.instance.pk)
        self.offer_revocation(self.instance)
        self.initial["quota"] = quota_to_form_value(self.instance.quota)
        quota: Any = self.fields["quota"]
        quota.help_text = SimpleLazyObject(self._get_edit_help_text)

    def adapt_for_api(self, values: Mapping[str, Any]) -> None:
        """Leave out how large the mailbox may be: it takes queries, and no program reads it."""
        super().adapt_for_api(values)
        self.fields["quota"].help_text = ""
        if LOGIN_RULE_FIELD in values:
            self.fields[LOGIN_RULE_FIELD] = deepcopy(self.base_fields[LOGIN_RULE_FIELD])

    def _get_edit_help_text(self) -> str:
        """Return how large the mailbox may be."""
        return QuotaHint(self.instance.own_domain, self.instance, self.actor.principal).help_text

    def get_password_address(self) -> str:
        if self.is_edit or not {"local_part", "domain"} <= set(self.cleaned_data):
            return super().get_password_address()
        return self.get_new_key()

    def get_display_values(self, row: Mailbox) -> dict[str, Any]:
        return super().get_display_values(row) | {"quota": bytes_to_megabytes(row.quota)}

    def clean_local_part(self) -> str:
        local_part: str = self.cleaned_data["local_part"]
        self.check_local_part(local_part)
        return local_part

    def clean_quota(self) -> Decimal | int:
        value = self.cleaned_data["quota"] or 0
        if -1 < value < 0:
            raise ValidationError(_("Enter -1, 0 or a positive number."))
        return value

    def clean(self) -> dict[str, Any]:
        """Report a quota that the domain does not allow together with other errors."""
        cleaned = super().clean()
        domain, quota = self.cleaned_data.get("domain"), self.cleaned_data.get("quota")
        if self.errors and domain is not None and quota is not None:
            mailbox = Mailbox(username="", quota=megabytes_to_bytes(quota))
            try:
                limits.check_quotas(domain, [mailbox], self.actor.principal)
            except ValidationError as error:
                self.add_error(None, error)
        return cleaned

    def get_service_values(self) -> dict[str, Any]:
        values = super().get_service_values()
        if self.is_edit:
            username = self.instance.pk
            if "quota" not in self.changed_data:  # which keeps it exact to the byte
                del values["quota"]
            if not self.revokes_app_passwords:
                values.pop(REVOKE_FIELD, None)
        else:
            username = f"{values['local_part'].lower()}@{values['domain'].pk}"
        typed = values.get("password") if get_command("MAILBOX_POSTPASSWORD") else None
        more = {"typed_password": typed} if typed else {}
        return self.replace_password_with_hash(values, username) | more


def quota_to_form_value(size: int) -> int | Decimal:
    """Return a quota in MB, as the form shows it."""
    megabytes = bytes_to_megabytes(size)
    return int(megabytes) if megabytes == int(megabytes) else Decimal(f"{megabytes:.2f}")


class AliasForm(AddressFormMixin, GotoMixin, TableForm):
    limit_name = "aliases"
    sections = (
        Section(_("Address"), ("local_part", "domain", "catch_all")),
        Section(_("Delivery"), ("goto", "goto_default", "goto_forget", "goto_mailbox")),
        Section(_("Details"), ("description", "active")),
    )
    create_only_fields = ("local_part", "domain", "catch_all", "goto_default", "goto_forget")
    edit_only_fields = ("goto_mailbox",)

    local_part = UntruncatedCharField(
        label=_("Local part (before the @)"), max_length=64, required=False, validators=[]
    )
    domain = DomainChoiceField(label=_("Domain"))
    catch_all = forms.BooleanField(
        label=_("Catch-all"),
        required=False,
        help_text=_(
            "Receives all mail to addresses in this domain that do not exist. Attracts spam."
        ),
    )
    goto_default = forms.BooleanField(
        label=_("Suggest these addresses for new aliases"), required=False
    )
    goto_forget = forms.BooleanField(label=_("Suggest no addresses any more"), required=False)
    goto_mailbox = forms.BooleanField(
        label=_("Keep a copy in the mailbox"),
        required=False,
        help_text=_("If not selected, mail is only forwarded."),
    )

    class Meta:
        model = Alias
        fields = ["description", "active", *get_custom_names("alias")]

    field_order = [
        "local_part",
        "domain",
        "catch_all",
        "goto",
        "goto_default",
        "goto_forget",
        "goto_mailbox",
        "description",
        "active",
    ]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.is_edit:
            self._prepare_edit()
        else:
            self._suggest_targets()
            self.fields["domain"].widget.attrs |= {
                "hx-get": page_url("alias-limit"),
                "hx-trigger": "change",
                "hx-target": "#limit-notice",
                "hx-swap": "outerHTML",
            }
        goto: Any = self.fields["goto"]
        goto.required = "goto_mailbox" not in self.fields
        goto.error_messages["required"] = NO_TARGET_MESSAGE

    def _suggest_targets(self) -> None:
        """Show the addresses that the admin has chosen for new aliases."""
        if suggested := get_default_targets(self.actor.principal):
            self.initial.setdefault("goto", suggested)
        else:
            del self.fields["goto_forget"]

    def adapt_for_api(self, values: Mapping[str, Any]) -> None:
        """Leave it to the service to refuse an alias without targets: pages mark the field."""
        super().adapt_for_api(values)
        for name in ("goto_default", "goto_forget"):
            self.fields.pop(name, None)
        self.fields["goto"].required = False

    def _prepare_edit(self) -> None:
        if self.instance.has_mailbox:
            del self.fields["active"]
        else:
            del self.fields["goto_mailbox"]
        self.initial = {**self.initial, **get_goto_initial(self.instance)}

    @classmethod
    def identity_fields(cls, key: str) -> dict[str, str]:
        fields = super().identity_fields(key)
        return fields | {"local_part": fields["local_part"] or "*"}

    def get_shown_values(self, row: Alias) -> dict[str, Any]:
        return super().get_shown_values(row) | {"goto": row.goto}

    def get_display_values(self, row: Alias) -> dict[str, Any]:
        return super().get_display_values(row) | get_goto_initial(row)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        if not self.is_edit:
            self._clean_local_part(cleaned)
        return cleaned

    def _clean_local_part(self, cleaned: dict[str, Any]) -> None:
        typed = cleaned.get("local_part") or ""
        if cleaned.get("catch_all") or typed == "*":
            if typed not in ("", "*"):
                self.add_error("local_part", _("A catch-all has no local part: leave it blank."))
            cleaned["local_part"] = "*"
        elif "local_part" not in self.errors:
            try:
                self.check_local_part(typed)
            except ValidationError as error:
                self.add_error("local_part", error if typed else _("Enter a local part."))

    def get_service_values(self) -> dict[str, Any]:
        values = super().get_service_values()
        values.pop("catch_all", None)
        return values
