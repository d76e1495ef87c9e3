"""The forms of app passwords, and of where the main password works."""

from typing import Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from mailadmin.changes.perform import Actor, perform
from mailadmin.db.column_facts import get_column_field, validate_column
from mailadmin.tables.form_sections import Section
from mailadmin.tables.forms import TableForm, ValidatedTextForm
from mailadmin.tables.limit_fields import LastDayField, NetworkListField, format_last_day
from mailboxes.models import AppPassword, Mailbox
from mailboxes.sender_permission_forms import MailboxChoiceField
from mailboxes.services.app_passwords import create_app_password, generate_app_password
from mailboxes.services.mail_logins import get_mail_login_rules, set_mailbox_mail_login

MAX_NETWORKS = 20  # of one app password


NAME_HELP = _("The device or program that will use the password, for example: Phone")
LIMIT_FIELDS = ("protocols", "networks", "expires")
LIMITS_SECTION = Section(_("Limits"), LIMIT_FIELDS)


class AppPasswordNameField(forms.CharField):
    """The name of an app password, by which its owner knows the device."""

    def __init__(self, required: bool = True, help_text: Any = NAME_HELP) -> None:
        super().__init__(label=_("Name"), max_length=100, required=required, help_text=help_text)

    def clean(self, value: Any) -> str:
        """Refuse what the column cannot hold: adopted tables may have another charset."""
        name: str = super().clean(value)
        validate_column(get_column_field(AppPassword, "description"), name)
        return name


class AppPasswordLimitsForm(ValidatedTextForm):
    """What an app password is good for."""

    protocols = forms.MultipleChoiceField(
        label=_("Protocols"),
        widget=forms.CheckboxSelectMultiple,
        choices=list(AppPassword.PROTOCOLS.items()),
        initial=list(AppPassword.PROTOCOLS),
        error_messages={"required": _("Select at least one protocol.")},
        help_text=_(
            "IMAP or POP3 to read mail, SMTP to send it, ManageSieve to edit filters. Other"
            " sign-ins with this password are refused."
        ),
    )
    networks = NetworkListField(max_networks=MAX_NETWORKS)
    expires = LastDayField(
        help_text=_("The last day on which the password works. Leave blank for no expiry date.")
    )

    def get_limits(self) -> dict[str, Any]:
        """Return the limits, as services take them."""
        values = self.cleaned_data
        protocols = {name: name in values["protocols"] for name in AppPassword.PROTOCOLS}
        return protocols | {"networks": ",".join(values["networks"]), "expires": values["expires"]}


class AppPasswordForm(AppPasswordLimitsForm):
    """The name and the limits of a new app password."""

    sections = (Section("", ("description",)), LIMITS_SECTION)

    description = AppPasswordNameField()

    field_order = ["description", *LIMIT_FIELDS]

    def __init__(self, *args: Any, actor: Actor, mailbox: Mailbox, **kwargs: Any) -> None:
        self.actor, self.mailbox = actor, mailbox
        super().__init__(*args, **kwargs)

    def save(self) -> str | None:
        """Create the password and return its text, which is not stored; None if it was refused."""
        text = generate_app_password()
        name = self.cleaned_data["description"]
        try:
            perform(self.actor, create_app_password, self.mailbox.pk, name, self.get_limits(), text)
        except ValidationError as error:
            self.add_service_error(error)
            return None
        return text


class AppPasswordTableForm(AppPasswordLimitsForm, TableForm):
    """An app password as programs create it, and the limits of one on its page."""

    sections = (Section("", ("mailbox", "description")), LIMITS_SECTION)
    create_only_fields = ("mailbox", "description")

    mailbox = MailboxChoiceField(label=_("Mailbox"))
    description = AppPasswordNameField()

    class Meta:
        model = AppPassword
        fields = ["description"]  # the service checks the others

    field_order = ["mailbox", "description", *LIMIT_FIELDS]

    def __init__(self, *args: Any, instance: Any = None, **kwargs: Any) -> None:
        if instance is not None:
            kwargs["initial"] = get_limit_values(instance) | (kwargs.get("initial") or {})
        super().__init__(*args, instance=instance, **kwargs)
        expires, limits = self.fields["expires"], self.instance.known_limits
        if isinstance(expires, LastDayField) and limits is not None:
            expires.current_end = limits.expires

    def get_shown_values(self, row: Any) -> dict[str, Any]:
        return get_limit_values(row)

    def get_service_values(self) -> dict[str, Any]:
        """Return the limits; of a new app password also its owner, its name and its text."""
        values = {"limits": self.get_limits()}
        if self.is_edit:
            return values
        owner, name = self.cleaned_data["mailbox"].pk, self.cleaned_data["description"]
        return values | {"mailbox": owner, "description": name, "text": generate_app_password()}


def get_limit_values(row: AppPassword) -> dict[str, Any]:
    """Return the limits as the form shows them; PostfixAdmin's are good for everything."""
    limits = row.known_limits
    if limits is None:
        names = [] if row.is_generated else list(AppPassword.PROTOCOLS)
        return {"protocols": names, "networks": [], "expires": ""}
    return {
        "protocols": [name for name in AppPassword.PROTOCOLS if getattr(limits, name)],
        "networks": limits.network_names,
        "expires": format_last_day(limits.expires),
    }


class MainPasswordForm(ValidatedTextForm):
    """Whether mail programs may use the password of the mailbox itself."""

    VALUES: ClassVar[dict[str, bool | None]] = {"": None, "any": False, "app": True}

    main_password = forms.ChoiceField(
        label=_("The password of the mailbox"),
        required=False,
        choices=[
            ("", _("as for the domain")),
            ("any", _("works in mail programs and in this panel")),
            ("app", _("works in this panel only; mail programs need app passwords")),
        ],
    )

    def __init__(self, *args: Any, actor: Actor, mailbox: Mailbox, **kwargs: Any) -> None:
        self.actor, self.mailbox = actor, mailbox
        self.rules = get_mail_login_rules(mailbox)
        names = {value: name for name, value in self.VALUES.items()}
        super().__init__(*args, initial={"main_password": names[self.rules.own]}, **kwargs)

    def save(self) -> None:
        value = self.VALUES[self.cleaned_data["main_password"]]
        try:
            perform(self.actor, set_mailbox_mail_login, self.mailbox.pk, value)
        except ValidationError as error:
            self.add_error("main_password", error.messages)
