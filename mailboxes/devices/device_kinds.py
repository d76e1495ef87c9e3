"""The kinds of devices and programs that a mailbox can be set up on."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _

from mailboxes.client_setup.servers import IMAP, POP3, SIEVE, SMTP, get_offered_ports

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

MAIL_PROTOCOLS = (IMAP, POP3, SMTP)


@dataclass(frozen=True)
class DeviceKind:
    """A kind of device or program."""

    name: str  # in forms; its instructions are in the template devices/<name>.html
    label: "StrOrPromise"
    app_password_name: "StrOrPromise"  # if the person enters none
    protocols: tuple[str, ...] = MAIL_PROTOCOLS

    @property
    def template_name(self) -> str:
        return f"devices/{self.name}.html"

    @property
    def used_protocols(self) -> list[str]:
        """Return the protocols that are entered into the device: one to read mail, if it does."""
        offered = [name for name in self.protocols if get_offered_ports()[name]]
        return [name for name in offered if name != POP3 or IMAP not in offered]

    def build_limits(self) -> dict[str, bool]:
        """Return protocol → whether the app password is good for it."""
        return {name: name in self.used_protocols for name in get_offered_ports()}


DEVICE_KINDS = {
    kind.name: kind
    for kind in (
        DeviceKind("apple", _("iPhone, iPad or Mac"), _("iPhone, iPad or Mac")),
        DeviceKind("android", _("Android phone or tablet"), _("Android")),
        DeviceKind(
            "thunderbird", _("Thunderbird on a computer"), "Thunderbird", (*MAIL_PROTOCOLS, SIEVE)
        ),
        DeviceKind("outlook", _("Outlook"), "Outlook"),
        DeviceKind("other", _("Another mail program"), _("Mail program"), (*MAIL_PROTOCOLS, SIEVE)),
        DeviceKind(
            "sender",
            _("Device that only sends mail, such as a printer or scanner"),
            _("Printer or scanner"),
            (SMTP,),
        ),
    )
}
