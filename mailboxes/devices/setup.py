"""What somebody needs to set up a device: its app password, the servers, a profile or a QR code."""

from dataclasses import dataclass

from django.core import signing
from django.utils.safestring import SafeString

from mailadmin.qr_codes import draw_qr_code
from mailboxes.client_setup.mobileconfig import build_mobileconfig
from mailboxes.client_setup.servers import ClientServer, ClientServers, get_client_servers
from mailboxes.client_setup.thunderbird_qr import build_account_text
from mailboxes.devices.device_kinds import DeviceKind
from mailboxes.models import Mailbox

PROFILE_SALT = "mailadmin.mailboxes.devices.profile"
PROFILE_SECONDS = 3600  # in which the profile can be downloaded


@dataclass(frozen=True)
class DeviceSetup:
    """A device of a mailbox with its new app password, which is not stored."""

    device: DeviceKind
    mailbox: Mailbox
    app_password_name: str
    password: str

    @property
    def servers(self) -> ClientServers | None:
        return get_client_servers(self.mailbox.domain_id)

    @property
    def shown_servers(self) -> list[ClientServer]:
        """Return the servers that are entered into the device; none if they are not known."""
        servers = self.servers.preferred if self.servers else []
        return [each for each in servers if each.protocol in self.device.used_protocols]

    @property
    def account_qr_code(self) -> SafeString | None:
        """Return the QR code by which Thunderbird for Android takes over the account."""
        if self.servers is None:
            return None
        address, name = self.mailbox.pk, self.mailbox.name
        return draw_qr_code(build_account_text(address, name, self.servers, self.password))

    @property
    def password_qr_code(self) -> SafeString:
        return draw_qr_code(self.password)

    @property
    def profile_request(self) -> str:
        """Return what the form for the profile sends, signed by the panel."""
        values = [self.mailbox.pk, self.mailbox.name, self.mailbox.domain_id, self.password]
        return signing.dumps(values, salt=PROFILE_SALT)


def build_requested_profile(text: str) -> bytes | None:
    """Return the profile that was asked for within the last hour; None for any other text."""
    try:
        values = signing.loads(text, salt=PROFILE_SALT, max_age=PROFILE_SECONDS)
    except signing.BadSignature:
        return None
    return build_mobileconfig(*values)
