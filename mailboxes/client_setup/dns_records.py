"""The DNS records by which mail programs find the servers of a domain (RFC 6186 and 8314)."""

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings

from mailboxes.client_setup.hosted_domains import DISCOVERY_LABELS, parse_domain_name
from mailboxes.client_setup.servers import IMAP, POP3, SIEVE, SMTP, ClientServer, ClientServers

TTL_SECONDS = 3600
HTTPS_PORT = 443
NOT_OFFERED = "0 0 0 ."
# (service, protocol, whether it is encrypted from the first byte; None: by STARTTLS alone or not)
SRV_SERVICES = (
    ("_imaps", IMAP, True),
    ("_imap", IMAP, False),
    ("_pop3s", POP3, True),
    ("_pop3", POP3, False),
    ("_submissions", SMTP, True),
    ("_submission", SMTP, False),
    ("_sieve", SIEVE, None),
)


@dataclass(frozen=True)
class DnsRecord:
    """A record of a zone; its name is relative to the domain."""

    name: str
    type: str
    value: str

    def format(self, domain: str) -> str:
        """Return the line of a zone file."""
        return f"{self.name}.{domain}. {TTL_SECONDS} IN {self.type} {self.value}"


def iter_dns_records(servers: ClientServers) -> Iterator[DnsRecord]:
    """Yield the records of the mail servers, then those of the documents that the panel serves."""
    for service, protocol, is_tls in SRV_SERVICES:
        found = [each for each in servers.of(protocol) if is_tls is None or each.is_tls is is_tls]
        for server in found:
            yield DnsRecord(f"{service}._tcp", "SRV", format_target(server, servers))
        if not found:
            yield DnsRecord(f"{service}._tcp", "SRV", NOT_OFFERED)
    yield from iter_document_records()


def format_target(server: ClientServer, servers: ClientServers) -> str:
    """Return the value of a record; clients compare priorities also between IMAP and POP3."""
    group = next(
        group for group in (servers.incoming, servers.outgoing, [server]) if server in group
    )
    return f"{group.index(server) * 10} 1 {server.port} {server.host}."


def iter_document_records() -> Iterator[DnsRecord]:
    """Yield the records by which mail programs find the panel; Outlook asks by HTTPS only."""
    host, is_https, port = get_document_host()
    if not host:
        return
    for label in DISCOVERY_LABELS if is_https else DISCOVERY_LABELS[:1]:
        yield DnsRecord(label, "CNAME", f"{host}.")
    if is_https:
        yield DnsRecord("_autodiscover._tcp", "SRV", f"0 1 {port} {host}.")


def get_document_host() -> tuple[str, bool, int]:
    """Return the panel's host name, whether it has HTTPS, and its port; no IP address."""
    url = urlsplit(settings.MAILADMIN_URL or "")
    return (
        parse_domain_name(url.hostname or ""),
        url.scheme == "https",
        url.port or HTTPS_PORT,
    )


def format_zone(domain: str, servers: ClientServers) -> str:
    """Return all records as lines of a zone file."""
    return "".join(f"{record.format(domain)}\n" for record in iter_dns_records(servers))
