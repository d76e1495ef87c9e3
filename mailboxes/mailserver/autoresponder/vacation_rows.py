"""The active vacation of a mailbox."""

import datetime
import zoneinfo
from collections.abc import Sequence
from typing import Any, NamedTuple

from mailboxes.mailserver.autoresponder.tables import AutoreplyDatabase

VACATION_SQL = """
SELECT email, subject, body, activefrom, activeuntil, interval_time
FROM {vacation} WHERE active = 1 AND email IN ({places})
"""
MAILBOX_SQL = "SELECT name, domain FROM {mailbox} WHERE active = 1 AND username = %s"
DOMAIN_SQL = "SELECT domain FROM {domain} WHERE active = 1 AND domain = %s"


class VacationRow(NamedTuple):
    """A vacation. Dates are local time, None where unknown."""

    email: str
    subject: str
    body: str
    activefrom: datetime.datetime | None
    activeuntil: datetime.datetime | None
    interval_time: int
    name: str = ""

    def is_active_at(self, now: datetime.datetime) -> bool:
        has_begun = self.activefrom is None or self.activefrom <= now
        return has_begun and (self.activeuntil is None or now <= self.activeuntil)

    def get_renotify_threshold(self, now: datetime.datetime) -> datetime.datetime | None:
        """Return the time before which a notified sender is notified again; None for never."""
        limits = [self.activefrom] if self.activefrom else []
        if self.interval_time > 0:
            earlier = now.astimezone(datetime.UTC) - datetime.timedelta(seconds=self.interval_time)
            limits.append(to_local_naive(earlier.astimezone(now.tzinfo)))
        return max(limits, default=None)


def find_active_vacation(
    database: AutoreplyDatabase, owners: Sequence[str], now: datetime.datetime
) -> VacationRow | None:
    """Return the vacation of the first of these that has one, if it is active now."""
    rows = {row[0].lower(): row for row in database.fetch_in(VACATION_SQL, owners)}
    found = next((parse_vacation_row(rows[owner]) for owner in owners if owner in rows), None)
    if found is None or not found.is_active_at(to_local_naive(now)):
        return None
    name = find_active_owner_name(database, found.email)
    return None if name is None else found._replace(name=name)


def parse_vacation_row(row: Sequence[Any]) -> VacationRow:
    email, subject, body, start, end, seconds = row
    return VacationRow(
        email.lower(),
        subject,
        body,
        parse_stored_datetime(start),
        parse_stored_datetime(end),
        seconds,
    )


def find_active_owner_name(database: AutoreplyDatabase, email: str) -> str | None:
    """Return the name of the mailbox; None if it or its domain is inactive."""
    for name, domain in database.rows(MAILBOX_SQL, email):
        if database.rows(DOMAIN_SQL, domain):
            return name
    return None


# Time


def get_local_now(zone: str) -> datetime.datetime:
    return datetime.datetime.now(zoneinfo.ZoneInfo(zone))


def to_local_naive(now: datetime.datetime) -> datetime.datetime:
    """Return a time as PostfixAdmin stores it: local time in whole seconds."""
    return now.replace(tzinfo=None, microsecond=0)


def parse_stored_datetime(stored: str | datetime.datetime | None) -> datetime.datetime | None:
    """Return a stored date, or None: 0000-00-00 and 2000-01-01 both mean unknown."""
    if isinstance(stored, str):
        try:
            stored = datetime.datetime.fromisoformat(stored).replace(tzinfo=None)
        except ValueError:
            return None
    return stored if stored is not None and stored.year > 2000 else None
