"""Try recipients on Postfix and Dovecot's LMTP; no mail is sent."""

import contextlib
import re
import secrets
import smtplib
import socket
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db.models import QuerySet

from domains.models import AliasDomain, Domain
from mailadmin import bounded_smtp
from mailadmin.translation import gettext as _
from mailboxes.mailserver.checks.access import is_submission
from mailboxes.mailserver.config_parser.postfix import PostfixFiles
from mailboxes.mailserver.config_parser.services import MasterService
from mailboxes.mailserver.verifier.comparing import (
    Difference,
    filter_by_domains,
    sample_alias_domain_addresses,
)
from mailboxes.mailserver.verifier.programs import ServerUnavailable
from mailboxes.models import Alias, Mailbox
from mailboxes.postfix.routing import PostfixRouter, build_panel_config

TIMEOUT_SECONDS = 15
SAMPLE_SIZE = 5  # addresses of each kind
MAX_DEFERRED_REPLIES = 3  # of 4xx: each takes long, and the others would be the same
MAX_SESSION_RECIPIENTS = 8  # after more refusals in one session Postfix delays its replies
LOOPBACK = "127.0.0.1"
WILDCARD_INTERFACES = {"", "all", "loopback-only", "localhost"}
SERVICE_PORTS = {"lmtp": 24, "smtp": 25, "smtps": 465, "submissions": 465, "submission": 587}
PROBE_ADDRESS_RE = re.compile(r"[\w!#$%&'*+/=?^`{|}~.-]+@[\w.-]+", re.ASCII)
MAILBOX_FULL_CODES = ("5.2.2", "4.2.2")  # the mailbox is there, and full
CLIENT_SERVICE_OPTIONS = ("smtpd_sasl_auth_enable", "smtpd_tls_wrappermode")


def get_listen_address(files: PostfixFiles, service: MasterService) -> tuple[str, int]:
    """Return where a service listens, and the loopback address if it listens everywhere."""
    host, _colon, port = service.name.rpartition(":")
    interfaces = files.for_service(service).words("inet_interfaces")
    host = host.strip("[]") or next((word for word in interfaces), "")
    return LOOPBACK if host in WILDCARD_INTERFACES else host, parse_port(port)


def parse_port(name: str) -> int:
    if name.isdigit():
        return int(name)
    with contextlib.suppress(OSError):
        return SERVICE_PORTS.get(name) or socket.getservbyname(name, "tcp")
    raise ServerUnavailable(_("%(name)s is not a port") % {"name": name})


def find_smtp_listener(files: PostfixFiles) -> MasterService:
    """Return the service to which other servers deliver mail."""
    for service in files.services:
        is_smtp = service.type == "inet" and service.command in ("smtpd", "postscreen")
        is_for_clients = is_submission(service) or any(
            name in service.options for name in CLIENT_SERVICE_OPTIONS
        )
        if is_smtp and not is_for_clients:
            return service
    raise ServerUnavailable(_("master.cf has no SMTP service for incoming mail"))


def iter_recipient_replies(files: PostfixFiles, addresses: list[str]) -> Iterator[tuple[str, str]]:
    """Yield each address with the reply to RCPT TO."""
    host, port = get_listen_address(files, find_smtp_listener(files))
    for start in range(0, len(addresses), MAX_SESSION_RECIPIENTS):
        batch = addresses[start : start + MAX_SESSION_RECIPIENTS]
        try:
            with bounded_smtp.BoundedSMTP(host, port, f"[{LOOPBACK}]", TIMEOUT_SECONDS) as client:
                yield from iter_rcpt_replies(client, batch)
        except (OSError, smtplib.SMTPException) as error:
            raise ServerUnavailable(f"{host}:{port}: {error}") from error


def iter_rcpt_replies(client: smtplib.SMTP, addresses: list[str]) -> Iterator[tuple[str, str]]:
    client.ehlo_or_helo_if_needed()
    code, text = client.mail("")
    for address in addresses:
        if code == 250:
            yield address, format_reply(*client.rcpt(address))
        else:
            yield address, format_reply(code, text)


def format_reply(code: int, text: bytes | str) -> str:
    text = text.decode(errors="replace") if isinstance(text, bytes) else text
    return f"{code} {text}"


