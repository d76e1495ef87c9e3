"""The servers of a domain, as the settings name them; every document and page takes them here."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from mailadmin.conf.client_servers import TLS, ServicePort

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

IMAP, POP3, SMTP, SIEVE = "imap", "pop3", "smtp", "sieve"
PROTOCOL_SETTINGS = {
    IMAP: "MAILADMIN_MAIL_IMAP",
    POP3: "MAILADMIN_MAIL_POP3",
    SMTP: "MAILADMIN_MAIL_SMTP",
    SIEVE: "MAILADMIN_MAIL_SIEVE",
}
PROTOCOL_LABELS = {
    IMAP: _("Incoming mail (IMAP)"),
    POP3: _("Incoming mail (POP3)"),
    SMTP: _("Outgoing mail (SMTP)"),
    SIEVE: _("Mail filters (ManageSieve)"),
}


@dataclass(frozen=True)
class ClientServer:
    """A server that mail programs connect to."""

    protocol: str  # imap, pop3, smtp or sieve
    host: str
    port: int
    security: str  # tls or starttls

    @property
    def is_tls(self) -> bool:
        """Return whether connections are encrypted from the first byte."""
        return self.security == TLS

    @property
    def label(self) -> "StrOrPromise":
        return PROTOCOL_LABELS[self.protocol]

    @property
    def security_label(self) -> str:
        return "SSL/TLS" if self.is_tls else "STARTTLS"


@dataclass(frozen=True)
class ClientServers:
    """The servers for one domain; of each protocol the preferred one first."""

    domain: str
    host: str
    servers: tuple[ClientServer, ...]

    def of(self, *protocols: str) -> list[ClientServer]:
        """Return the servers of these protocols, in this order."""
        return [each for name in protocols for each in self.servers if each.protocol == name]

    @property
    def incoming(self) -> list[ClientServer]:
        return self.of(IMAP, POP3)

    @property
    def outgoing(self) -> list[ClientServer]:
        return self.of(SMTP)

    @property
    def preferred(self) -> list[ClientServer]:
        """Return one server of each protocol that is offered."""
        return [server for name in PROTOCOL_SETTINGS for server in self.of(name)[:1]]


def get_client_servers(domain: str) -> ClientServers | None:
    """Return the servers for mailboxes of a domain; None if MAILADMIN_MAIL_HOST is not set."""
    if not settings.MAILADMIN_MAIL_HOST:
        return None
    host = settings.MAILADMIN_MAIL_HOST.replace("{domain}", domain)
    servers = (
        ClientServer(protocol, host, *port)
        for protocol, ports in get_offered_ports().items()
        for port in ports
    )
    return ClientServers(domain, host, tuple(servers))


def get_offered_ports() -> dict[str, tuple[ServicePort, ...]]:
    """Return protocol → its ports, as the settings name them."""
    return {protocol: getattr(settings, name) for protocol, name in PROTOCOL_SETTINGS.items()}
