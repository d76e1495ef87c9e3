"""Which of the sign-ins that Dovecot records are kept."""

import time
from collections.abc import Iterator

from django.conf import settings
from django.db.models import Exists, OuterRef, QuerySet

from mailadmin.db.bulk import chunks
from mailadmin.db.retry import retry_on_deadlock
from mailadmin.housekeeping import delete_in_batches
from mailboxes.models import LastLogin

PURGE_INTERVAL = 6 * 3600  # seconds
DAY = 86400  # seconds
SHOWN_DAYS = 2  # in which all addresses are kept
# A sign-in that a later one has replaced is looked for in the days before; older ones were found.
SEARCHED_DAYS = 30
PAGE_SIZE = 2000


def purge_last_logins() -> None:
    """Delete what is older than MAILADMIN_LAST_LOGIN_DAYS, and what later sign-ins have replaced.

    Dovecot writes a row for each IP address. Of those of one protocol and password the last stays.
    """
    now = int(time.time())
    delete_in_batches(
        LastLogin.objects.filter(at__lt=now - settings.MAILADMIN_LAST_LOGIN_DAYS * DAY)
    )
    later = LastLogin.objects.filter(
        mailbox=OuterRef("mailbox"),
        protocol=OuterRef("protocol"),
        app_password=OuterRef("app_password"),
        at__gt=OuterRef("at"),
    )
    end = now - SHOWN_DAYS * DAY
    rows = LastLogin.objects.filter(at__gte=end - SEARCHED_DAYS * DAY, at__lt=end)
    for page in iter_pages_by_time(rows.annotate(is_replaced=Exists(later))):
        for keys in chunks([row.pk for row in page if row.is_replaced]):
            retry_on_deadlock(LastLogin.objects.filter(pk__in=keys).delete)


def iter_pages_by_time(rows: QuerySet) -> Iterator[list]:
    """Yield the rows in pages, the oldest first; each is read once, though many are deleted."""
    page = list(rows.order_by("at")[:PAGE_SIZE])
    while page:
        yield page
        # Of a second with more rows than a page has, the rest waits for the next run.
        page = list(rows.filter(at__gt=page[-1].at).order_by("at")[:PAGE_SIZE])
