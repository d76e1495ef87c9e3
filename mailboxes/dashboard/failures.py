"""Failed jobs and undelivered mails, for the home page: found by one query."""

import datetime
from typing import Any, NamedTuple

from django.db.models import CharField, Q, Value
from django.utils import timezone

from mailadmin.jobs.models import Job
from mailadmin.mails.models import OutgoingMail

MAX_SHOWN, MAX_COUNTED = 3, 1000
FAILED_MAIL_SHOWN = datetime.timedelta(days=3)
MANY_ATTEMPTS = 3  # a mail that was sent at the third attempt is no matter of concern


class Failure(NamedTuple):
    """A failed job by its title, or an undelivered mail by its recipient."""

    kind: str
    pk: int
    title: str


class Failures(NamedTuple):
    """The failures of one kind: some to show, and how many more there are."""

    shown: list[Failure]
    more: int

    def count_all(self) -> int:
        return len(self.shown) + self.more


def find_failures(principal: Any) -> tuple[Failures, Failures]:
    """Return the failed jobs and the undelivered mails in scope, the latest first."""
    jobs = Job.objects.visible_to(principal).filter(state=Job.State.FAILED)
    mails = OutgoingMail.objects.visible_to(principal).filter(is_undelivered())
    found = [
        Failure(*row)
        for row in jobs.values_list(name("job"), "pk", "title").union(
            mails.values_list(name("mail"), "pk", "recipient"), all=True
        )[:MAX_COUNTED]
    ]
    found.sort(key=lambda failure: -failure.pk)
    return select(found, "job"), select(found, "mail")


def is_undelivered() -> Q:
    """Return the condition of mails that failed lately, or that wait in spite of some attempts."""
    since = timezone.now() - FAILED_MAIL_SHOWN
    failed = Q(state=OutgoingMail.State.FAILED, finished__gte=since)
    return failed | Q(state=OutgoingMail.State.WAITING, attempts__gte=MANY_ATTEMPTS)


def name(kind: str) -> Value:
    return Value(kind, CharField())


def select(failures: list[Failure], kind: str) -> Failures:
    rows = [failure for failure in failures if failure.kind == kind]
    return Failures(rows[:MAX_SHOWN], max(0, len(rows) - MAX_SHOWN))