def sample_addresses(domains: list[str] | None) -> list[str]:
    """Return some addresses of mailboxes, aliases and alias domains, and some unknown ones."""
    found: list[str] = []
    for model in (Mailbox, Alias):
        rows = filter_by_domains(model.objects.all(), "domain", domains)
        found += get_first_keys(rows.filter(active=True))
        found += get_first_keys(rows.filter(active=False))
        if model is Mailbox:
            found += [add_test_extension(address) for address in found[:1]]
    hosted = filter_by_domains(Domain.objects.filter(active=True), "pk", domains)
    for rows in (hosted.filter(backupmx=False), hosted.filter(backupmx=True)):
        found += [f"verify-{secrets.token_hex(4)}@{name}" for name in get_first_keys(rows)]
    found += sample_alias_domain_addresses(
        get_first_keys(filter_by_domains(AliasDomain.objects.all(), "pk", domains))
    )
    unique = dict.fromkeys(address.lower() for address in found)
    return [address for address in unique if PROBE_ADDRESS_RE.fullmatch(address)]


def add_test_extension(address: str) -> str:
    """Return the address with an extension, which is delivered to the same owner."""
    local_part, _at, domain = address.rpartition("@")
    return f"{local_part}{settings.MAILADMIN_RECIPIENT_DELIMITER[:1]}verify@{domain}"


def get_first_keys(rows: QuerySet[Any]) -> list[str]:
    return list(rows.order_by("pk").values_list("pk", flat=True)[:SAMPLE_SIZE])


class SmtpProbe:
    """Compare the replies to RCPT TO with those expected by the panel's rows."""

    def __init__(self, files: PostfixFiles) -> None:
        self.files = files
        self.skipped: list[str] = []  # such as addresses to which this machine may relay

    def differences(self, domains: list[str] | None, counts: Counter[str]) -> Iterator[Difference]:
        addresses = sample_addresses(domains)
        router, deferred = PostfixRouter(build_panel_config()), 0
        for address, reply in iter_recipient_replies(self.files, addresses):
            deferred += reply.startswith("4")
            if deferred > MAX_DEFERRED_REPLIES:
                self.skipped.append(_("more addresses, because Postfix defers all mail"))
                return
            route = router.route(address)
            expected = "" if route.loop else route.reply
            if route.kind == "default" and reply.startswith("2"):
                self.skipped.append(
                    _("%(address)s: this machine is allowed to relay") % {"address": address}
                )
                continue
            counts["RCPT TO"] += 1
            if reply[0] != (expected[:1] or "2"):
                yield Difference(address, "RCPT TO", expected or "250", reply)


class LmtpProbe:
    """Try mailboxes on the server of virtual_transport, if it speaks LMTP."""

    def __init__(self, files: PostfixFiles) -> None:
        self.files = files
        kind, _colon, self.place = files.value("virtual_transport").partition(":")
        service = files.service(kind, "unix")
        self.skipped: list[str] = []
        self.is_used = bool(service and service.command == "lmtp" and self.place)

    def differences(self, domains: list[str] | None, counts: Counter[str]) -> Iterator[Difference]:
        if not self.is_used:
            return
        hosted = filter_by_domains(
            Domain.objects.filter(active=True, backupmx=False), "pk", domains
        )
        rows = Mailbox.objects.filter(active=True, domain__in=get_first_keys(hosted))
        addresses = [
            address for address in get_first_keys(rows) if PROBE_ADDRESS_RE.fullmatch(address)
        ]
        for address, reply in self.get_replies(addresses):
            counts["LMTP"] += 1
            if not reply.startswith("2") and not any(code in reply for code in MAILBOX_FULL_CODES):
                yield Difference(address, "LMTP", "250", reply)

    def get_replies(self, addresses: list[str]) -> list[tuple[str, str]]:
        """Return the reply for each address; an unreachable server counts as a refusal of each."""
        host, port = self.get_address()
        try:
            with bounded_smtp.BoundedLMTP(
                host, port, f"[{LOOPBACK}]", timeout=TIMEOUT_SECONDS
            ) as client:
                return list(iter_rcpt_replies(client, addresses))
        except (OSError, smtplib.SMTPException) as error:
            return [(address, f"{self.place}: {error}") for address in addresses]

    def get_address(self) -> tuple[str, int]:
        """Return the host and port, by default that of Postfix; a socket has port 0."""
        kind, _colon, rest = self.place.partition(":")
        if kind == "unix":
            return str(Path(self.files.value("queue_directory"), rest)), 0
        place = self.place.removeprefix("inet:")
        if place.endswith("]") or ":" not in place:
            place = f"{place}:{self.files.value('lmtp_tcp_port')}"
        host, _colon, port = place.rpartition(":")
        return host.strip("[]"), parse_port(port)
