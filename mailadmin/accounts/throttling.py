"""Limit failed logins, so that passwords cannot be guessed, and nobody can lock out others.

An attempt counts for each account that it may mean: the admin and the mailbox of that name. It is
counted by account and network; a browser that has signed in to the account before has a counter of
its own. The failures of all unknown clients at one account are limited too; that limit does not
apply to browsers and networks from which the account was used before.
"""

import datetime
import hashlib
import logging
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from django.conf import settings
from django.core import signing
from django.db.models import Case, F, QuerySet, Value, When
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from mailadmin.accounts.models import KnownNetwork, LoginFailure
from mailadmin.accounts.networks import get_client_network
from mailadmin.accounts.requests import as_panel_request
from mailadmin.db.retry import retry_on_deadlock

logger = logging.getLogger("mailadmin.auth")

FAILURE_WINDOW = datetime.timedelta(minutes=5)
LONGEST_WINDOW = datetime.timedelta(hours=1)  # of all counters
MAX_FAILURES_PER_CLIENT = 10  # at one account, from one network or one known browser
MAX_FAILURES_PER_ACCOUNT = 100  # from all networks that have never signed in to it
MAX_FAILURES_PER_NETWORK = 100  # at all accounts
DEVICE_COOKIE_NAME = "mailadmin_device"
DEVICE_COOKIE_AGE = 365 * 24 * 3600
MAX_ACCOUNTS_PER_BROWSER = 5
KNOWN_NETWORK_REFRESH = datetime.timedelta(days=1)  # a known network is written down once a day


class TooManyLoginFailures(Exception):
    def __init__(self, retry_after: int) -> None:
        super().__init__(retry_after)
        self.retry_after = retry_after


@dataclass
class LoginAttempt:
    """An attempt to sign in, counted before it is made: simultaneous attempts count too.

    `throttle_scope` names what was verified before, such as a password. Behind a password no
    attacker can lock anybody out, so failures there are counted from all networks together.
    Without accounts, where others check who somebody is, their network alone is counted.
    """

    request: HttpRequest
    accounts: Sequence[str]
    throttle_scope: str = ""
    existing_accounts: set[str] = field(default_factory=set)
    is_new_network = False  # for the account that was signed in to

    def __post_init__(self) -> None:
        self.network = get_client_network(as_panel_request(self.request).client_address)
        self.devices = load_known_devices(self.request)
        self.counts = increment_failures(dict(self.iter_limits()), f"network:{self.network}")

    def iter_limits(self) -> Iterable[tuple[str, int]]:
        """Yield each counter with its limit."""
        if not any(account in self.devices for account in self.accounts):
            yield f"network:{self.network}", MAX_FAILURES_PER_NETWORK
        for account in self.accounts:
            yield self.client_key(account), MAX_FAILURES_PER_CLIENT
            if account not in self.devices:
                yield f"account:{account}", MAX_FAILURES_PER_ACCOUNT

    def client_key(self, account: str) -> str:
        """Return the counter of this browser if it is known, else of its network."""
        if device := self.devices.get(account):
            return f"device:{device}"
        if self.throttle_scope:
            return f"{self.throttle_scope}:{account}"
        return "client:" + hash_account_network(account, self.network)

    def check_throttle(self) -> None:
        """Raise TooManyLoginFailures if no account may be tried."""
        if self.is_over_limit(f"network:{self.network}", MAX_FAILURES_PER_NETWORK):
            raise self.build_throttle_error()
        if self.accounts and not any(self.can_try(account) for account in self.accounts):
            raise self.build_throttle_error()

    def can_try(self, account: str) -> bool:
        """Return whether a password may be tried at this account."""
        if self.is_over_limit(self.client_key(account), MAX_FAILURES_PER_CLIENT):
            return False
        if account in self.devices or not self.is_over_limit(
            f"account:{account}", MAX_FAILURES_PER_ACCOUNT
        ):
            return True
        return KnownNetwork.objects.filter(pk=hash_account_network(account, self.network)).exists()

    def is_over_limit(self, key: str, limit: int) -> bool:
        failures, _since = self.counts.get(key, (0, None))
        return failures > limit

    @property
    def has_throttled_account(self) -> bool:
        """Return whether an account was not tried, so that the password may be correct."""
        return not all(self.can_try(account) for account in self.accounts)

    def build_throttle_error(self) -> TooManyLoginFailures:
        window_starts = [
            self.counts[key][1]
            for key, limit in self.iter_limits()
            if self.is_over_limit(key, limit)
        ]
        remaining = (max(window_starts) + FAILURE_WINDOW - timezone.now()).total_seconds()
        return TooManyLoginFailures(max(1, int(remaining) + 1))

    def record_success(self, account: str) -> None:
        """Reset the counter of this account, and undo what the attempt added to the others.

        A guess at an earlier account stays counted: its password was tried, and was wrong.
        """
        earlier = self.accounts[: self.accounts.index(account)] if self.accounts else []
        tried = [key for key in earlier if key in self.existing_accounts]
        failed_keys = {self.client_key(key) for key in tried} | {f"account:{key}" for key in tried}
        decrement_failures(
            [key for key in self.counts if key not in failed_keys], self.client_key(account)
        )
        self.is_new_network = remember_network(hash_account_network(account, self.network))

    def is_new_client(self, account: str) -> bool:
        """Return whether neither the browser nor the network was used for this account before."""
        return self.is_new_network and account not in self.devices

    def undo(self) -> None:
        """Undo what the attempt added: nobody has signed in, and nothing was wrong."""
        decrement_failures(list(self.counts), "")

    def remember_browser(self, response: HttpResponse, account: str) -> None:
        """Set a signed cookie by which this browser is known from now on.

        Not without accounts: a browser that comes from a provider has not sent the cookie it has.
        """
        if not self.accounts:
            return
        devices = {account: self.devices.get(account) or secrets.token_urlsafe(16)}
        devices |= {other: device for other, device in self.devices.items() if other != account}
        latest = dict(list(devices.items())[:MAX_ACCOUNTS_PER_BROWSER])
        response.set_cookie(
            DEVICE_COOKIE_NAME,
            signing.dumps(latest, salt=DEVICE_COOKIE_NAME, compress=True),
            max_age=DEVICE_COOKIE_AGE,
            path=settings.LOGIN_URL,
            secure=settings.SESSION_COOKIE_SECURE,
            httponly=True,
            samesite="Strict",
        )


