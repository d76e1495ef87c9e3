"""The kinds of devices and programs that a mailbox can be set up on."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _

from mailboxes.client_setup.servers import IMAP, POP3, SIEVE, SMTP, get_offered_ports

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

MAIL_PROTOCOLS = (IMAP, POP3, SMTP)


@dataclass(frozen=True)
class Device:
    """A kind of device or program."""

    name: str  # in forms; its instructions are in the template devices/<name>.html
    label: "StrOrPromise"
    app_password_name: "StrOrPromise"  # if the person enters none
    protocols: tuple[str, ...] = MAIL_PROTOCOLS

    @property
    def template_name(self) -> str:
        return f"devices/{self.name}.html"

    def build_limits(self) -> dict[str, bool]:
        """Return protocol → whether the app password is good for it: what is offered and used."""
        return {
            name: name in self.protocols and bool(ports)
            for name, ports in get_offered_ports().items()
        }


DEVICES = {
    device.name: device
    for device in (
        Device("apple", _("iPhone, iPad or Mac"), _("iPhone, iPad or Mac")),
        Device("android", _("Android phone or tablet"), _("Android")),
        Device(
            "thunderbird", _("Thunderbird on a computer"), "Thunderbird", (*MAIL_PROTOCOLS, SIEVE)
        ),
        Device("outlook", _("Outlook"), "Outlook"),
        Device("other", _("Another mail program"), _("Mail program"), (*MAIL_PROTOCOLS, SIEVE)),
        Device(
            "sender",
            _("A device that only sends mail, such as a printer or scanner"),
            _("Printer or scanner"),
            (SMTP,),
        ),
    )
}
