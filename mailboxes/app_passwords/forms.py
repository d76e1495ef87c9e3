"""The forms of a new app password, and of where the main password works."""

from typing import Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from mailadmin.changes.perform import Actor, perform
from mailadmin.db.fields import get_column_field, validate_column
from mailadmin.tables.form_sections import Section
from mailadmin.tables.forms import ValidatedTextForm
from mailadmin.tables.limit_fields import LastDayField, NetworkListField
from mailboxes.models import AppPassword, Mailbox
from mailboxes.services.app_passwords import create_app_password, generate_app_password
from mailboxes.services.mail_logins import get_mail_login_rules, set_mailbox_mail_login

MAX_NETWORKS = 20  # of one app password


class AppPasswordForm(ValidatedTextForm):
    """The name and the limits of a new app password."""

    sections = (
        Section("", ("description",)),
        Section(_("Limits"), ("protocols", "networks", "expires")),
    )

    description = forms.CharField(
        label=_("Name"),
        max_length=100,
        help_text=_("The device or program that will use the password, for example: Phone"),
    )
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

    def __init__(self, *args: Any, actor: Actor, mailbox: Mailbox, **kwargs: Any) -> None:
        self.actor, self.mailbox = actor, mailbox
        super().__init__(*args, **kwargs)

    def clean_description(self) -> str:
        """Refuse what the column cannot hold: adopted tables may have another charset."""
        name = self.cleaned_data["description"]
        validate_column(get_column_field(AppPassword, "description"), name)
        return name

    def get_limits(self) -> dict[str, Any]:
        """Return the limits, as services take them."""
        values = self.cleaned_data
        protocols = {name: name in values["protocols"] for name in AppPassword.PROTOCOLS}
        return protocols | {"networks": ",".join(values["networks"]), "expires": values["expires"]}

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
