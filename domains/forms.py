"""The forms of domains, alias domains, admins and transports."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from domains.models import (
    MAX_PASSWORD_EXPIRY_DAYS,
    MAX_QUOTA_MB,
    Admin,
    AliasDomain,
    Domain,
    TotpException,
)
from mailadmin.accounts.factors.models import PolicyLevel
from mailadmin.accounts.models import Role
from mailadmin.accounts.recovery.invitation_forms import InvitationMixin
from mailadmin.db.custom_columns import get_custom_names
from mailadmin.dns_lookup import refuse_unknown_domains
from mailadmin.names import normalize_address, normalize_domain
from mailadmin.tables.form_fields import (
    AddressFormField,
    DomainFormField,
    LineListField,
    RowChoiceMixin,
    UntruncatedCharField,
    max_value_validator,
    min_value_validator,
)
from mailadmin.tables.form_sections import Section
from mailadmin.tables.forms import TableForm

LIMIT_FIELDS = {"aliases", "mailboxes", "maxquota", "quota"}


class DomainChoiceField(RowChoiceMixin, DomainFormField):
    """One of the domains in the user's scope."""

    missing_text = _("You do not manage a domain %(name)s. Check the spelling, or create it first.")

    def __init__(self, **options: Any) -> None:
        super().__init__(model=Domain, url_name="domains-pick", **options)

    def limit_to_principal(self, principal: Any) -> None:
        super().limit_to_principal(principal)
        if principal.role is Role.SUPERADMIN:
            self.missing_text = _("The domain %(name)s does not exist.")


class BaseDomainForm(TableForm):
    """The columns of a domain; mailboxes has fields for what is created with it."""

    sections: Sequence[Section] = (
        Section(_("Domain"), ("domain", "description", "active")),
        Section(
            _("Limits"),
            ("mailboxes", "aliases", "maxquota", "quota"),
            help=_("0 is unlimited. -1 allows no mailboxes or aliases, or disables quotas."),
        ),
        Section(
            _("Advanced"),
            ("transport", "backupmx", "password_expiry", "second_factor"),
            is_advanced=True,
        ),
    )

    create_only_fields: Sequence[str] = ("domain",)
    guarded_fields: Sequence[str] = ("second_factor",)

    domain = DomainFormField(label=_("Domain"), help_text=_("For example, example.org"))
    second_factor = forms.ChoiceField(
        label=_("Two-factor authentication of mailbox owners"),
        required=False,
        choices=[("", _("as for all mailboxes")), *PolicyLevel.choices],
        help_text=_("If required, admins of the domain need a second factor too."),
    )

    class Meta:
        model = Domain
        fields = [
            "domain",
            "description",
            "aliases",
            "mailboxes",
            "maxquota",
            "quota",
            "transport",
            "backupmx",
            "active",
            "password_expiry",
            *get_custom_names("domain"),
        ]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in self.fields.keys() & LIMIT_FIELDS:
            self._configure_limit(name)
        self.fields["transport"].widget = forms.Select(choices=self._get_transport_choices())
        self.fields["transport"].required = True
        self.fields["transport"].help_text = _(
            "How Postfix delivers mail: “virtual” to the mailboxes here, “relay” to another server."
        )
        if "password_expiry" in self.fields:
            self._configure_password_expiry()
        if self.is_edit:
            self.initial["second_factor"] = self.instance.second_factor
        else:
            self._set_defaults()

    def get_unused_fields(self) -> Sequence[str]:
        unenforced = {"all": [], "mailboxes": ["quota"], "no": ["maxquota", "quota"]}
        unused = [*super().get_unused_fields(), *unenforced[settings.MAILADMIN_QUOTA_LIMITS]]
        return unused if settings.MAILADMIN_PASSWORD_EXPIRATION else [*unused, "password_expiry"]

    def get_shown_values(self, row: Any) -> dict[str, Any]:
        return super().get_shown_values(row) | {"second_factor": row.second_factor}

    def clean_domain(self) -> str:
        name = self.cleaned_data["domain"]
        if settings.MAILADMIN_EMAILCHECK_RESOLVE_DOMAIN and not self.is_edit:
            refuse_unknown_domains([name])
        return name

    def clean_transport(self) -> str:
        value = self.cleaned_data["transport"]
        if value not in dict(self._get_transport_choices()):
            raise ValidationError(_("Select one of the available transports."))
        return value

    def clean_password_expiry(self) -> int:
        return self.cleaned_data["password_expiry"] or 0

    def _configure_limit(self, name: str) -> None:
        field = self.fields[name]
        lowest = min(-1, getattr(self.instance, name))  # PostfixAdmin accepted lower ones
        field.validators += [
            min_value_validator(lowest),
            max_value_validator(MAX_QUOTA_MB if "quota" in name else 2**31 - 1),
        ]
        field.widget.attrs |= {"min": -1, "data-unit": _("MB") if "quota" in name else ""}

    def _configure_password_expiry(self) -> None:
        field: Any = self.fields["password_expiry"]
        field.min_value = 0
        # A longer lifetime that another program has stored is not refused.
        highest = max(MAX_PASSWORD_EXPIRY_DAYS, self.instance.password_expiry or 0)
        field.validators += [min_value_validator(0), max_value_validator(highest)]
        field.help_text = _(
            "0 means passwords do not expire. A change applies to each password from when it is"
            " next set."
        )

    def _get_transport_choices(self) -> list[tuple[str, str]]:
        current = settings.MAILADMIN_TRANSPORT_DEFAULT
        if self.is_edit:
            current = self.instance.transport or "virtual"
        names = dict.fromkeys([*settings.MAILADMIN_TRANSPORTS, current])
        return [(name, name) for name in names]

    def _set_defaults(self) -> None:
        self.initial = {
            "aliases": settings.MAILADMIN_DOMAIN_ALIASES,
            "mailboxes": settings.MAILADMIN_DOMAIN_MAILBOXES,
            "maxquota": settings.MAILADMIN_DOMAIN_MAXQUOTA,
            "quota": settings.MAILADMIN_DOMAIN_QUOTA,
            "transport": settings.MAILADMIN_TRANSPORT_DEFAULT,
            **self.initial,
        }


