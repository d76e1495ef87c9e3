"""Sign-ins that are tried: with wrong passwords, and with right ones of accounts made for it."""

import contextlib
import datetime
import secrets
import smtplib
import ssl
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import NamedTuple

from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from domains.models import Domain
from mailadmin import bounded_smtp, passwords
from mailadmin.changes.perform import Actor, perform
from mailadmin.passwords import schemes
from mailboxes.mailserver.checks.hashes import PasswordHashKind, identify_hash
from mailboxes.mailserver.config_parser.postfix import PostfixFiles
from mailboxes.mailserver.config_parser.services import MasterService
from mailboxes.mailserver.verifier.comparing import Difference, format_yes_no
from mailboxes.mailserver.verifier.parameters import iter_smtpd_servers
from mailboxes.mailserver.verifier.programs import LiveDovecot
from mailboxes.mailserver.verifier.smtp import LOOPBACK, TIMEOUT_SECONDS, get_listen_address
from mailboxes.models import Mailbox
from mailboxes.services.mailboxes import create_mailboxes, delete_mailboxes

MAX_SAMPLE_DOMAINS = 10  # domains of which one mailbox is tried with a wrong password
MAX_PARALLEL_LOGINS = 8  # a refusal takes seconds
ACCOUNT_PREFIX, ACCOUNT_NAME = "mailadminverify", "mailadmin mailserver verify"
STALE_ACCOUNT_AGE = datetime.timedelta(hours=1)
MAX_TRIES, RETRY_SECONDS = 3, 1  # a copy of the database may take a moment to learn of an account
RIGHT_PASSWORD_LABEL = gettext_lazy("sign-in with the right password")
WRONG_PASSWORD_LABEL = gettext_lazy("sign-in with a wrong password")
AUTH_ACCEPTED, AUTH_REJECTED = 235, 535


class ProbeAccount(NamedTuple):
    """A mailbox made for a test, its password, and how that is stored."""

    username: str
    password: str
    kind: str


class LoginProbe:
    """Shows that the stored hash decides, and nothing else."""

    def __init__(
        self,
        dovecot: LiveDovecot,
        postfix: PostfixFiles | None = None,
        makes_accounts: bool = True,
    ):
        self.dovecot, self.postfix = dovecot, postfix
        self.makes_accounts = makes_accounts
        self.unasked = []

    def differences(self, domains: list[str] | None, asked: dict) -> Iterator[Difference]:
        delete_stale_accounts()
        found = sample_mailboxes(domains)
        asked[str(WRONG_PASSWORD_LABEL)] = len(found)
        yield from self._check_wrong_passwords(found)
        if not self.makes_accounts:
            self.unasked.append(_("sign-in with a right password (--no-accounts)"))
            return
        with self._temporary_accounts(domains) as accounts:
            asked[str(RIGHT_PASSWORD_LABEL)] = len(accounts)
            for account in accounts:
                yield from self._check_account(account)
            for account in accounts[:1]:
                yield from self._check_smtp_auth(account, asked)

    def _check_wrong_passwords(self, users: list[str]) -> Iterator[Difference]:
        with ThreadPoolExecutor(MAX_PARALLEL_LOGINS) as pool:
            wrong = secrets.token_hex(16)
            accepted = pool.map(lambda user: self.dovecot.accepts(user, wrong), users)
            for user, is_in in zip(users, accepted, strict=True):
                if is_in:
                    yield Difference(
                        user, WRONG_PASSWORD_LABEL, format_yes_no(False), format_yes_no(True)
                    )

    def _check_account(self, account: ProbeAccount) -> Iterator[Difference]:
        if not self._is_accepted(account):
            yield Difference(
                account.kind, RIGHT_PASSWORD_LABEL, format_yes_no(True), format_yes_no(False)
            )
        if self.dovecot.accepts(account.username, account.password[::-1]):
            yield Difference(
                account.kind, WRONG_PASSWORD_LABEL, format_yes_no(False), format_yes_no(True)
            )

    def _is_accepted(self, account: ProbeAccount) -> bool:
        for number in range(MAX_TRIES):
            if self.dovecot.accepts(account.username, account.password):
                return True
            time.sleep(RETRY_SECONDS if number < MAX_TRIES - 1 else 0)
        return False

    def _check_smtp_auth(self, account: ProbeAccount, asked: dict) -> Iterator[Difference]:
        """Postfix lets people in where they bring mail."""
        for name, view in iter_smtpd_servers(self.postfix) if self.postfix else ():
            service = find_listening_service(self.postfix, name)
            if service is None or not view.is_yes("smtpd_sasl_auth_enable"):
                continue
            asked["AUTH"] = asked.get("AUTH", 0) + 1
            for password, expected in ((account.password, AUTH_ACCEPTED), ("wrong", AUTH_REJECTED)):
                reply = probe_auth(self.postfix, service, view, account.username, password)
                if not reply.startswith(str(expected)):
                    yield Difference(f"master.cf: {name}", "AUTH", str(expected), reply)
                    break  # a server that is not there is not waited for twice

    @contextmanager
    def _temporary_accounts(self, domains: list[str] | None) -> Iterator[list[ProbeAccount]]:
        """An account for each way in which passwords are stored; gone again afterwards."""
        made = self._create_accounts(list(self._plan_accounts(domains)), domains)
        try:
            yield made
        finally:
            delete_accounts([account.username for account in made])

    def _plan_accounts(
        self, domains: list[str] | None
    ) -> Iterator[tuple[ProbeAccount, PasswordHashKind]]:
        """(account without a domain, the way in which its password is stored)."""
        for kind in sorted(find_hash_kinds(domains)):
            name, password = f"{ACCOUNT_PREFIX}{secrets.token_hex(6)}", secrets.token_hex(12)
            if hash_password_as(kind, password, ACCOUNT_PREFIX):
                yield ProbeAccount(name, password, format_hash_kind(kind)), kind
            else:
                self.unasked.append(_("sign-in by %(scheme)s") % {"scheme": format_hash_kind(kind)})

    def _create_accounts(self, planned: list, domains: list[str] | None) -> list[ProbeAccount]:
        """The accounts, in the first domain that has room for them."""
        for domain in sample_domains(domains) if planned else ():
            rows = [build_mailbox_row(account, kind, domain) for account, kind in planned]
            try:
                perform(Actor.console(), create_mailboxes, rows)
            except ValidationError:
                continue
            return [a._replace(username=f"{a.username}@{domain.pk}") for a, _kind in planned]
        self.unasked.append(_("sign-in with a right password: no domain has room"))
        return []


