"""Postfix and Dovecot's LMTP asked whether they take mail for an address; none is sent."""

import contextlib
import re
import secrets
import smtplib
import socket
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from domains.models import AliasDomain, Domain
from mailadmin import bounded_smtp
from mailboxes.mailserver.checks.access import is_submission
from mailboxes.mailserver.config_parser.postfix import PostfixFiles
from mailboxes.mailserver.config_parser.services import MasterService
from mailboxes.mailserver.verifier.comparing import Difference, sample_alias_domain_addresses
from mailboxes.mailserver.verifier.programs import ServerUnavailable
from mailboxes.models import Alias, Mailbox
from mailboxes.postfix.routing import PostfixRouter as Router
from mailboxes.postfix.routing import build_panel_config

TIMEOUT_SECONDS = 15
SAMPLE_SIZE = 5  # addresses of each kind
MAX_DEFERRED_REPLIES = 3  # replies of 4xx: each takes long, and the others would be the same
MAX_SESSION_RECIPIENTS = (
    8  # recipients of one session: after more refusals Postfix makes a client wait
)
LOOPBACK = "127.0.0.1"
WILDCARD_INTERFACES = {"", "all", "loopback-only", "localhost"}
SERVICE_PORTS = {"smtp": 25, "smtps": 465, "submissions": 465, "submission": 587}
PROBE_ADDRESS_RE = re.compile(r"[\w!#$%&'*+/=?^`{|}~.-]+@[\w.-]+", re.ASCII)
MAILBOX_FULL_CODES = ("5.2.2", "4.2.2")  # the mailbox is there, and full
CLIENT_SERVICE_OPTIONS = ("smtpd_sasl_auth_enable", "smtpd_tls_wrappermode")


def get_listen_address(files: PostfixFiles, service: MasterService) -> tuple[str, int]:
    """Where a service listens; one that listens everywhere is asked on this machine."""
    host, _colon, port = service.name.rpartition(":")
    interfaces = files.for_service(service).words("inet_interfaces")
    host = host.strip("[]") or next((word for word in interfaces), "")
    return LOOPBACK if host in WILDCARD_INTERFACES else host, parse_port(port)


def parse_port(name: str) -> int:
    if name.isdigit():
        return int(name)
    with contextlib.suppress(OSError):
        return SERVICE_PORTS.get(name) or socket.getservbyname(name, "tcp")
    raise ServerUnavailable(_("%(name)s is no port") % {"name": name})


def find_smtp_listener(files: PostfixFiles) -> MasterService:
    """The service to which other servers bring mail."""
    for service in files.services:
        is_smtp = service.type == "inet" and service.command in ("smtpd", "postscreen")
        is_for_clients = is_submission(service) or any(
            name in service.options for name in CLIENT_SERVICE_OPTIONS
        )
        if is_smtp and not is_for_clients:
            return service
    raise ServerUnavailable(_("master.cf has no SMTP server for mail from others"))


def iter_recipient_replies(files: PostfixFiles, addresses: list[str]) -> Iterator[tuple[str, str]]:
    """(address, reply to RCPT TO) of each."""
    host, port = get_listen_address(files, find_smtp_listener(files))
    for start in range(0, len(addresses), MAX_SESSION_RECIPIENTS):
        some = addresses[start : start + MAX_SESSION_RECIPIENTS]
        try:
            with bounded_smtp.BoundedSMTP(host, port, f"[{LOOPBACK}]", TIMEOUT_SECONDS) as client:
                yield from iter_rcpt_replies(client, some)
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


def format_reply(code: int, text: bytes) -> str:
    return f"{code} {text.decode(errors='replace')}"


