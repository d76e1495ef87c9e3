"""The form of an entry of fetchmail."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from mailadmin.tables.form_fields import UntruncatedCharField
from mailadmin.tables.form_sections import Section
from mailadmin.tables.forms import TableForm
from mailboxes.fetchmail.run_control import SUPPORTED_AUTHENTICATIONS, SUPPORTED_PROTOCOLS
from mailboxes.models import Fetchmail
from mailboxes.sender_permission_forms import MailboxChoiceField

# Of stored values, where a label is not the value in capitals
CHOICE_LABELS = {"AUTO": _("Automatic"), "any": _("Any"), "password": _("Password")}
MAX_POLL_MINUTES = 7 * 24 * 60


def build_choices(values: Iterable[str]) -> list[tuple[str, Any]]:
    """Return the choices of a field with these stored values."""
    return [(value, CHOICE_LABELS.get(value, value.upper())) for value in values]


class FetchmailForm(TableForm):
    """Where mail is fetched from. The stored password is not shown."""

    create_only_fields = ("mailbox",)
    kept_fields = ("mailbox",)
    guarded_fields = ("src_server", "src_user", "src_password")
    sections = (
        Section("", ("mailbox",)),
        Section(_("Account elsewhere"), ("protocol", "src_server", "src_user", "src_password")),
        Section(_("Fetching"), ("poll_time", "keep", "fetchall", "active")),
        Section(
            _("Connection"),
            ("src_port", "usessl", "sslcertck", "src_auth", "src_folder", "sslfingerprint"),
            is_advanced=True,
        ),
    )

    mailbox = MailboxChoiceField(label=_("Mailbox"), help_text=_("The mail is delivered there."))
    protocol = forms.ChoiceField(label=_("Protocol"), choices=build_choices(SUPPORTED_PROTOCOLS))
    src_server = UntruncatedCharField(label=_("Server"), max_length=255)
    src_user = UntruncatedCharField(label=_("User name"), max_length=255)
    src_password = UntruncatedCharField(
        label=_("Password"),
        max_length=190,  # which base64 makes 255
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
    )
    poll_time = forms.IntegerField(
        label=_("Interval"),
        min_value=1,
        max_value=MAX_POLL_MINUTES,
        initial=10,
        help_text=_("In minutes."),
    )
    keep = forms.BooleanField(
        label=_("Leave messages on the server"),
        required=False,
        help_text=_("If not selected, messages are deleted there once they are fetched."),
    )
    fetchall = forms.BooleanField(label=_("Fetch messages that were read already"), required=False)
    active = forms.BooleanField(label=_("Active"), required=False, initial=True)
    src_port = forms.IntegerField(
        label=_("Port"),
        min_value=0,
        max_value=65535,
        required=False,
        initial=0,
        help_text=_("0 is the usual port of the protocol."),
    )
    usessl = forms.BooleanField(
        label=_("TLS from the first byte"),
        required=False,
        initial=True,
        help_text=_("If not selected, STARTTLS is used if the server offers it."),
    )
    sslcertck = forms.BooleanField(label=_("Verify the certificate"), required=False, initial=True)
    src_auth = forms.ChoiceField(
        label=_("Authentication"),
        choices=build_choices(SUPPORTED_AUTHENTICATIONS),
        initial="any",
    )
    src_folder = UntruncatedCharField(
        label=_("Folder"),
        max_length=255,
        required=False,
        help_text=_("IMAP only. Leave blank for the inbox."),
    )
    sslfingerprint = UntruncatedCharField(
        label=_("Fingerprint of the certificate"),
        max_length=255,
        required=False,
        help_text=_("MD5, as fetchmail prints it. Leave blank not to compare it."),
    )

    class Meta:
        model = Fetchmail
        fields = [
            *("protocol", "src_server", "src_user", "poll_time", "keep", "fetchall", "active"),
            *("src_port", "usessl", "sslcertck", "src_auth", "src_folder", "sslfingerprint"),
        ]

    field_order = ["mailbox"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.is_edit:
            self._keep_stored_choices()
            password = self.fields["src_password"]
            password.required = False
            password.help_text = _("Leave blank to keep the current password.")

    def _keep_stored_choices(self) -> None:
        """Offer what PostfixAdmin has stored as well, though fetchmail does not do it here."""
        for name in ("protocol", "src_auth"):
            stored, field = getattr(self.instance, name), self.fields[name]
            if stored and stored not in dict(field.choices):  # type: ignore[attr-defined]
                field.choices = [*field.choices, *build_choices([stored])]  # type: ignore[attr-defined]

    def clean_src_port(self) -> int:
        return self.cleaned_data["src_port"] or 0

    def get_service_values(self) -> dict[str, Any]:
        """Leave out a password that was not entered."""
        values = super().get_service_values()
        return {n: v for n, v in values.items() if n != "src_password" or v}
