"""Limit the requests of each token owner per minute."""

import datetime

from django.conf import settings
from django.db.models import F
from django.utils import timezone
from django.utils.translation import ngettext

from mailadmin.accounts.throttling import increment_window_counter
from mailadmin.api.models import RequestCount
from mailadmin.api.problems import ApiProblem
from mailadmin.api.tokens import TokenPrincipal
from mailadmin.db.retry import retry_on_deadlock

RATE_WINDOW = datetime.timedelta(minutes=1)


def check_throttle(principal: TokenPrincipal) -> None:
    """Count a request and refuse it above the owner's limit; all machines share the count."""
    window_start, requests = increment_request_count(get_throttle_key(principal))
    limit = settings.MAILADMIN_API_RATE
    if limit and requests > limit:
        seconds = (window_start + RATE_WINDOW - timezone.now()).total_seconds()
        raise throttled(max(1, int(seconds) + 1))


def throttled(seconds: int) -> ApiProblem:
    """Build the refusal that says how long to wait."""
    text = ngettext(
        "Too many requests. Try again in %(seconds)d second.",
        "Too many requests. Try again in %(seconds)d seconds.",
        seconds,
    )
    return ApiProblem(429, text % {"seconds": seconds}, headers={"Retry-After": str(seconds)})


def get_throttle_key(principal: TokenPrincipal) -> str:
    """Return the key of the owner's count, which all their tokens share."""
    return principal.owner.pk.lower()


def charge_rows(principal: TokenPrincipal, rows: int) -> None:
    """Count a request of many rows as one request for each row."""
    own = RequestCount.objects.filter(pk=get_throttle_key(principal))
    retry_on_deadlock(lambda: own.update(requests=F("requests") + rows - 1))


def increment_request_count(owner: str) -> tuple[datetime.datetime, int]:
    """Return (start of the current minute, requests in it), this request included."""
    return retry_on_deadlock(lambda: count_request_once(owner, timezone.now()))


def count_request_once(owner: str, now: datetime.datetime) -> tuple[datetime.datetime, int]:
    """Do so in one attempt, which a deadlock may end."""
    row = RequestCount.objects.filter(pk=owner)
    if not increment_window_counter(row, now, RATE_WINDOW, "requests", "window_start"):
        new = RequestCount(owner=owner, window_start=now)
        RequestCount.objects.bulk_create([new], ignore_conflicts=True)
        increment_window_counter(row, now, RATE_WINDOW, "requests", "window_start")
    return row.values_list("window_start", "requests").first() or (now, 1)
