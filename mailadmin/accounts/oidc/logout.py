"""Signing out: here and then at the provider, or there and then here (back-channel logout)."""

import datetime
import hashlib
from typing import Any, TypeGuard
from urllib.parse import urlencode

from django.conf import settings
from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone

from mailadmin.accounts.models import SignedInSession
from mailadmin.accounts.oidc.errors import InvalidToken, ProviderUnavailable
from mailadmin.accounts.oidc.models import ProviderSession
from mailadmin.accounts.oidc.pending import LEEWAY
from mailadmin.accounts.signed_in import SESSION_ID, end_listed_sessions
from mailadmin.db.retry import retry_on_deadlock

ID_TOKEN_KEY = "oidc_id_token"  # noqa: S105 (the name of a value in the session)

MAX_HINT_LENGTH = 4000  # in an address; without the hint the provider asks the person


def remember_provider_session(request: HttpRequest, claims: dict[str, Any], id_token: str) -> None:
    """Store what is needed to sign out at the provider, and to be signed out by it."""
    request.session[ID_TOKEN_KEY] = id_token
    sid = claims.get("sid")
    row = ProviderSession(
        signed_in_id=request.session[SESSION_ID],
        sid_hash=hash_claim("sid", sid) if is_text(sid) else "",
        sub_hash=hash_claim("sub", claims["sub"]),
        since=timezone.now(),
    )
    retry_on_deadlock(row.save)


def hash_claim(name: str, value: str) -> str:
    text = f"{settings.MAILADMIN_OIDC_ISSUER.rstrip('/')} {name} {value}"
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()


def get_provider_logout_url(request: HttpRequest) -> str:
    """Return where this session ends at the provider; empty if it did not begin there.

    Empty as well if the provider has no such page, or does not answer.
    """
    id_token = request.session.get(ID_TOKEN_KEY)
    if not id_token or not settings.MAILADMIN_OIDC_ISSUER:
        return ""
    from mailadmin.accounts.oidc.provider import load_provider  # loads authlib

    try:
        endpoint = load_provider().end_session_endpoint
    except ProviderUnavailable:
        return ""
    if not endpoint:
        return ""
    query = {
        **({"id_token_hint": id_token} if len(id_token) <= MAX_HINT_LENGTH else {}),
        "client_id": settings.MAILADMIN_OIDC_CLIENT_ID,
        "post_logout_redirect_uri": settings.MAILADMIN_URL + settings.LOGIN_URL,
    }
    return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query)}"


def end_provider_sessions(claims: dict[str, Any]) -> int:
    """End the sessions that are named, if they began before the token was issued.

    So a token that is sent once more does not end what began after it.
    """
    issued = datetime.datetime.fromtimestamp(max(claims["iat"], 0), datetime.UTC)
    latest = issued + datetime.timedelta(seconds=LEEWAY)
    named = ProviderSession.objects.filter(get_named_sessions(claims), since__lte=latest)
    keys = list(named.values_list("pk", flat=True))
    end_listed_sessions(list(SignedInSession.objects.filter(pk__in=keys)))
    ProviderSession.objects.filter(pk__in=keys).delete()
    return len(keys)


def get_named_sessions(claims: dict[str, Any]) -> Q:
    """Return the condition of the session `sid`, else of all sessions of the person `sub`.

    Sessions whose ID token had no `sid` end with any session of the person.
    """
    sid, sub = claims.get("sid"), claims.get("sub")
    of_person = Q(sub_hash=hash_claim("sub", sub)) if is_text(sub) else None
    if is_text(sid):
        named = Q(sid_hash=hash_claim("sid", sid))
        return named | of_person & Q(sid_hash="") if of_person else named
    if of_person and sid is None:
        return of_person
    raise InvalidToken("a logout token names a session or a person")


def is_text(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and value != ""
