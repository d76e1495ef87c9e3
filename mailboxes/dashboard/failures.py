"""Failed jobs, undelivered mails and runs on maildirs, for the home page: found by one query."""

import datetime
from typing import Any, NamedTuple

from django.conf import settings
from django.db.models import Case, CharField, Q, QuerySet, Value, When
from django.utils import timezone

from mailadmin.accounts.models import Role
from mailadmin.jobs.models import Job
from mailadmin.mails.models import OutgoingMail
from mailboxes.models import MaildirRun

MAX_SHOWN, MAX_COUNTED = 3, 1000
FAILED_MAIL_SHOWN = datetime.timedelta(days=3)
FAILED_RUN, DONE_RUN = "maildirs", "maildirs-done"
MANY_ATTEMPTS = 3  # a mail that was sent at the third attempt is no matter of concern


class Failure(NamedTuple):
    """A failed job by its title, an undelivered mail by its recipient, a run by its storage."""

    kind: str
    pk: int
    title: str


class Failures(NamedTuple):
    """The failures of one kind: some to show, and how many more there are."""

    shown: list[Failure]
    more: int

    def count_all(self) -> int:
        return len(self.shown) + self.more


class AllFailures(NamedTuple):
    """The failures that somebody sees on the home page."""

    jobs: Failures
    mails: Failures
    maildir_runs: Failures

    def count_all(self) -> int:
        return sum(failures.count_all() for failures in self)


def find_failures(principal: Any) -> AllFailures:
    """Return the failures in scope, the latest first."""
    jobs = Job.objects.visible_to(principal).filter(state=Job.State.FAILED)
    mails = OutgoingMail.objects.visible_to(principal).filter(is_undelivered())
    parts = [mails.values_list(name("mail"), "pk", "recipient")]
    has_runs = settings.MAILADMIN_MAILDIRS and principal.role is Role.SUPERADMIN
    if has_runs:
        parts.append(list_maildir_runs())
    rows = jobs.values_list(name("job"), "pk", "title").union(*parts, all=True)[:MAX_COUNTED]
    found = [Failure(*row) for row in rows]
    found.sort(key=lambda failure: -failure.pk)
    if has_runs and not any(each.kind.startswith(FAILED_RUN) for each in found):
        found.append(Failure(FAILED_RUN, 0, settings.MAILADMIN_MAILDIRS_STORAGE))
    return AllFailures(select(found, "job"), select(found, "mail"), select(found, FAILED_RUN))


def list_maildir_runs() -> QuerySet[Any, tuple[Any, ...]]:
    """Return all runs on maildirs, those that failed or are overdue by their kind."""
    kind = Case(When(MaildirRun.is_failed(), name(FAILED_RUN)), default=name(DONE_RUN))
    return MaildirRun.objects.values_list(kind, "pk", "storage")


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
