"""Remind mailbox owners of passwords that expire soon, by mails that are never sent twice.

As in PostfixAdmin, a password expires only if the domain has `password_expiry`, a number of days.
"""

import datetime
import math
from collections.abc import Iterator
from typing import Any, NamedTuple

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from domains.models import Domain
from mailadmin import passwords
from mailadmin.db.bulk import insert_rows
from mailadmin.mails.mail_kinds import MailKind
from mailadmin.mails.notices import ACCOUNT, queue_notices
from mailadmin.translation import gettext_lazy as _
from mailboxes.models import ExpiryReminder, Mailbox

REMINDER_DAYS = (1, 7, 14, 30)  # before the date
BATCH_SIZE = 200  # mailboxes in one transaction
REMINDER_INTERVAL = 3600  # seconds; the worker reads all mailboxes with an expiry

PASSWORD_EXPIRES = MailKind(
    "password_expires",
    _("Password expires"),
    "The password of a mailbox expires in 30, 14, 7 days or one day.",
    _("The password of %(account)s expires soon"),
    _(
        "The password of the mailbox %(account)s expires on %(expires)s. Afterwards you have to"
        " choose a new one to sign in.\n\n"
        "Change it before: sign in, then Your account, Change password.\n\n"
        "%(panel)s"
    ),
    ACCOUNT | {"expires": "when the password expires", "days": "in how many days, at most"},
    links=frozenset({"panel"}),
)


class Reminder(NamedTuple):
    """A reminder that is due."""

    mailbox: Mailbox
    days: int

    @property
    def account(self) -> str:
        return self.mailbox.account_key

    @property
    def values(self) -> dict[str, Any]:
        return {"expires": self.mailbox.password_expiry, "days": self.days}

    @property
    def key(self) -> tuple[str, datetime.datetime, int]:
        return self.account, self.mailbox.password_expiry, self.days


def iter_due_reminders(domain: str = "") -> Iterator[list[Reminder]]:
    """Yield the reminders that are due and were not sent, some at a time."""
    now = timezone.now()
    domains = Domain.objects.with_password_expiry().filter(active=True)
    if domain:
        domains = domains.filter(pk=domain)
    for name in list(domains.order_by("pk").values_list("pk", flat=True)):
        after = ""
        while rows := list(find_expiring(name, now, after)[:BATCH_SIZE]):
            after = rows[-1].pk
            if due := drop_sent([Reminder(row, get_step(row, now)) for row in rows]):
                yield due


def find_expiring(domain: str, now: datetime.datetime, after: str) -> QuerySet[Mailbox]:
    """Return the active mailboxes of a domain whose password expires within the longest step."""
    last = now + datetime.timedelta(days=max(REMINDER_DAYS))
    rows = Mailbox.objects.filter(domain=domain, active=True, pk__gt=after)
    rows = rows.filter(password_expiry__gt=now, password_expiry__lte=last)
    return rows.exclude(password=passwords.UNUSABLE_HASH).order_by("pk")


def get_step(mailbox: Mailbox, now: datetime.datetime) -> int:
    """Return the step that is due: a step that was missed is not made up for."""
    left = math.ceil((mailbox.password_expiry - now) / datetime.timedelta(days=1))
    return min(days for days in REMINDER_DAYS if left <= days)


def drop_sent(reminders: list[Reminder]) -> list[Reminder]:
    accounts = [reminder.account for reminder in reminders]
    rows = ExpiryReminder.objects.filter(account__in=accounts)
    sent = set(rows.values_list("account", "expires", "days"))
    return [reminder for reminder in reminders if reminder.key not in sent]


def send_reminders(domain: str = "") -> int:
    """Send the reminders that are due; return how many people were reminded."""
    return sum(send_batch(reminders) for reminders in iter_due_reminders(domain))


def send_batch(reminders: list[Reminder]) -> int:
    """Note these reminders and queue their mails, or neither: another worker may do the same."""
    rows = [
        ExpiryReminder(account=account, expires=expires, days=days)
        for account, expires, days in (reminder.key for reminder in reminders)
    ]
    try:
        with transaction.atomic():
            insert_rows(rows)
            queue_notices(PASSWORD_EXPIRES.name, [(r.mailbox, r.values) for r in reminders])
    except IntegrityError:  # what another worker has not sent is sent the next time
        return 0
    return len(reminders)


def remind_of_expiry() -> None:
    """Send the reminders that are due, and forget those whose date has passed."""
    send_reminders()
    ExpiryReminder.objects.filter(expires__lt=timezone.now()).delete()
