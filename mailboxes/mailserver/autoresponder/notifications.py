"""Notified senders, recorded before the reply is sent: a crash never sends it twice.

Of several processes that record the same at once one succeeds, with and without transactions: the
others find the key taken, or the date no longer so old.
"""

import datetime
from typing import NamedTuple

from mailboxes.mailserver.autoresponder.tables import AutoreplyDatabase
from mailboxes.mailserver.autoresponder.vacation_rows import VacationRow, to_local_naive

SELECT_NOTIFICATION_SQL = """
SELECT notified_at FROM {vacation_notification} WHERE on_vacation = %s AND notified = %s
"""
INSERT_NOTIFICATION_SQL = """
INSERT INTO {vacation_notification} (notified_at, on_vacation, notified) VALUES (%s, %s, %s)
"""
UPDATE_NOTIFICATION_SQL = """
UPDATE {vacation_notification} SET notified_at = %s
WHERE on_vacation = %s AND notified = %s AND notified_at < %s
"""
DELETE_NOTIFICATION_SQL = """
DELETE FROM {vacation_notification} WHERE on_vacation = %s AND notified = %s AND notified_at = %s
"""
RESTORE_NOTIFICATION_SQL = """
UPDATE {vacation_notification} SET notified_at = %s
WHERE on_vacation = %s AND notified = %s AND notified_at = %s
"""


class RecordedNotification(NamedTuple):
    """The times at which a sender is notified, now and before."""

    database: AutoreplyDatabase
    key: tuple[str, str]  # owner of the vacation, sender
    at: str
    previous_notified_at: str | None = None

    def revert(self) -> None:
        """Restore the previous record, unless another process has changed it since."""
        if self.previous_notified_at is None:
            self.database.run(DELETE_NOTIFICATION_SQL, *self.key, self.at)
        else:
            self.database.run(
                RESTORE_NOTIFICATION_SQL, self.previous_notified_at, *self.key, self.at
            )


def record_notification(
    database: AutoreplyDatabase, vacation: VacationRow, sender: str, now: datetime.datetime
) -> RecordedNotification | None:
    """Record that this sender is notified now; None if they need not be."""
    key, at = (vacation.email, sender.lower()), str(to_local_naive(now))
    rows = database.rows(SELECT_NOTIFICATION_SQL, *key)
    limit = vacation.get_renotify_threshold(now)
    if not rows:
        return insert_notification(database, key, at)
    if limit is None or not database.run(UPDATE_NOTIFICATION_SQL, at, *key, str(limit)).rowcount:
        return None
    previous = rows[0][0]
    return RecordedNotification(database, key, at, previous and str(previous))


def insert_notification(
    database: AutoreplyDatabase, key: tuple[str, str], at: str
) -> RecordedNotification | None:
    try:
        database.run(INSERT_NOTIFICATION_SQL, at, *key)
    except database.driver.IntegrityError:  # another process was faster, or the vacation is over
        return None
    return RecordedNotification(database, key, at)
