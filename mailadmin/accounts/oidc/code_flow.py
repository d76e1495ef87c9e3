"""The authorization code flow: send a browser to the provider, and see who has signed in."""

import secrets
import time
from typing import Any
from urllib.parse import quote_plus

from authlib.integrations.base_client import OAuthError
from authlib.oidc.core import CodeIDToken
from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from requests.auth import HTTPBasicAuth

from mailadmin.accounts.oidc.documents import ProviderClient, parse_object
from mailadmin.accounts.oidc.errors import InvalidToken, ProviderUnavailable
from mailadmin.accounts.oidc.pending import (
    PENDING_KEY,
    PENDING_SECONDS,
    PendingSignIn,
    SignedInPerson,
)
from mailadmin.accounts.oidc.provider import Provider, check_claims, load_provider, read_token

MAX_CODE_LENGTH = 4096


def start_code_flow(request: HttpRequest, target: str, is_confirmation: bool = False) -> str:
    """Return the URL of the provider to which the browser has to go.

    For a confirmation, the provider has to ask the person again, whatever session they have there.
    """
    provider = load_provider()
    state, nonce, code_verifier = (secrets.token_urlsafe(32) for _number in range(3))
    pending = PendingSignIn(state, nonce, code_verifier, time.time(), target, is_confirmation)
    with make_client(provider) as client:
        url, _state = client.create_authorization_url(
            provider.authorization_endpoint,
            state=pending.state,
            nonce=pending.nonce,
            code_verifier=pending.code_verifier,
            **({"prompt": "login", "max_age": 0} if is_confirmation else {}),
        )
    request.session[PENDING_KEY] = list(pending)
    if not is_confirmation:
        request.session.set_expiry(PENDING_SECONDS)
    return url


def make_client(provider: Provider) -> ProviderClient:
    return ProviderClient(
        token_endpoint_auth_method="client_secret_post",  # noqa: S106 (the name of a method)
        scope=settings.MAILADMIN_OIDC_SCOPES,
        redirect_uri=get_redirect_uri(),
    )


def get_redirect_uri() -> str:
    """Return where the provider sends browsers; no header of a request has a say in it."""
    return settings.MAILADMIN_URL + reverse("oidc-callback")


def redeem_code(code: str, sender: str | None, pending: PendingSignIn) -> SignedInPerson:
    """Return who has signed in, or raise InvalidToken or ProviderUnavailable.

    `sender` is the issuer that the response names, if it names one (RFC 9207).
    """
    provider = load_provider()
    if sender is not None and sender != provider.issuer:
        raise InvalidToken("the response is of another issuer")
    if not code or len(code) > MAX_CODE_LENGTH:
        raise InvalidToken("the response has no code")
    with make_client(provider) as client:
        token = fetch_token(client, provider, code, pending)
        signed = read_token(provider, token.get("id_token"))
        params = {"nonce": pending.nonce, "access_token": token.get("access_token")}
        claims = check_claims(provider, signed, CodeIDToken, **params)
        return SignedInPerson(add_userinfo(client, provider, claims), str(token["id_token"]))


def fetch_token(
    client: ProviderClient, provider: Provider, code: str, pending: PendingSignIn
) -> dict[str, Any]:
    try:
        token = client.fetch_token(
            provider.token_endpoint,
            grant_type="authorization_code",
            code=code,
            code_verifier=pending.code_verifier,
            auth=get_client_authentication(provider),
        )
    except OAuthError as error:
        raise InvalidToken(f"the code is refused: {error.error}") from error
    except (ValueError, TypeError, AttributeError) as error:  # no JSON object
        raise ProviderUnavailable(provider.token_endpoint, "no token") from error
    if not token.get("access_token") or str(token.get("token_type")).lower() != "bearer":
        raise InvalidToken("there is no bearer token")
    return token


def get_client_authentication(provider: Provider) -> HTTPBasicAuth | None:
    """Return the header with the panel's secret; None has authlib put it into the body.

    Percent-encoded, as RFC 6749 wants it and authlib does not do it.
    """
    if provider.has_secret_in_body:
        return None
    pair = settings.MAILADMIN_OIDC_CLIENT_ID, settings.MAILADMIN_OIDC_CLIENT_SECRET
    return HTTPBasicAuth(*map(quote_plus, pair))


def add_userinfo(
    client: ProviderClient, provider: Provider, claims: dict[str, Any]
) -> dict[str, Any]:
    """Ask for the claims that the token lacks; those of the token are signed, and stay."""
    if not provider.userinfo_endpoint or get_wanted_claims() <= claims.keys():
        return claims
    more = parse_object(client.get(provider.userinfo_endpoint))
    if more.get("sub") != claims["sub"]:
        raise InvalidToken("the response about the person is about another person")
    return more | claims


def get_wanted_claims() -> set[str]:
    wanted = {settings.MAILADMIN_OIDC_ADDRESS_CLAIM, settings.MAILADMIN_OIDC_VERIFIED_CLAIM}
    mapping = settings.MAILADMIN_OIDC_SUPERADMIN_CLAIM
    return wanted | {mapping.claim} if mapping else wanted