def build_mailbox_row(account: ProbeAccount, kind: PasswordHashKind, domain: Domain) -> dict:
    """The values of the mailbox; some hashes hold its whole name."""
    stored = hash_password_as(kind, account.password, f"{account.username}@{domain.pk}")
    row = {"local_part": account.username, "domain": domain, "password": stored}
    return row | {"name": ACCOUNT_NAME, "quota": 1}


def sample_mailboxes(domains: list[str] | None) -> list[str]:
    """One mailbox that may sign in, of each of some domains."""
    found = []
    for domain in sample_domains(domains):
        rows = Mailbox.objects.filter(domain=domain, active=True).order_by("pk")
        found += rows.values_list("pk", flat=True)[:1]
    return found


def sample_domains(domains: list[str] | None) -> list[Domain]:
    rows = Domain.objects.filter(active=True, backupmx=False)
    rows = rows if domains is None else rows.filter(pk__in=domains)
    return list(rows.order_by("pk")[:MAX_SAMPLE_DOMAINS])


def find_hash_kinds(domains: list[str] | None) -> set[PasswordHashKind]:
    """The ways in which passwords are stored, and that for new ones."""
    rows = Mailbox.objects.filter(active=True)
    rows = rows if domains is None else rows.filter(domain__in=domains)
    stored = rows.values_list("password", flat=True).iterator()
    found = {kind for each in stored if (kind := identify_hash(each))}
    return found | {identify_hash(passwords.make_hash(secrets.token_hex(12), ACCOUNT_PREFIX))}


def format_hash_kind(kind: PasswordHashKind) -> str:
    return f"{{{kind.name}}}" if kind.is_prefixed else kind.name


def hash_password_as(kind: PasswordHashKind, password: str, username: str) -> str:
    """What is stored for this password in this way; empty where the panel cannot write it."""
    name = "PLAIN" if kind == TEXT_HASH_KIND else kind.name
    if schemes.parse_scheme_setting(name) is None:
        return ""
    try:
        made = passwords.make_hash(password, username, name)
    except ValidationError:
        return ""
    bare = made.partition("}")[2] if made.startswith("{") else made
    return f"{{{kind.name}}}{bare}" if kind.is_prefixed else bare


TEXT_HASH_KIND = PasswordHashKind("TEXT", False)


def delete_stale_accounts() -> None:
    """Remove what a run that was ended has left behind."""
    old = timezone.now() - STALE_ACCOUNT_AGE
    rows = Mailbox.objects.filter(
        local_part__startswith=ACCOUNT_PREFIX, name=ACCOUNT_NAME, created__lt=old
    )
    delete_accounts(list(rows.values_list("pk", flat=True)))


def delete_accounts(keys: list[str]) -> None:
    """Delete these accounts one by one: somebody may have deleted one of them meanwhile."""
    for key in keys:
        with contextlib.suppress(ValidationError):
            perform(Actor.console(), delete_mailboxes, [key])


def find_listening_service(files: PostfixFiles, name: str) -> MasterService | None:
    """The service of this name at an address; others get their clients from postscreen(8)."""
    found = (service for service in files.services if service.name == name)
    return next((service for service in found if service.type == "inet"), None)


def probe_auth(
    files: PostfixFiles, service: MasterService, view: PostfixFiles, username: str, password: str
) -> str:
    """Postfix's reply to AUTH PLAIN."""
    host, port = get_listen_address(files, service)
    try:
        with open_smtp_session(host, port, view.is_yes("smtpd_tls_wrappermode")) as client:
            client.user, client.password = username, password
            code, text = client.auth("PLAIN", client.auth_plain)
    except smtplib.SMTPAuthenticationError as error:
        code, text = error.smtp_code, error.smtp_error
    except (OSError, smtplib.SMTPException) as error:
        return f"{host}:{port}: {error}"
    return f"{code} {text.decode(errors='replace')}"


def open_smtp_session(host: str, port: int, is_wrapped: bool) -> smtplib.SMTP:
    """A session that is encrypted where that is offered, whatever the certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    name = f"[{LOOPBACK}]"
    if is_wrapped:
        client = bounded_smtp.BoundedSMTPSSL(
            host, port, name, timeout=TIMEOUT_SECONDS, context=context
        )
    else:
        client = bounded_smtp.BoundedSMTP(host, port, name, TIMEOUT_SECONDS)
        client.ehlo()
        if client.has_extn("starttls"):
            client.starttls(context=context)
    client.ehlo()
    return client
