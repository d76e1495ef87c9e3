"""How often somebody may fail to sign in, counted so that strangers cannot lock a person out.

An attempt counts for each account that it may be meant for: the admin and the mailbox of that
name. It counts by account and network; a browser that has signed in to the account before has a
count of its own. What all strangers together fail at an account is bounded too, and that bound
does not concern browsers and networks from which the account was used before.
"""

import datetime
import hashlib
import logging
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from django.conf import settings
from django.core import signing
from django.db.models import Case, F, Value, When
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from mailadmin.models import KnownNetwork, LoginFailure
from mailadmin.networks import network_of
from mailadmin.writes import again_on_deadlock

logger = logging.getLogger("mailadmin.auth")

WINDOW = datetime.timedelta(minutes=5)
FAILURES_OF_CLIENT = 10  # at one account, from one network or one known browser
FAILURES_OF_ACCOUNT = 100  # from all networks that have never signed in to it
FAILURES_OF_NETWORK = 100  # at all accounts
COOKIE = "mailadmin_device"
COOKIE_AGE = 365 * 24 * 3600
ACCOUNTS_OF_BROWSER = 5
SEEN_AGAIN = datetime.timedelta(days=1)  # a known network is written down once a day


class TooManyFailures(Exception):
    def __init__(self, retry_after: int):
        super().__init__(retry_after)
        self.retry_after = retry_after


def account_key(label: str, name: str) -> str:
    """The account of this name in the table of that label; a hash, as names are personal."""
    text = f"{label}:{name.strip().lower()}"
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()


@dataclass
class Attempt:
    """An attempt to sign in, counted before it is made: attempts at the same moment count too."""

    request: HttpRequest
    accounts: Sequence[str]
    counts: dict = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.network = network_of(self.request.client_address)
        self.devices = known_devices(self.request)
        self.counts = count([key for key, _limit in self.limits()])

    def limits(self) -> Iterable[tuple[str, int]]:
        if not any(account in self.devices for account in self.accounts):
            yield f"network:{self.network}", FAILURES_OF_NETWORK
        for account in self.accounts:
            yield self.client_key(account), FAILURES_OF_CLIENT
            if account not in self.devices:
                yield f"account:{account}", FAILURES_OF_ACCOUNT

    def client_key(self, account: str) -> str:
        """The counter of this browser where it is known, otherwise of its network."""
        if device := self.devices.get(account):
            return f"device:{device}"
        return "client:" + hashed(account, self.network)

    def check(self) -> None:
        """Refuse an attempt for which no account is open."""
        if self.is_over(f"network:{self.network}", FAILURES_OF_NETWORK):
            raise self.refusal()
        if not any(self.allows(account) for account in self.accounts):
            raise self.refusal()

    def allows(self, account: str) -> bool:
        """Whether a password may be tried at this account."""
        if self.is_over(self.client_key(account), FAILURES_OF_CLIENT):
            return False
        if account in self.devices or not self.is_over(f"account:{account}", FAILURES_OF_ACCOUNT):
            return True
        return KnownNetwork.objects.filter(pk=hashed(account, self.network)).exists()

    def is_over(self, key: str, limit: int) -> bool:
        failures, _since = self.counts.get(key, (0, None))
        return failures > limit

    @property
    def is_limited(self) -> bool:
        """Whether some account was not tried, so that the password may be right nonetheless."""
        return not all(self.allows(account) for account in self.accounts)

    def refusal(self) -> TooManyFailures:
        over = [self.counts[key][1] for key, limit in self.limits() if self.is_over(key, limit)]
        left = (max(over) + WINDOW - timezone.now()).total_seconds()
        return TooManyFailures(max(1, int(left) + 1))

    def succeed(self, account: str) -> None:
        """Reset the counter of who signed in; what else was counted for the attempt is taken off.

        A guess at an earlier account stays counted: its password was tried, and was wrong.
        """
        tried = self.accounts[: self.accounts.index(account)]
        kept = {self.client_key(one) for one in tried} | {f"account:{one}" for one in tried}
        take_off([key for key in self.counts if key not in kept], self.client_key(account))
        remember_network(hashed(account, self.network))

    def remember_browser(self, response: HttpResponse, account: str) -> None:
        """Let this browser be known by a cookie that nobody else can make."""
        devices = {account: self.devices.get(account) or secrets.token_urlsafe(16)}
        devices |= {one: device for one, device in self.devices.items() if one != account}
        kept = dict(list(devices.items())[:ACCOUNTS_OF_BROWSER])
        response.set_cookie(
            COOKIE,
            signing.dumps(kept, salt=COOKIE, compress=True),
            max_age=COOKIE_AGE,
            path=settings.LOGIN_URL,
            secure=settings.SESSION_COOKIE_SECURE,
            httponly=True,
            samesite="Strict",
        )


def hashed(account: str, network: str) -> str:
    return hashlib.sha256(f"{account} {network}".encode()).hexdigest()


def known_devices(request: HttpRequest) -> dict[str, str]:
    """The accounts that this browser has signed in to, each with the name of the browser there."""
    try:
        found = signing.loads(request.COOKIES.get(COOKIE, ""), salt=COOKIE, max_age=COOKIE_AGE)
    except signing.BadSignature:
        return {}
    return found if isinstance(found, dict) else {}


def count(keys: list[str]) -> dict[str, tuple[int, datetime.datetime]]:
    """Add one to these counters: (failures in the current window, when it began) of each."""
    now, keys = timezone.now(), sorted(set(keys))
    rows = LoginFailure.objects.filter(pk__in=keys)

    def add() -> dict:
        there = set(rows.values_list("pk", flat=True))
        new = [LoginFailure(pk=key, since=now) for key in keys if key not in there]
        LoginFailure.objects.bulk_create(new, ignore_conflicts=True)
        add_one(rows, now)
        found = rows.values_list("pk", "failures", "since")
        return {key: (failures, since) for key, failures, since in found}

    return again_on_deadlock(add)


def add_one(rows, now: datetime.datetime) -> None:
    over = When(since__lt=now - WINDOW, then=Value(1))
    began = When(since__lt=now - WINDOW, then=Value(now))
    # MySQL sets columns from left to right, so the count comes before the moment it depends on.
    rows.update(failures=Case(over, default=F("failures") + 1), since=Case(began, default="since"))


def take_off(keys: list[str], reset: str) -> None:
    """Take one off these counters, and all off the one to be reset."""
    rows = LoginFailure.objects.filter(pk__in=sorted(keys), failures__gt=0)
    left = Case(When(pk=reset, then=Value(0)), default=F("failures") - 1)
    again_on_deadlock(lambda: rows.update(failures=left))


def remember_network(key: str) -> None:
    now = timezone.now()
    row = KnownNetwork.objects.filter(pk=key)
    seen = row.values_list("seen", flat=True).first()
    if seen is None:
        new = [KnownNetwork(pk=key, seen=now)]
        again_on_deadlock(lambda: KnownNetwork.objects.bulk_create(new, ignore_conflicts=True))
    elif seen < now - SEEN_AGAIN:
        again_on_deadlock(lambda: row.update(seen=now))


def log_failure(name: str, address: str, reason: str) -> None:
    """One line in a form that a log watcher can rely on."""
    from mailadmin.watching import numbers  # a command has no use for them

    numbers.LOGIN_FAILURES.labels(reason).inc()
    safe = str(name)[:255].encode("unicode_escape").decode().replace('"', "'")
    logger.warning('login failed: name="%s" address=%s reason=%s', safe, address or "-", reason)
