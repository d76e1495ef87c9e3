"""Authentication backends: admins and mailbox owners sign in by one form."""

import functools
from collections.abc import Iterator
from contextlib import contextmanager

from django.apps import apps
from django.contrib.auth.backends import BaseBackend
from django.core.exceptions import ValidationError
from django.db.models import Exists, OuterRef, QuerySet, Subquery
from django.http import HttpRequest

from mailadmin import passwords
from mailadmin.accounts.factors.models import Passkey
from mailadmin.accounts.models import PasswordRequest, Principal, SessionEpoch
from mailadmin.accounts.requests import as_panel_request
from mailadmin.accounts.throttling import LoginAttempt, log_login_failure
from mailadmin.db.compiled import CompiledQuery
from mailadmin.mails.models import ReaderLanguage
from mailadmin.names import fold, hash_account
from mailadmin.tables.models import SavedFilter


@functools.cache
def login_query(model_name: str) -> CompiledQuery:
    """Return the compiled query of an active principal, with what every page asks about them.

    That is when their sessions were ended, whether they have saved filters and passkeys, whether a
    second factor or a new password is required, and the language of their mails.
    """

    def build(name: str, account: str) -> QuerySet:
        ended = SessionEpoch.ended_at_queryset(account)
        filters = SavedFilter.objects.filter(owner_model=model_name, owner_key=name)
        passkeys = Passkey.objects.filter(owner_model=model_name, owner_key=name)
        languages = ReaderLanguage.objects.filter(pk=account)
        requests = PasswordRequest.objects.filter(pk=account)
        model = apps.get_model(model_name)
        return model._default_manager.filter(active=True, pk=name).annotate(
            sessions_ended=Subquery(ended[:1]),
            has_saved_filters=Exists(filters),
            password_request=Subquery(requests.values("digest")),
            reader_language=Subquery(languages.values("language")),
            has_passkeys=Exists(passkeys.filter(created__gte=OuterRef("created"))),
            factor_policy=model.build_factor_policy(),
        )

    return CompiledQuery(build)


class PrincipalBackend(BaseBackend):
    """Authenticate active rows of one table; deactivating a row ends its sessions."""

    model_name: str

    @property
    def path(self) -> str:
        """Return how Django's sessions name the backend."""
        return f"{type(self).__module__}.{type(self).__qualname__}"

    def authenticate(  # type: ignore[override]  # Django passes keywords that fit
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        attempt: LoginAttempt | None = None,
    ) -> Principal | None:
        """Return the principal with this name and password, or None.

        An unknown name takes as long as a known one, whatever the scheme of its hash.
        """
        name = username or ""
        if attempt is not None and not attempt.can_try(hash_account(self.model_name, name)):
            return None
        principal = self.find_principal(name)
        if attempt is not None and principal is not None:
            attempt.existing_accounts.add(principal.account_key)
        if principal is None or not password:
            passwords.simulate_verify(password or "")
            return None
        return principal if principal.check_password_in_constant_time(password) else None

    def find_principal(self, name: str) -> Principal | None:
        """Return the principal of exactly this name: a collation may equate other letters."""
        name = name.strip().lower()
        principal = self.get_user(name)
        return principal if principal is not None and fold(principal.pk) == name else None

    def get_user(self, key: str) -> Principal | None:  # type: ignore[override]  # two models
        account = hash_account(self.model_name, key)
        return login_query(self.model_name).first(name=key, account=account)


def start_login_attempt(request: HttpRequest, name: str) -> LoginAttempt:
    """Count an attempt at the accounts of this name; refuse it after too many failures."""
    attempt = LoginAttempt(
        request, [hash_account(backend.model_name, name) for backend in PRINCIPAL_BACKENDS]
    )
    attempt.check_throttle()
    return attempt


def start_principal_attempt(
    request: HttpRequest, principal: Principal, throttle_scope: str
) -> LoginAttempt:
    """Count an attempt at one account, known from a correct password or a session."""
    attempt = LoginAttempt(request, [principal.account_key], throttle_scope)
    attempt.check_throttle()
    return attempt


@contextmanager
def count_proof(request: HttpRequest, principal: Principal, reason: str) -> Iterator[None]:
    """Count what somebody who is signed in gives as proof of who they are.

    A ValidationError within the block is a wrong one: a stolen session must not find the password.
    """
    attempt = start_principal_attempt(request, principal, "session")
    try:
        yield
    except ValidationError:
        address = as_panel_request(request).client_address
        log_login_failure(principal.username, address, reason)
        raise
    attempt.record_success(principal.account_key)


class AdminBackend(PrincipalBackend):
    model_name = "domains.Admin"


class MailboxBackend(PrincipalBackend):
    model_name = "mailboxes.Mailbox"


PRINCIPAL_BACKENDS = (AdminBackend, MailboxBackend)


def find_backend(model_name: str) -> PrincipalBackend:
    """Return the backend of a table of principals."""
    return next(backend() for backend in PRINCIPAL_BACKENDS if backend.model_name == model_name)
