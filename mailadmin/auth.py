"""Who signs in: two backends; what the roles open; one-time codes."""

import base64
import binascii
import hmac
import logging
import struct
import time

from django.apps import apps
from django.conf import settings
from django.contrib.auth.backends import BaseBackend
from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Subquery
from django.shortcuts import redirect
from django.urls import Resolver404, resolve

from mailadmin import passwords
from mailadmin.accounts.networks import client_address, is_trusted
from mailadmin.accounts.throttling import Attempt
from mailadmin.changes.perform import Actor, again_on_deadlock, perform
from mailadmin.models import SessionEpoch, UsedCode
from mailadmin.names import account_key
from mailadmin.rows import folded

logger = logging.getLogger("mailadmin.auth")

STEP_SECONDS, STEPS_BESIDE = 30, 1


# Backends


class PrincipalBackend(BaseBackend):
    """Knows the active rows of one table, so a row switched off ends its sessions."""

    model_name = None

    def people(self, name):
        """The active person of this name, with the moment at which their sessions were ended."""
        model = apps.get_model(self.model_name)
        ended = SessionEpoch.moments(account_key(self.model_name, name))
        found = model._default_manager.filter(active=True, pk=name)
        return found.annotate(sessions_ended=Subquery(ended[:1]))

    def authenticate(self, request, username=None, password=None, attempt=None):
        """An unknown name costs as much as a known one, whatever scheme its hash is of."""
        if attempt is not None and not attempt.allows(account_key(self.model_name, username)):
            return None
        person = self.find(username or "")
        if attempt is not None and person is not None:
            attempt.found.add(account_of(person))
        if person is None or not password:
            passwords.spend(password or "")
            return None
        return person if person.check_password_evenly(password) else None

    def find(self, name):
        """The person of exactly this name: a collation may take other letters for the same."""
        name = name.strip().lower()
        person = self.people(name).first()
        return person if person is not None and folded(person.pk) == name else None

    def get_user(self, key):
        return self.people(key).first()


def begin_attempt(request, name: str) -> Attempt:
    """Count an attempt at the accounts of this name; refuse it where there were too many."""
    attempt = Attempt(request, [account_key(backend.model_name, name) for backend in BACKENDS])
    attempt.check()
    return attempt


def begin_attempt_of(request, person, proved: str) -> Attempt:
    """The same where it is known whose account is meant, by a password or a session."""
    attempt = Attempt(request, [account_of(person)], proved)
    attempt.check()
    return attempt


def account_of(person) -> str:
    return account_key(person.model_label, person.pk)


class AdminBackend(PrincipalBackend):
    model_name = "domains.Admin"


class MailboxBackend(PrincipalBackend):
    model_name = "mailboxes.Mailbox"


BACKENDS = (AdminBackend, MailboxBackend)


# Doors


class RoleRequired:
    """A view that says which roles it opens for; anybody else gets 403 and stays signed in."""

    roles = None

    def get_roles(self):
        return self.roles

    @property
    def actor(self):
        return Actor.from_request(self.request)

    def dispatch(self, request, *args, **kwargs):
        if request.user.role not in self.get_roles():
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)


class PasswordExpiryMiddleware:
    """Who has an expired password may change it, and nothing else."""

    open_views = {
        *("own-password", "logout", "login", "code", "set_language"),
        *("healthz", "readyz", "metrics"),
    }

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        if (
            not self.is_open(request.path_info)
            and request.user.is_authenticated
            and request.user.password_has_expired()
        ):
            return redirect("own-password")
        return self.get_response(request)

    def is_open(self, path):
        try:
            return resolve(path).view_name in self.open_views
        except Resolver404:
            return False


class DoorMiddleware(LoginRequiredMiddleware):
    """Back to where one was; but what was sent cannot be sent again by a link."""

    def process_view(self, request, view_func, view_args, view_kwargs):
        """Nobody is looked up for a page that is open to all: /healthz needs no database."""
        if not getattr(view_func, "login_required", True):
            return None
        return super().process_view(request, view_func, view_args, view_kwargs)

    def handle_no_permission(self, request, view_func):
        if request.method in ("GET", "HEAD"):
            return super().handle_no_permission(request, view_func)
        return redirect(settings.LOGIN_URL)


# Addresses


class ClientAddressMiddleware:
    """`request.client_address`: whom we talk to, by the word of trusted proxies only."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        if not is_trusted(request.META.get("REMOTE_ADDR", "")):
            request.META.pop("HTTP_X_FORWARDED_PROTO", None)
        request.client_address = client_address(request.META)
        return self.get_response(request)


# One-time codes


def code_is_right(person, code):
    """Whether this is the code of this step or one beside it, used for the first time."""
    secret = _secret_bytes(person)
    now = int(time.time()) // STEP_SECONDS
    typed = code.strip().encode()
    for step in range(now - STEPS_BESIDE, now + STEPS_BESIDE + 1):
        if secret and hmac.compare_digest(one_time_code(secret, step).encode(), typed):
            return _use(person, step)
    return False


def one_time_code(secret, step):
    """RFC 6238 with the usual choices: SHA-1, six digits, thirty seconds."""
    mac = hmac.digest(secret, struct.pack(">Q", step), "sha1")
    offset = mac[-1] & 0x0F
    return f"{(struct.unpack_from('>I', mac, offset)[0] & 0x7FFFFFFF) % 1_000_000:06}"


def _secret_bytes(person):
    text = person.totp_secret.replace(" ", "").rstrip("=").upper()
    try:
        return base64.b32decode(text + "=" * (-len(text) % 8))
    except (binascii.Error, ValueError):
        logger.error(
            "the one-time secret of %s is not base32: nobody can sign in with it", person.pk
        )
        return b""


def _use(person, step):
    key = f"{person._meta.label_lower}:{person.pk}"[:255]
    try:
        return again_on_deadlock(lambda: _keep_used(key, step))
    except IntegrityError:
        return False


def _keep_used(key, step):
    """Note that the code of this step is used; False where one as new or newer was used before."""
    with transaction.atomic():
        if UsedCode.objects.filter(key=key, step__gte=step).exists():
            return False
        UsedCode.objects.create(key=key, step=step)
        UsedCode.objects.filter(key=key, step__lt=step).delete()
        return True


# Hashes


def rehash(request, person, typed):
    """Where the operator asked for it, store the typed password in the configured scheme.

    Right after the password was found right: a one-time code may be asked for on another page,
    and nothing keeps the password until then.
    """
    if not (settings.MAILADMIN_PASSWORD_REHASH and passwords.needs_update(person.password)):
        return
    try:
        stored = passwords.make(typed, person.username)
    except ValidationError:
        return  # the configured scheme cannot take this password: the old hash goes on
    actor = Actor(person, person.username, request.client_address)
    perform(actor, store_hash, type(person), person.pk, stored)
    person.refresh_from_db()


def store_hash(changes, model, key, stored):
    changes.update(changes.find(model, [key]), password=stored)
