"""A sign-in that has begun: what the session holds until the browser returns."""

import hmac
import time
from typing import Any, NamedTuple

from django.http import HttpRequest

PENDING_KEY = "oidc_pending"
PENDING_SECONDS = 600
LEEWAY = 60  # seconds by which the clocks of the panel and the provider may differ


class PendingSignIn(NamedTuple):
    """What the anonymous session holds until the browser returns."""

    state: str
    nonce: str
    code_verifier: str
    begun: float
    target: str
    is_confirmation: bool  # of somebody who is signed in, and proves once more who they are


class SignedInPerson(NamedTuple):
    """What the provider says about a person, and the token in which it says so."""

    claims: dict[str, Any]
    id_token: str


def pop_pending(request: HttpRequest) -> PendingSignIn | None:
    """Return what the browser was sent away with, once and for ten minutes."""
    stored = request.session.pop(PENDING_KEY, None)
    if stored is None:
        return None
    pending = PendingSignIn(*stored)
    if time.time() - pending.begun > PENDING_SECONDS:
        return None
    state = request.GET.get("state", "")
    return pending if hmac.compare_digest(pending.state.encode(), encode(state)) else None


def encode(text: str) -> bytes:
    return text.encode(errors="replace")


def has_authenticated_since(claims: dict[str, Any], begun: float) -> bool:
    """Return whether the person has proved to the provider who they are since then."""
    moment = claims.get("auth_time")
    return isinstance(moment, (int, float)) and moment >= begun - LEEWAY
