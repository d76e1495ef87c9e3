"""Forms: which device is set up, and where a link is sent to."""

import datetime
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from mailadmin.accounts.recovery.forms import SendableAddressField
from mailadmin.changes.perform import Actor, perform
from mailadmin.tables.forms import ValidatedTextForm
from mailboxes.app_passwords.forms import AppPasswordNameField
from mailboxes.devices.device_kinds import DEVICE_KINDS
from mailboxes.devices.setup import DeviceSetup
from mailboxes.models import DeviceLink, Mailbox
from mailboxes.services.app_passwords import (
    create_app_password,
    find_free_description,
    generate_app_password,
)
from mailboxes.services.device_links import create_device_link, use_device_link


class DeviceForm(ValidatedTextForm):
    """The device that is set up; saving it creates an app password."""

    device = forms.ChoiceField(
        label=_("Device"),
        widget=forms.RadioSelect,
        choices=[(kind.name, kind.label) for kind in DEVICE_KINDS.values()],
        error_messages={"required": _("Select the device.")},
    )
    description = AppPasswordNameField(
        required=False,
        help_text=_(
            "The name of the device in the list of app passwords. Leave blank to use the kind of"
            " device."
        ),
    )

    def __init__(
        self,
        *args: Any,
        actor: Actor,
        mailbox: Mailbox,
        link: DeviceLink | None = None,
        **kwargs: Any,
    ) -> None:
        self.actor, self.mailbox, self.link = actor, mailbox, link
        super().__init__(*args, **kwargs)

    def save(self) -> DeviceSetup | None:
        """Create the app password and return what to enter; None if it was refused."""
        kind, text = DEVICE_KINDS[self.cleaned_data["device"]], generate_app_password()
        name = self.cleaned_data["description"] or find_free_description(
            self.mailbox.pk, str(kind.app_password_name)
        )
        try:
            self.create(name, kind.build_limits(), text)
        except ValidationError as error:
            self.add_service_error(error)
            return None
        return DeviceSetup(kind, self.mailbox, name, text)

    def create(self, name: str, limits: dict[str, bool], text: str) -> None:
        """Create the app password, and end the link."""
        if self.link:
            perform(self.actor, use_device_link, self.link.pk, name, limits, text)
        else:
            perform(self.actor, create_app_password, self.mailbox.pk, name, limits, text)


class DeviceLinkForm(ValidatedTextForm):
    """A new link; saving returns it."""

    def __init__(
        self,
        *args: Any,
        actor: Actor,
        mailbox: Mailbox,
        lifetime: datetime.timedelta,
        **kwargs: Any,
    ) -> None:
        self.actor, self.mailbox, self.lifetime = actor, mailbox, lifetime
        super().__init__(*args, **kwargs)

    def save(self) -> DeviceLink | None:
        """Create the link; None if it was refused."""
        send_to = self.cleaned_data.get("send_to", "")
        try:
            link: DeviceLink = perform(
                self.actor, create_device_link, self.mailbox.pk, self.lifetime, send_to
            )
        except ValidationError as error:
            self.add_service_error(error)
            return None
        return link


class SentDeviceLinkForm(DeviceLinkForm):
    """A new link that an admin hands over or has sent."""

    send_to = SendableAddressField(
        label=_("Send the link to"),
        required=False,
        help_text=_("An email address. Leave blank to hand the link over yourself."),
    )
