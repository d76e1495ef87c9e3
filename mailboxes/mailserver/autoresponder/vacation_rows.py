"""Whose vacation it is, and whether it holds now."""

import datetime
import zoneinfo
from typing import NamedTuple

VACATION_SQL = """
SELECT email, subject, body, activefrom, activeuntil, interval_time
FROM {vacation} WHERE active = 1 AND email IN ({places})
"""
MAILBOX_SQL = "SELECT name, domain FROM {mailbox} WHERE active = 1 AND username = %s"
DOMAIN_SQL = "SELECT domain FROM {domain} WHERE active = 1 AND domain = %s"


class VacationRow(NamedTuple):
    """The answer of somebody who is away. Moments are local time, None where unknown."""

    email: str
    subject: str
    body: str
    activefrom: datetime.datetime | None
    activeuntil: datetime.datetime | None
    interval_time: int
    name: str = ""

    def holds(self, now):
        """Whether this is a moment of it; an unknown end does not come."""
        begun = self.activefrom is None or self.activefrom <= now
        return begun and (self.activeuntil is None or now <= self.activeuntil)

    def get_renotify_threshold(self, now):
        """Who was told before this moment is told again; None: nobody is."""
        limits = [self.activefrom] if self.activefrom else []
        if self.interval_time > 0:
            earlier = now.astimezone(datetime.UTC) - datetime.timedelta(seconds=self.interval_time)
            limits.append(to_local_naive(earlier.astimezone(now.tzinfo)))
        return max(limits, default=None)


def find_active_vacation(database, owners, now):
    """The vacation of the first of these who has one, if it holds now; or None."""
    rows = {row[0].lower(): row for row in database.fetch_in(VACATION_SQL, owners)}
    found = next((parse_vacation_row(rows[owner]) for owner in owners if owner in rows), None)
    if found is None or not found.holds(to_local_naive(now)):
        return None
    name = find_active_owner_name(database, found.email)
    return None if name is None else found._replace(name=name)


def parse_vacation_row(row):
    email, subject, body, start, end, seconds = row
    return VacationRow(
        email.lower(),
        subject,
        body,
        parse_stored_datetime(start),
        parse_stored_datetime(end),
        seconds,
    )


def find_active_owner_name(database, email):
    """What the owner of the mailbox is called; None if it or its domain is not in use."""
    for name, domain in database.rows(MAILBOX_SQL, email):
        if database.rows(DOMAIN_SQL, domain):
            return name
    return None


# Time


def get_local_now(zone):
    return datetime.datetime.now(zoneinfo.ZoneInfo(zone))


def to_local_naive(now):
    """The moment as PostfixAdmin stores it: whole seconds on the clock on the wall."""
    return now.replace(tzinfo=None, microsecond=0)


def parse_stored_datetime(stored):
    """A stored date, or None: 0000-00-00 and 2000-01-01 both say that it is unknown."""
    if isinstance(stored, str):
        try:
            stored = datetime.datetime.fromisoformat(stored).replace(tzinfo=None)
        except ValueError:
            return None
    return stored if stored is not None and stored.year > 2000 else None