def sample_addresses(domains: list[str] | None) -> list[str]:
    """Some addresses of each kind: of mailboxes, aliases, alias domains, and of nobody."""
    found = []
    for model in (Mailbox, Alias):
        rows = filter_by_domains(model.objects.all(), "domain", domains)
        found += get_first_keys(rows.filter(active=True)) + get_first_keys(
            rows.filter(active=False)
        )
        if model is Mailbox:
            found += [add_test_extension(address) for address in found[:1]]
    hosted = filter_by_domains(Domain.objects.filter(active=True), "pk", domains)
    for rows in (hosted.filter(backupmx=False), hosted.filter(backupmx=True)):
        found += [f"verify-{secrets.token_hex(4)}@{name}" for name in get_first_keys(rows)]
    found += sample_alias_domain_addresses(
        get_first_keys(filter_by_domains(AliasDomain.objects.all(), "pk", domains))
    )
    found = dict.fromkeys(address.lower() for address in found)
    return [address for address in found if PROBE_ADDRESS_RE.fullmatch(address)]


def filter_by_domains(rows: QuerySet, lookup: str, domains: list[str] | None) -> QuerySet:
    """Rows of these domains, or all; names are literals, as collations may differ."""
    return rows if domains is None else rows.filter(**{f"{lookup}__in": domains})


def add_test_extension(address: str) -> str:
    """The address with an extension, which is its owner's too."""
    local_part, _at, domain = address.rpartition("@")
    return f"{local_part}{settings.MAILADMIN_RECIPIENT_DELIMITER[:1]}verify@{domain}"


def get_first_keys(rows: QuerySet) -> list[str]:
    return list(rows.order_by("pk").values_list("pk", flat=True)[:SAMPLE_SIZE])


class SmtpProbe:
    """Compares the replies to RCPT TO with those that the panel's rows lead to."""

    def __init__(self, files: PostfixFiles):
        self.files = files
        self.unasked = []  # addresses to which this machine may relay, whatever they are

    def differences(self, domains: list[str] | None, asked: dict) -> Iterator[Difference]:
        addresses = sample_addresses(domains)
        router, deferred = Router(build_panel_config()), 0
        for address, reply in iter_recipient_replies(self.files, addresses):
            deferred += reply.startswith("4")
            if deferred > MAX_DEFERRED_REPLIES:
                self.unasked.append(_("more addresses, as Postfix defers all mail"))
                return
            route = router.route(address)
            expected = "" if route.loop else route.reply
            if route.kind == "default" and reply.startswith("2"):
                self.unasked.append(_("%(address)s: this machine may relay") % {"address": address})
                continue
            asked["RCPT TO"] = asked.get("RCPT TO", 0) + 1
            if reply[0] != (expected[:1] or "2"):
                yield Difference(address, "RCPT TO", expected or "250", reply)


class LmtpProbe:
    """Asks the server to which virtual_transport hands mail, if it speaks LMTP."""

    def __init__(self, files: PostfixFiles):
        self.files = files
        kind, _colon, self.place = files.value("virtual_transport").partition(":")
        service = files.service(kind, "unix")
        self.unasked = []
        self.is_used = bool(service and service.command == "lmtp" and self.place)

    def differences(self, domains: list[str] | None, asked: dict) -> Iterator[Difference]:
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
            asked["LMTP"] = asked.get("LMTP", 0) + 1
            if not reply.startswith("2") and not any(code in reply for code in MAILBOX_FULL_CODES):
                yield Difference(address, "LMTP", "250", reply)

    def get_replies(self, addresses: list[str]) -> list[tuple[str, str]]:
        """A server that is not there refuses each of them, as Postfix would find out."""
        host, port = self.address()
        try:
            with bounded_smtp.BoundedLMTP(
                host, port, f"[{LOOPBACK}]", timeout=TIMEOUT_SECONDS
            ) as client:
                return list(iter_rcpt_replies(client, addresses))
        except (OSError, smtplib.SMTPException) as error:
            return [(address, f"{self.place}: {error}") for address in addresses]

    def address(self) -> tuple[str, int]:
        kind, _colon, rest = self.place.partition(":")
        if kind == "unix":
            return str(Path(self.files.value("queue_directory"), rest)), 0
        host, _colon, port = self.place.removeprefix("inet:").rpartition(":")
        return host.strip("[]"), parse_port(port)