def hash_account_network(account: str, network: str) -> str:
    return hashlib.sha256(f"{account} {network}".encode()).hexdigest()


def load_known_devices(request: HttpRequest) -> dict[str, str]:
    """Return account → name of this browser, for the accounts that it has signed in to."""
    try:
        devices = signing.loads(
            request.COOKIES.get(DEVICE_COOKIE_NAME, ""),
            salt=DEVICE_COOKIE_NAME,
            max_age=DEVICE_COOKIE_AGE,
        )
    except signing.BadSignature:
        return {}
    return devices if isinstance(devices, dict) else {}


def increment_failures(
    limits: dict[str, int], gate_key: str, window: datetime.timedelta = FAILURE_WINDOW
) -> dict[str, tuple[int, datetime.datetime]]:
    """Add one to these counters; return (failures in the window, its start) of each.

    Where the gate counter is over its limit, the others are left alone: an endless list of names
    must not become an endless table.
    """
    now = timezone.now()

    def add() -> dict[str, tuple[int, datetime.datetime]]:
        keys = sorted(limits)
        counts = load_failure_counts(keys)
        failures, since = counts.get(gate_key, (0, now))
        if gate_key in limits and failures > limits[gate_key] and since > now - window:
            keys = [gate_key]
        new = [LoginFailure(pk=key, since=now) for key in keys if key not in counts]
        LoginFailure.objects.bulk_create(new, ignore_conflicts=True)
        increment_window_counter(
            LoginFailure.objects.filter(pk__in=keys), now, window, "failures", "since"
        )
        return load_failure_counts(keys)

    return retry_on_deadlock(add)


def load_failure_counts(keys: list[str]) -> dict[str, tuple[int, datetime.datetime]]:
    found = LoginFailure.objects.filter(pk__in=keys).values_list("pk", "failures", "since")
    return {key: (failures, since) for key, failures, since in found}


def increment_window_counter(
    rows: QuerySet,
    now: datetime.datetime,
    window: datetime.timedelta,
    counter_field: str,
    window_field: str,
) -> int:
    """Add one to counters, reset when their window is over; return how many rows matched."""
    is_over = {f"{window_field}__lt": now - window}
    # MySQL sets columns from left to right, so the count comes before the moment it depends on.
    values = {
        counter_field: Case(When(**is_over, then=Value(1)), default=F(counter_field) + 1),
        window_field: Case(When(**is_over, then=Value(now)), default=window_field),
    }
    return rows.update(**values)


def decrement_failures(keys: list[str], reset: str) -> None:
    """Subtract one from these counters, and set one of them to zero."""
    rows = LoginFailure.objects.filter(pk__in=sorted(keys), failures__gt=0)
    remaining = Case(When(pk=reset, then=Value(0)), default=F("failures") - 1)
    retry_on_deadlock(lambda: rows.update(failures=remaining))


def remember_network(key: str) -> bool:
    """Store that this network was used for this account; return whether that is new."""
    now = timezone.now()
    row = KnownNetwork.objects.filter(pk=key)
    seen = row.values_list("seen", flat=True).first()
    if seen is None:
        new = [KnownNetwork(pk=key, seen=now)]
        retry_on_deadlock(lambda: KnownNetwork.objects.bulk_create(new, ignore_conflicts=True))
    elif seen < now - KNOWN_NETWORK_REFRESH:
        retry_on_deadlock(lambda: row.update(seen=now))
    return seen is None


def log_login_failure(name: str, address: str, reason: str) -> None:
    """Log a failed login in a fixed form, for log watchers such as fail2ban."""
    from mailadmin.observability import metrics  # not needed by commands

    metrics.LOGIN_FAILURES.labels(reason).inc()
    safe = str(name)[:255].encode("unicode_escape").decode().replace('"', "'")
    logger.warning('login failed: name="%s" address=%s reason=%s', safe, address or "-", reason)