class AliasDomainForm(TableForm):
    """An alias domain and its target; the target is preset from the link."""

    create_only_fields = ("alias_domain",)

    alias_domain = DomainChoiceField(
        label=_("Alias domain"),
        help_text=_(
            "One of your domains: create it first if it is new. Mail to it is delivered to the same"
            " local parts in the target domain."
        ),
    )
    target_domain = DomainChoiceField(label=_("Target domain"))

    class Meta:
        model = AliasDomain
        fields = ["description", "active"]

    field_order = ["alias_domain", "target_domain", "description", "active"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.is_edit:
            self.initial["target_domain"] = self.instance.target_domain_id
        else:
            self.initial.setdefault("target_domain", self.initial.get("domain"))

    def get_shown_values(self, row: Any) -> dict[str, Any]:
        return super().get_shown_values(row) | {"target_domain": row.target_domain_id}


class AdminForm(InvitationMixin, TableForm):
    """An admin, their password and domains."""

    sections = (
        Section(_("Identity"), ("username", "active")),
        Section(_("Password"), ("password", "password2", "invitation_to", "email_other")),
        Section(_("Permissions"), ("superadmin", "domains")),
    )

    create_only_fields = ("username", "invitation_to")

    username = AddressFormField(label=_("Address"), help_text=_("Used to sign in."))
    domains = LineListField(
        label=_("Domains"),
        required=False,
        help_text=_("Domains that this admin manages. Leave blank for superadmins."),
    )

    class Meta:
        model = Admin
        fields = ["username", "superadmin", "active"]

    field_order = [
        "username",
        "password",
        "password2",
        "invitation_to",
        "email_other",
        "superadmin",
        "domains",
        "active",
    ]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        placeholder = _("One domain per line")  # seen without JavaScript
        attributes = {"data-picker": "domains", "placeholder": placeholder}
        self.fields["domains"].widget.attrs |= attributes
        if self.is_edit:
            self.guarded_fields = ("password", "email_other", "superadmin", "domains")
            self.set_password_address(self.instance.pk)
            self.initial["domains"] = self.instance.get_assigned_domains()
        else:
            self.guarded_fields = ("password", "superadmin")
            self.require_password()
            if domain := self.initial.get("domain"):
                self.initial.setdefault("domains", [domain])

    def get_password_address(self) -> str:
        return super().get_password_address() or self.cleaned_data.get("username", "")

    def get_shown_values(self, row: Any) -> dict[str, Any]:
        return super().get_shown_values(row) | {"domains": row.get_assigned_domains()}

    def clean_domains(self) -> list[str]:
        return list(dict.fromkeys(normalize_domain(name) for name in self.cleaned_data["domains"]))

    def get_service_values(self) -> dict[str, Any]:
        values = super().get_service_values()
        username = self.instance.pk if self.is_edit else values["username"]
        return self.replace_password_with_hash(values, username)


class TotpExceptionForm(TableForm):
    """An IP address, and whom the exception is for."""

    guarded_fields = ("ip", "username")

    ip = forms.GenericIPAddressField(label=_("IP address"))
    username = UntruncatedCharField(
        label=_("Applies to"),
        required=False,
        max_length=255,
        help_text=_("A mailbox or a domain. Leave blank for all accounts (superadmins only)."),
    )
    description = forms.CharField(label=_("Description"), max_length=255)

    class Meta:
        model = TotpException
        fields = ["description"]  # the service checks whether the others are taken

    field_order = ["ip", "username", "description"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.is_edit:
            self.initial.update(ip=self.instance.ip, username=self.instance.username)
        elif domain := self.initial.get("domain"):
            self.initial.setdefault("username", domain)

    def get_shown_values(self, row: Any) -> dict[str, Any]:
        return super().get_shown_values(row) | {"ip": row.ip, "username": row.username}

    def clean_username(self) -> str | None:
        """Return the name as it is stored: NULL is everybody for PostfixAdmin."""
        name = self.cleaned_data["username"].strip().lower()
        if not name:
            return None
        return normalize_address(name) if "@" in name else normalize_domain(name)
