"""Sessions in the database, whatever host of it answers."""

from django.contrib.sessions.backends import db
from django.contrib.sessions.backends.base import UpdateError
from django.db import OperationalError
from django.utils import timezone

from mailadmin.accounts.models import SessionEpoch
from mailadmin.changes.perform import retry_on_deadlock
from mailadmin.db.bulk import chunks, insert_rows


class SessionStore(db.SessionStore):
    """Two panels may save one session at the same moment: a cluster lets one of them try again."""

    def save(self, must_create=False) -> None:
        retry_on_deadlock(lambda: self._save_once(must_create))

    def _save_once(self, must_create) -> None:
        """Django takes every error for a session that is gone, and answers 400."""
        try:
            super().save(must_create)
        except UpdateError as error:
            if isinstance(error.__context__, OperationalError):
                raise error.__context__ from None
            raise


def end_sessions(people) -> None:
    """End all sessions of these people; part of the service that takes their access away."""
    keys = [SessionEpoch.key_of(person) for person in people]
    now = timezone.now()
    for part in chunks(keys):
        SessionEpoch.objects.filter(pk__in=part).delete()
        insert_rows([SessionEpoch(key=key, at=now) for key in part])
