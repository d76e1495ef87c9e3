"""Forms: which device is set up, and where a link is sent to."""

import datetime
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from mailadmin.accounts.recovery.forms import SendableAddressField
from mailadmin.changes.perform import Actor, perform
from mailadmin.db.fields import get_column_field, validate_column
from mailadmin.tables.forms import ValidatedTextForm
from mailboxes.devices.devices import DEVICES
from mailboxes.devices.setup import DeviceSetup
from mailboxes.models import AppPassword, DeviceLink, Mailbox
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
        choices=[(device.name, device.label) for device in DEVICES.values()],
        error_messages={"required": _("Select the device.")},
    )
    description = forms.CharField(
        label=_("Name"),
        max_length=100,
        required=False,
        help_text=_(
            "By this name you find the device in the list of app passwords. Leave blank to use the"
            " kind of device."
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

    def clean(self) -> dict[str, Any]:
        """Name the app password after the device; the column may not hold every name."""
        cleaned = super().clean()
        device = DEVICES.get(cleaned.get("device", ""))
        if device and not cleaned.get("description"):
            wanted = str(device.app_password_name)
            cleaned["description"] = find_free_description(self.mailbox.pk, wanted)
        try:
            validate_column(get_column_field(AppPassword, "description"), cleaned["description"])
        except ValidationError as error:
            self.add_error("description", error)
        return cleaned

    def save(self) -> DeviceSetup | None:
        """Create the app password and return what to enter; None if it was refused."""
        name, text = self.cleaned_data["description"], generate_app_password()
        device = DEVICES[self.cleaned_data["device"]]
        service = use_device_link if self.link else create_app_password
        key = self.link.pk if self.link else self.mailbox.pk
        try:
            perform(self.actor, service, key, name, device.build_limits(), text)
        except ValidationError as error:
            self.add_service_error(error)
            return None
        return DeviceSetup(device, self.mailbox, name, text)


class OwnDeviceLinkForm(ValidatedTextForm):
    """A new link for another device of the signed-in owner; saving returns it."""

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


class DeviceLinkForm(OwnDeviceLinkForm):
    """A new link that an admin hands over."""

    send_to = SendableAddressField(
        label=_("Send the link to"),
        required=False,
        help_text=_("An email address. Leave blank to hand the link over yourself."),
    )
