"""Try logins: with wrong passwords, and with right ones of temporary accounts."""

import contextlib
import datetime
import itertools
import secrets
import smtplib
import ssl
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, NamedTuple

from django.core.exceptions import ValidationError
from django.utils import timezone

from domains.models import Domain
from mailadmin import bounded_smtp, passwords
from mailadmin.changes.perform import Actor, perform
from mailadmin.passwords import schemes
from mailadmin.translation import gettext as _
from mailadmin.translation import gettext_lazy
from mailboxes.mailserver.checks.hashes import PasswordHashKind, identify_hash
from mailboxes.mailserver.config_parser.postfix import PostfixFiles
from mailboxes.mailserver.config_parser.services import MasterService
from mailboxes.mailserver.verifier.app_passwords import compare_app_passwords, is_accepted_in_time
from mailboxes.mailserver.verifier.comparing import Difference, compare_yes_no
from mailboxes.mailserver.verifier.parameters import iter_smtpd_servers
from mailboxes.mailserver.verifier.programs import LiveDovecot
from mailboxes.mailserver.verifier.smtp import (
    LOOPBACK,
    TIMEOUT_SECONDS,
    format_reply,
    get_listen_address,
)
from mailboxes.models import Mailbox
from mailboxes.services.mail_logins import needs_app_passwords
from mailboxes.services.mailboxes import create_mailboxes, delete_mailboxes

MAX_SAMPLE_DOMAINS = 10  # one mailbox of each is tried with a wrong password
MAX_PARALLEL_LOGINS = 8  # a refusal takes seconds
ACCOUNT_PREFIX, ACCOUNT_NAME = "mailadminverify", "mailadmin mailserver verify"
STALE_ACCOUNT_AGE = datetime.timedelta(hours=1)
RIGHT_PASSWORD_LABEL = gettext_lazy("sign-in with the correct password")
WRONG_PASSWORD_LABEL = gettext_lazy("sign-in with a wrong password")
AUTH_ACCEPTED, AUTH_REJECTED = 235, 535


class ProbeAccount(NamedTuple):
    """A temporary mailbox, its password, and how that is stored."""

    username: str
    password: str
    kind: str
    signs_in: bool = True  # not where mail programs need app passwords


PlannedAccount = tuple[ProbeAccount, PasswordHashKind]  # without a domain


class LoginProbe:
    """Check that the stored hash alone decides about a login."""

    def __init__(
        self,
        dovecot: LiveDovecot,
        postfix: PostfixFiles | None = None,
        makes_accounts: bool = True,
    ) -> None:
        self.dovecot, self.postfix = dovecot, postfix
        self.makes_accounts = makes_accounts
        self.skipped: list[str] = []

    def differences(self, domains: list[str] | None, counts: Counter[str]) -> Iterator[Difference]:
        delete_stale_accounts()
        found = sample_mailboxes(domains)
        counts[str(WRONG_PASSWORD_LABEL)] = len(found)
        yield from self._check_wrong_passwords(found)
        if not self.makes_accounts:
            self.skipped.append(_("sign-in with a correct password (--no-accounts)"))
            return
        with self._temporary_accounts(domains) as accounts:
            counts[str(RIGHT_PASSWORD_LABEL)] = len(accounts)
            for account in accounts:
                yield from self._check_account(account)
            for account in accounts[:1]:
                yield from self._check_smtp_auth(account, counts)
                yield from compare_app_passwords(self.dovecot, account.username, counts)

    def _check_wrong_passwords(self, users: list[str]) -> Iterator[Difference]:
        with ThreadPoolExecutor(MAX_PARALLEL_LOGINS) as pool:
            wrong = secrets.token_hex(16)
            accepted = pool.map(lambda user: self.dovecot.accepts(user, wrong), users)
            for user, is_accepted in zip(users, accepted, strict=True):
                yield from compare_yes_no(user, WRONG_PASSWORD_LABEL, False, is_accepted)

    def _check_account(self, account: ProbeAccount) -> Iterator[Difference]:
        is_accepted = is_accepted_in_time(self.dovecot, account.username, account.password)
        yield from compare_yes_no(account.kind, RIGHT_PASSWORD_LABEL, account.signs_in, is_accepted)
        is_accepted = self.dovecot.accepts(account.username, account.password[::-1])
        yield from compare_yes_no(account.kind, WRONG_PASSWORD_LABEL, False, is_accepted)

    def _check_smtp_auth(self, account: ProbeAccount, counts: Counter[str]) -> Iterator[Difference]:
        """Check that Postfix accepts the account where mail is submitted."""
        if self.postfix is None:
            return
        for name, view in iter_smtpd_servers(self.postfix):
            service = find_listening_service(self.postfix, name)
            if service is None or not view.is_yes("smtpd_sasl_auth_enable"):
                continue
            counts["AUTH"] += 1
            of_right = AUTH_ACCEPTED if account.signs_in else AUTH_REJECTED
            for password, expected in ((account.password, of_right), ("wrong", AUTH_REJECTED)):
                reply = probe_auth(self.postfix, service, view, account.username, password)
                if not reply.startswith(str(expected)):
                    yield Difference(f"master.cf: {name}", "AUTH", str(expected), reply)
                    break  # do not wait twice for an unreachable server

    @contextmanager
    def _temporary_accounts(self, domains: list[str] | None) -> Iterator[list[ProbeAccount]]:
        """Create an account for each kind of password hash, and delete them afterwards."""
        accounts = self._create_accounts(list(self._plan_accounts(domains)), domains)
        try:
            yield accounts
        finally:
            delete_accounts([account.username for account in accounts])

    def _plan_accounts(self, domains: list[str] | None) -> Iterator[PlannedAccount]:
        for kind in sorted(find_hash_kinds(domains)):
            name, password = f"{ACCOUNT_PREFIX}{secrets.token_hex(6)}", secrets.token_hex(12)
            if hash_password_as(kind, password, ACCOUNT_PREFIX):
                yield ProbeAccount(name, password, format_hash_kind(kind)), kind
            else:
                self.skipped.append(
                    _("sign-in with %(scheme)s") % {"scheme": format_hash_kind(kind)}
                )

    def _create_accounts(
        self, planned: list[PlannedAccount], domains: list[str] | None
    ) -> list[ProbeAccount]:
        """Create the accounts in the first domain whose limits allow it.

        Domains in which mail programs need app passwords come last.
        """
        sample = sorted(sample_domains(domains), key=needs_app_passwords)
        for domain in sample if planned else ():
            rows = [build_mailbox_row(account, kind, domain) for account, kind in planned]
            try:
                perform(Actor.console(), create_mailboxes, rows)
            except ValidationError:
                continue
            signs_in = not needs_app_passwords(domain)
            return [
                account._replace(username=f"{account.username}@{domain.pk}", signs_in=signs_in)
                for account, _kind in planned
            ]
        self.skipped.append(
            _("sign-in with a correct password: all domains have reached their limits")
        )
        return []


