"""Sessions in the database, saved again after a deadlock; ending all sessions of somebody."""

from collections.abc import Iterable
from typing import Any

from django.contrib.sessions.backends import db
from django.contrib.sessions.backends.base import VALID_KEY_CHARS, UpdateError
from django.contrib.sessions.models import Session
from django.db import OperationalError
from django.utils import timezone
from django.utils.crypto import get_random_string

from mailadmin.accounts.models import Principal, SessionEpoch
from mailadmin.db.bulk import chunks, insert_rows
from mailadmin.db.compiled import CompiledQuery
from mailadmin.db.retry import retry_on_deadlock

SESSION_KEY_LENGTH = 32  # no two of them are ever the same
STORED_SESSION = CompiledQuery(lambda key: Session.objects.filter(pk=key))


class SessionStore(db.SessionStore):
    """Django's session store, with retries: on a cluster two saves of a session may collide."""

    is_new = False  # whether it is yet to be stored for the first time

    def load(self) -> dict[str, Any]:
        """Return the data of the session, as Django does, by a query that is compiled once."""
        stored = STORED_SESSION.first(key=self.session_key or "")
        if stored is None or stored.expire_date <= timezone.now():
            self._session_key = None
            return {}
        return self.decode(stored.session_data)

    def create(self) -> None:
        """Choose a key; the session is stored once, with all that it then holds."""
        self._session_key = get_random_string(SESSION_KEY_LENGTH, VALID_KEY_CHARS)
        self.is_new = self.modified = True

    def save(self, must_create: bool = False) -> None:
        if self.session_key is None:
            self.create()
        retry_on_deadlock(lambda: self._save_once(must_create or self.is_new))
        self.is_new = False

    def _save_once(self, must_create: bool) -> None:
        """Save, or raise the database's error, which Django turns into a missing session (400)."""
        try:
            super().save(must_create)
        except UpdateError as error:
            if isinstance(error.__context__, OperationalError):
                raise error.__context__ from None
            raise


def end_sessions(principals: Iterable[Principal]) -> None:
    """End all sessions of these principals; called by services that take their access away."""
    keys = [principal.account_key for principal in principals]
    now = timezone.now()
    for part in chunks(keys):
        SessionEpoch.objects.filter(pk__in=part).delete()
        insert_rows([SessionEpoch(key=key, at=now) for key in part])
