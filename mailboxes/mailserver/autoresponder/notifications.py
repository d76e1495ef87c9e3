"""Who has been told: noted down before the mail leaves, so that a crash never sends it twice.

Of several processes that note the same at once one succeeds, with and without transactions: the
others find the key taken, or the date no longer so old.
"""

from typing import NamedTuple

from mailboxes.mailserver.autoresponder.tables import Database
from mailboxes.mailserver.autoresponder.vacation_rows import wall

TOLD = """
SELECT notified_at FROM {vacation_notification} WHERE on_vacation = %s AND notified = %s
"""
TELL = """
INSERT INTO {vacation_notification} (notified_at, on_vacation, notified) VALUES (%s, %s, %s)
"""
TELL_AGAIN = """
UPDATE {vacation_notification} SET notified_at = %s
WHERE on_vacation = %s AND notified = %s AND notified_at < %s
"""
UNTELL = """
DELETE FROM {vacation_notification} WHERE on_vacation = %s AND notified = %s AND notified_at = %s
"""
RESTORE = """
UPDATE {vacation_notification} SET notified_at = %s
WHERE on_vacation = %s AND notified = %s AND notified_at = %s
"""


class Note(NamedTuple):
    """That somebody is told at this moment, and when he was told before."""

    database: Database
    key: tuple[str, str]
    at: str
    before: str | None = None

    def take_back(self):
        """As it was before, unless somebody has noted it down since."""
        if self.before is None:
            self.database.run(UNTELL, *self.key, self.at)
        else:
            self.database.run(RESTORE, self.before, *self.key, self.at)


def note_down(database, vacation, sender, now):
    """Note that this sender is told now; None if that need not be."""
    key, at = (vacation.email, sender.lower()), str(wall(now))
    told = database.rows(TOLD, *key)
    limit = vacation.told_before(now)
    if not told:
        return first_note(database, key, at)
    if limit is None or not database.run(TELL_AGAIN, at, *key, str(limit)).rowcount:
        return None
    before = told[0][0]
    return Note(database, key, at, before and str(before))


def first_note(database, key, at):
    try:
        database.run(TELL, at, *key)
    except database.driver.IntegrityError:  # somebody was faster, or the vacation is over
        return None
    return Note(database, key, at)
