"""When somebody last signed in to a mailbox, as Dovecot has recorded it."""

import datetime
from typing import NamedTuple

from django.utils import timezone

from mailboxes.models import AppPassword, LastLogin, Mailbox


class LastUse(NamedTuple):
    """One sign-in: when, by which protocol, from where."""

    at: datetime.datetime
    protocol: str
    address: str


def find_last_uses(mailbox: Mailbox) -> dict[int, LastUse]:
    """Return the last sign-in by each app password, by its id; that by the main password is 0."""
    rows = LastLogin.objects.filter(mailbox=mailbox.pk).order_by("at")
    return {row.app_password: build_last_use(row) for row in rows}


def find_last_logins(mailbox: Mailbox) -> list[LastUse]:
    """Return the last sign-in by each protocol, the latest first."""
    rows = LastLogin.objects.filter(mailbox=mailbox.pk).order_by("at")
    uses = {use.protocol: use for use in map(build_last_use, rows)}
    return sorted(uses.values(), reverse=True)


def build_last_use(row: LastLogin) -> LastUse:
    at = datetime.datetime.fromtimestamp(row.at, timezone.get_current_timezone())
    name = AppPassword.PROTOCOLS.get(row.protocol, row.protocol.upper())
    return LastUse(at, name, row.address)