def build_mailbox_row(
    account: ProbeAccount, kind: PasswordHashKind, domain: Domain
) -> dict[str, Any]:
    """Return the values of the mailbox; some hashes include its whole name."""
    stored = hash_password_as(kind, account.password, f"{account.username}@{domain.pk}")
    row = {"local_part": account.username, "domain": domain, "password": stored}
    return row | {"name": ACCOUNT_NAME, "quota": 1}


def sample_mailboxes(domains: list[str] | None) -> list[str]:
    """Return one active mailbox of each of some domains."""
    found: list[str] = []
    for domain in sample_domains(domains):
        rows = Mailbox.objects.filter(domain=domain, active=True).order_by("pk")
        found += rows.values_list("pk", flat=True)[:1]
    return found


def sample_domains(domains: list[str] | None) -> list[Domain]:
    rows = Domain.objects.filter(active=True, backupmx=False)
    rows = rows if domains is None else rows.filter(pk__in=domains)
    return list(rows.order_by("pk")[:MAX_SAMPLE_DOMAINS])


def find_hash_kinds(domains: list[str] | None) -> set[PasswordHashKind]:
    """Return the kinds of stored passwords, and that of new ones."""
    rows = Mailbox.objects.filter(active=True)
    rows = rows if domains is None else rows.filter(domain__in=domains)
    stored = rows.values_list("password", flat=True).iterator()
    new = passwords.make_hash(secrets.token_hex(12), ACCOUNT_PREFIX)
    return {kind for each in itertools.chain(stored, [new]) if (kind := identify_hash(each))}


def format_hash_kind(kind: PasswordHashKind) -> str:
    return f"{{{kind.name}}}" if kind.is_prefixed else kind.name


def hash_password_as(kind: PasswordHashKind, password: str, username: str) -> str:
    """Return the hash of this kind; empty if the panel cannot write it."""
    name = "PLAIN" if kind == TEXT_HASH_KIND else kind.name
    if schemes.parse_scheme_setting(name) is None:
        return ""
    try:
        stored = passwords.make_hash(password, username, name)
    except ValidationError:
        return ""
    bare = stored.partition("}")[2] if stored.startswith("{") else stored
    return f"{{{kind.name}}}{bare}" if kind.is_prefixed else bare


TEXT_HASH_KIND = PasswordHashKind("TEXT", False)


def delete_stale_accounts() -> None:
    """Delete the accounts of an interrupted run."""
    old = timezone.now() - STALE_ACCOUNT_AGE
    rows = Mailbox.objects.filter(
        local_part__startswith=ACCOUNT_PREFIX, name=ACCOUNT_NAME, created__lt=old
    )
    delete_accounts(list(rows.values_list("pk", flat=True)))


def delete_accounts(keys: list[str]) -> None:
    """Delete these accounts one by one: one of them may have been deleted meanwhile."""
    for key in keys:
        with contextlib.suppress(ValidationError):
            perform(Actor.console(), delete_mailboxes, [key])


def find_listening_service(files: PostfixFiles, name: str) -> MasterService | None:
    """Return the service of this name with an address; others get clients from postscreen(8)."""
    found = (service for service in files.services if service.name == name)
    return next((service for service in found if service.type == "inet"), None)


def probe_auth(
    files: PostfixFiles, service: MasterService, view: PostfixFiles, username: str, password: str
) -> str:
    """Return Postfix's reply to AUTH PLAIN."""
    host, port = get_listen_address(files, service)
    try:
        with open_smtp_session(host, port, view.is_yes("smtpd_tls_wrappermode")) as client:
            client.user, client.password = username, password
            return format_reply(*client.auth("PLAIN", client.auth_plain))
    except smtplib.SMTPAuthenticationError as error:
        return format_reply(error.smtp_code, error.smtp_error)
    except (OSError, smtplib.SMTPException) as error:
        return f"{host}:{port}: {error}"


def open_smtp_session(host: str, port: int, is_wrapped: bool) -> bounded_smtp.BoundedSessionMixin:
    """Open a session, encrypted if that is offered, with any certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    name = f"[{LOOPBACK}]"
    client: bounded_smtp.BoundedSessionMixin
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
