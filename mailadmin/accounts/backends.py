"""Authentication backends: admins and mailbox owners sign in by one form."""

from django.apps import apps
from django.contrib.auth.backends import BaseBackend
from django.db.models import Subquery
from django.http import HttpRequest

from mailadmin import passwords
from mailadmin.accounts.models import SessionEpoch
from mailadmin.accounts.throttling import LoginAttempt
from mailadmin.names import fold, hash_account


class PrincipalBackend(BaseBackend):
    """Knows the active rows of one table, so a row switched off ends its sessions."""

    model_name = None

    def active_principals(self, name: str):
        """The active person of this name, with the moment at which their sessions were ended."""
        model = apps.get_model(self.model_name)
        ended = SessionEpoch.get_ended_at(hash_account(self.model_name, name))
        found = model._default_manager.filter(active=True, pk=name)
        return found.annotate(sessions_ended=Subquery(ended[:1]))

    def authenticate(self, request: HttpRequest, username=None, password: str = None, attempt=None):
        """An unknown name costs as much as a known one, whatever scheme its hash is of."""
        if attempt is not None and not attempt.can_try(hash_account(self.model_name, username)):
            return None
        person = self.find_principal(username or "")
        if attempt is not None and person is not None:
            attempt.existing_accounts.add(get_account_key(person))
        if person is None or not password:
            passwords.simulate_verify(password or "")
            return None
        return person if person.check_password_in_constant_time(password) else None

    def find_principal(self, name: str):
        """The person of exactly this name: a collation may take other letters for the same."""
        name = name.strip().lower()
        person = self.active_principals(name).first()
        return person if person is not None and fold(person.pk) == name else None

    def get_user(self, key):
        return self.active_principals(key).first()


def start_login_attempt(request: HttpRequest, name: str) -> LoginAttempt:
    """Count an attempt at the accounts of this name; refuse it where there were too many."""
    attempt = LoginAttempt(
        request, [hash_account(backend.model_name, name) for backend in PRINCIPAL_BACKENDS]
    )
    attempt.check_throttle()
    return attempt


def start_principal_attempt(request: HttpRequest, person, proved: str) -> LoginAttempt:
    """The same where it is known whose account is meant, by a password or a session."""
    attempt = LoginAttempt(request, [get_account_key(person)], proved)
    attempt.check_throttle()
    return attempt


def get_account_key(person) -> str:
    return hash_account(person.model_label, person.pk)


class AdminBackend(PrincipalBackend):
    model_name = "domains.Admin"


class MailboxBackend(PrincipalBackend):
    model_name = "mailboxes.Mailbox"


PRINCIPAL_BACKENDS = (AdminBackend, MailboxBackend)
