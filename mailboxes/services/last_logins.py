"""The last sign-ins that Dovecot records: which are kept."""

import time

from django.conf import settings
from django.db.models import Exists, OuterRef

from mailadmin.housekeeping import delete_in_batches
from mailboxes.models import LastLogin

PURGE_INTERVAL = 6 * 3600  # seconds
DAY = 86400  # seconds
# A sign-in that a later one has replaced is found in these days; older ones were looked at before.
REPLACED_DAYS = (2, 9)


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
    last, first = (now - days * DAY for days in REPLACED_DAYS)
    delete_in_batches(LastLogin.objects.filter(Exists(later), at__gte=first, at__lt=last))
