"""Try app passwords of a temporary mailbox: each signs in by its protocols, and by no other."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from mailadmin.changes.perform import Actor, perform
from mailadmin.translation import gettext as _
from mailboxes.mailserver.verifier.comparing import Difference, compare_yes_no
from mailboxes.mailserver.verifier.programs import LiveDovecot
from mailboxes.models import AppPassword, AppPasswordLimits
from mailboxes.services.app_passwords import create_app_passwords, generate_app_password

# The protocols of each app password that is tried; Dovecot's services have the same names.
TRIED_PROTOCOLS = (("imap", "sieve"), ("pop3", "smtp"))
MAX_ATTEMPTS, RETRY_SECONDS = 3, 1  # a replica may take a moment to receive an account


class Attempt(NamedTuple):
    """A sign-in by a protocol with an app password, and the protocols that it is good for."""

    text: str
    service: str
    protocols: Sequence[str]

    @property
    def is_expected(self) -> bool:
        return self.service in self.protocols

    @property
    def label(self) -> str:
        protocol = AppPassword.PROTOCOLS[self.service]
        return _("sign-in by %(protocol)s") % {"protocol": protocol}

    @property
    def key(self) -> str:
        names = ", ".join(AppPassword.PROTOCOLS[name] for name in self.protocols)
        return _("app password for %(protocols)s") % {"protocols": names}


def compare_app_passwords(
    dovecot: LiveDovecot, username: str, counts: Counter[str]
) -> Iterator[Difference]:
    """Create app passwords for a temporary mailbox and try them, if anybody has one."""
    if not AppPasswordLimits.objects.exists():
        return
    attempts = [*plan_attempts(username)]
    counts[_("sign-in with an app password")] = len(attempts)
    with ThreadPoolExecutor(len(attempts)) as pool:  # a refusal takes seconds
        accepted = pool.map(lambda attempt: is_accepted(dovecot, username, attempt), attempts)
        for attempt, found in zip(attempts, accepted, strict=True):
            yield from compare_yes_no(attempt.key, attempt.label, attempt.is_expected, found)


def plan_attempts(username: str) -> Iterator[Attempt]:
    """Create the app passwords, and yield every sign-in to try; nobody gets a mail about them."""
    rows = [
        {
            "mailbox": username,
            "description": ", ".join(protocols),
            "limits": {name: name in protocols for name in AppPassword.PROTOCOLS},
            "text": generate_app_password(),
        }
        for protocols in TRIED_PROTOCOLS
    ]
    created = perform(Actor.console(), create_app_passwords, rows, False)
    for row, protocols in zip(created, TRIED_PROTOCOLS, strict=True):
        for service in AppPassword.PROTOCOLS:
            yield Attempt(row.new_password, service, protocols)


def is_accepted(dovecot: LiveDovecot, username: str, attempt: Attempt) -> bool:
    if attempt.is_expected:
        return is_accepted_in_time(dovecot, username, attempt.text, attempt.service)
    return dovecot.accepts(username, attempt.text, attempt.service)


def is_accepted_in_time(
    dovecot: LiveDovecot, username: str, password: str, service: str = "imap"
) -> bool:
    """Try a correct password several times."""
    for number in range(MAX_ATTEMPTS):
        if dovecot.accepts(username, password, service):
            return True
        time.sleep(RETRY_SECONDS if number < MAX_ATTEMPTS - 1 else 0)
    return False
