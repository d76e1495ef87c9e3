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
from mailboxes.mailserver.config_parser.services import Service
from mailboxes.mailserver.verifier.comparing import Difference, mirrored
from mailboxes.mailserver.verifier.programs import Unavailable
from mailboxes.models import Alias, Mailbox
from mailboxes.postfix.routing import Postfix as Router
from mailboxes.postfix.routing import own_setup

SECONDS = 15
SAMPLE = 5  # addresses of each kind
MOST_DEFERRED = 3  # replies of 4xx: each takes long, and the others would be the same
SESSION = 8  # recipients of one session: after more refusals Postfix makes a client wait
LOOPBACK = "127.0.0.1"
EVERYWHERE = {"", "all", "loopback-only", "localhost"}
PORTS = {"smtp": 25, "smtps": 465, "submissions": 465, "submission": 587}
ASKABLE = re.compile(r"[\w!#$%&'*+/=?^`{|}~.-]+@[\w.-]+", re.ASCII)
FULL = ("5.2.2", "4.2.2")  # the mailbox is there, and full
OVERRIDES = ("smtpd_sasl_auth_enable", "smtpd_tls_wrappermode")


def place_of(files: PostfixFiles, service: Service) -> tuple[str, int]:
    """Where a service listens; one that listens everywhere is asked on this machine."""
    host, _colon, port = service.name.rpartition(":")
    interfaces = files.with_overrides(service).words("inet_interfaces")
    host = host.strip("[]") or next((word for word in interfaces), "")
    return LOOPBACK if host in EVERYWHERE else host, port_of(port)


def port_of(name: str) -> int:
    if name.isdigit():
        return int(name)
    with contextlib.suppress(OSError):
        return PORTS.get(name) or socket.getservbyname(name, "tcp")
    raise Unavailable(_("%(name)s is no port") % {"name": name})


def listener(files: PostfixFiles) -> Service:
    """The service to which other servers bring mail."""
    for service in files.services:
        is_smtp = service.type == "inet" and service.command in ("smtpd", "postscreen")
        is_for_clients = is_submission(service) or any(
            name in service.options for name in OVERRIDES
        )
        if is_smtp and not is_for_clients:
            return service
    raise Unavailable(_("master.cf has no SMTP server for mail from others"))


def replies(files: PostfixFiles, addresses: list[str]) -> Iterator[tuple[str, str]]:
    """(address, reply to RCPT TO) of each."""
    host, port = place_of(files, listener(files))
    for start in range(0, len(addresses), SESSION):
        some = addresses[start : start + SESSION]
        try:
            with bounded_smtp.SMTP(host, port, f"[{LOOPBACK}]", SECONDS) as client:
                yield from asked(client, some)
        except (OSError, smtplib.SMTPException) as error:
            raise Unavailable(f"{host}:{port}: {error}") from error


def asked(client: smtplib.SMTP, addresses: list[str]) -> Iterator[tuple[str, str]]:
    client.ehlo_or_helo_if_needed()
    code, text = client.mail("")
    for address in addresses:
        if code == 250:
            yield address, said(*client.rcpt(address))
        else:
            yield address, said(code, text)


def said(code: int, text: bytes) -> str:
    return f"{code} {text.decode(errors='replace')}"


def samples(domains: list[str] | None) -> list[str]:
    """Some addresses of each kind: of mailboxes, aliases, alias domains, and of nobody."""
    found = []
    for model in (Mailbox, Alias):
        rows = of(model.objects.all(), "domain", domains)
        found += first(rows.filter(active=True)) + first(rows.filter(active=False))
        if model is Mailbox:
            found += [extended(address) for address in found[:1]]
    hosted = of(Domain.objects.filter(active=True), "pk", domains)
    for rows in (hosted.filter(backupmx=False), hosted.filter(backupmx=True)):
        found += [f"verify-{secrets.token_hex(4)}@{name}" for name in first(rows)]
    found += mirrored(first(of(AliasDomain.objects.all(), "pk", domains)))
    found = dict.fromkeys(address.lower() for address in found)
    return [address for address in found if ASKABLE.fullmatch(address)]


def of(rows: QuerySet, lookup: str, domains: list[str] | None) -> QuerySet:
    """Rows of these domains, or all; names are literals, as collations may differ."""
    return rows if domains is None else rows.filter(**{f"{lookup}__in": domains})


def extended(address: str) -> str:
    """The address with an extension, which is its owner's too."""
    local_part, _at, domain = address.rpartition("@")
    return f"{local_part}{settings.MAILADMIN_RECIPIENT_DELIMITER[:1]}verify@{domain}"


def first(rows: QuerySet) -> list[str]:
    return list(rows.order_by("pk").values_list("pk", flat=True)[:SAMPLE])


class Smtp:
    """Compares the replies to RCPT TO with those that the panel's rows lead to."""

    def __init__(self, files: PostfixFiles):
        self.files = files
        self.unasked = []  # addresses to which this machine may relay, whatever they are

    def differences(self, domains: list[str] | None, asked: dict) -> Iterator[Difference]:
        addresses = samples(domains)
        router, deferred = Router(own_setup()), 0
        for address, reply in replies(self.files, addresses):
            deferred += reply.startswith("4")
            if deferred > MOST_DEFERRED:
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


class Lmtp:
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
        hosted = of(Domain.objects.filter(active=True, backupmx=False), "pk", domains)
        rows = Mailbox.objects.filter(active=True, domain__in=first(hosted))
        addresses = [address for address in first(rows) if ASKABLE.fullmatch(address)]
        for address, reply in self.replies(addresses):
            asked["LMTP"] = asked.get("LMTP", 0) + 1
            if not reply.startswith("2") and not any(code in reply for code in FULL):
                yield Difference(address, "LMTP", "250", reply)

    def replies(self, addresses: list[str]) -> list[tuple[str, str]]:
        """A server that is not there refuses each of them, as Postfix would find out."""
        host, port = self.address()
        try:
            with bounded_smtp.LMTP(host, port, f"[{LOOPBACK}]", timeout=SECONDS) as client:
                return list(asked(client, addresses))
        except (OSError, smtplib.SMTPException) as error:
            return [(address, f"{self.place}: {error}") for address in addresses]

    def address(self) -> tuple[str, int]:
        kind, _colon, rest = self.place.partition(":")
        if kind == "unix":
            return str(Path(self.files.value("queue_directory"), rest)), 0
        host, _colon, port = self.place.removeprefix("inet:").rpartition(":")
        return host.strip("[]"), port_of(port)
