"""Sessions in the database, whatever host of it answers."""

from django.contrib.sessions.backends import db
from django.contrib.sessions.backends.base import UpdateError
from django.db import OperationalError

from mailadmin.writes import again_on_deadlock


class SessionStore(db.SessionStore):
    """Two panels may save one session at the same moment: a cluster lets one of them try again."""

    def save(self, must_create=False):
        again_on_deadlock(lambda: self._save_once(must_create))

    def _save_once(self, must_create):
        """Django takes every error for a session that is gone, and answers 400."""
        try:
            super().save(must_create)
        except UpdateError as error:
            if isinstance(error.__context__, OperationalError):
                raise error.__context__ from None
            raise
