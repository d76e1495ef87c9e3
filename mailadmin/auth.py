"""Who comes in: two backends, one door; what the roles open; how often somebody may knock."""

import base64
import binascii
import datetime
import hashlib
import hmac
import ipaddress
import logging
import struct
import time

from django.apps import apps
from django.conf import settings
from django.contrib.auth.backends import BaseBackend
from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction
from django.db.models import F
from django.shortcuts import redirect
from django.utils import timezone

from mailadmin import passwords
from mailadmin.models import LoginFailure, UsedCode
from mailadmin.writes import Actor, again_on_deadlock, perform

logger = logging.getLogger("mailadmin.auth")

WINDOW = datetime.timedelta(minutes=5)
FAILURES_A_NAME = 10
FAILURES_A_NETWORK = 100
STEP_SECONDS, STEPS_BESIDE = 30, 1


# Backends


class PrincipalBackend(BaseBackend):
    """Knows the active rows of one table, so a row switched off ends its sessions."""

    model_name = None

    @property
    def people(self):
        return apps.get_model(self.model_name)._default_manager.filter(active=True)

    def authenticate(self, request, username=None, password=None):
        """An unknown name costs as much as a known one."""
        person = self.people.filter(pk=(username or "").strip().lower()).first()
        if person is None:
            passwords.spend(password or "")
            return None
        return person if password and person.check_password(password) else None

    def get_user(self, key):
        return self.people.filter(pk=key).first()


class AdminBackend(PrincipalBackend):
    model_name = "domains.Admin"


class MailboxBackend(PrincipalBackend):
    model_name = "mailboxes.Mailbox"


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

    open_to_all = (
        "/account/password/",
        "/logout/",
        "/login/",
        "/language/",
        "/healthz",
        "/readyz",
        "/metrics",
    )

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        if (
            not request.path.startswith((*self.open_to_all, settings.STATIC_URL))
            and request.user.is_authenticated
            and request.user.password_has_expired()
        ):
            return redirect("/account/password/")
        return self.get_response(request)


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


def client_address(meta):
    address = meta.get("REMOTE_ADDR", "")
    if not is_trusted(address):
        return address
    for hop in reversed(meta.get("HTTP_X_FORWARDED_FOR", "").split(",")):
        hop = hop.strip()
        if not is_address(hop):
            break
        address = hop
        if not is_trusted(hop):
            break
    return address


def is_address(text):
    return ip_of(text) is not None


def ip_of(text):
    """The address, an IPv4 one also where it comes wrapped in IPv6."""
    try:
        ip = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(ip, "ipv4_mapped", None) or ip


def is_trusted(address):
    """A proxy on a local socket has no address; with trusted proxies set it is one of them."""
    ip = ip_of(address)
    if ip is None:
        return bool(settings.MAILADMIN_TRUSTED_PROXIES)
    return any(ip in network for network in settings.MAILADMIN_TRUSTED_PROXIES)


def network_of(address):
    """The part of an address that one customer holds: /24 of IPv4, /64 of IPv6."""
    ip = ip_of(address)
    if ip is None:
        return address
    prefix = 24 if ip.version == 4 else 64
    return str(ipaddress.ip_network(f"{ip}/{prefix}", strict=False))


# Throttle


class TooManyFailures(Exception):
    def __init__(self, retry_after):
        super().__init__(retry_after)
        self.retry_after = retry_after


def admit(name, address):
    """Count a try before it is made, so that tries at the same moment count too."""
    limits = ((_name_key(name), FAILURES_A_NAME), (_network_key(address), FAILURES_A_NETWORK))
    for key, limit in limits:
        failures, since = _count(key)
        if failures > limit:
            log_failure(name, address, "throttled")
            raise TooManyFailures(
                max(1, int((since + WINDOW - timezone.now()).total_seconds()) + 1)
            )


def forgive(name, address):
    """The try was good: the name starts anew, the network gets its one back."""
    network = LoginFailure.objects.filter(pk=_network_key(address), failures__gt=0)
    again_on_deadlock(LoginFailure.objects.filter(pk=_name_key(name)).delete)
    again_on_deadlock(lambda: network.update(failures=F("failures") - 1))


def log_failure(name, address, reason):
    """One line in a form that a log watcher can rely on."""
    from mailadmin.watching import numbers  # a command has no use for them

    numbers.LOGIN_FAILURES.labels(reason).inc()
    safe = str(name)[:255].encode("unicode_escape").decode().replace('"', "'")
    logger.warning('login failed: name="%s" address=%s reason=%s', safe, address or "-", reason)


def _name_key(name):
    return "name:" + hashlib.sha256(name.strip().lower().encode(errors="replace")).hexdigest()


def _network_key(address):
    return "network:" + network_of(address)


def _count(key):
    """Failures of this window, this try among them. Each statement stands alone: no lock waits."""
    now = timezone.now()
    rows = LoginFailure.objects.filter(pk=key)

    def count():
        rows.filter(since__lt=now - WINDOW).update(failures=0, since=now)
        if not rows.update(failures=F("failures") + 1):
            new = LoginFailure(pk=key, since=now)
            LoginFailure.objects.bulk_create([new], ignore_conflicts=True)
            rows.update(failures=F("failures") + 1)
        return rows.values_list("failures", "since").first() or (1, now)

    return again_on_deadlock(count)


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
        again_on_deadlock(lambda: _keep_used(key, step))
    except IntegrityError:
        return False
    return True


def _keep_used(key, step):
    with transaction.atomic():
        UsedCode.objects.create(key=key, step=step)
        UsedCode.objects.filter(key=key, step__lt=step - 10).delete()


# Hashes


def rehash(request, person):
    """Where the operator asked for it, the typed password is stored in the configured scheme."""
    typed = getattr(person, "typed_password", None)
    if not (
        settings.MAILADMIN_PASSWORD_REHASH and typed and passwords.needs_update(person.password)
    ):
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
