"""The provider as its discovery document describes it, and the keys by which it signs."""

from dataclasses import dataclass
from typing import Any

from authlib.oidc.core import IDToken
from django.conf import settings
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry

from mailadmin.accounts.oidc.documents import load_document
from mailadmin.accounts.oidc.errors import InvalidToken, ProviderUnavailable
from mailadmin.accounts.oidc.pending import LEEWAY
from mailadmin.conf.sign_in import is_protected_url

DISCOVERY_PATH = "/.well-known/openid-configuration"
# Only what needs the private key of the provider: with HMAC its public key would be the secret.
ALGORITHMS = [
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"),
    "EdDSA",
]
KEYS_MIN_AGE = 30  # seconds; tokens of unknown keys do not make the panel ask more often
MAX_TOKEN_LENGTH = 64_000


@dataclass(frozen=True)
class Provider:
    """The endpoints of the provider; those that it may lack are empty."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str
    end_session_endpoint: str
    has_secret_in_body: bool  # of the panel; else it is in a header


def load_provider() -> Provider:
    """Return the provider of the settings; it has to call itself by the name that they give."""
    url = settings.MAILADMIN_OIDC_ISSUER.rstrip("/") + DISCOVERY_PATH
    document = load_document(url)
    issuer = document.get("issuer")
    if not isinstance(issuer, str) or issuer.rstrip("/") != url.removesuffix(DISCOVERY_PATH):
        raise ProviderUnavailable(url, f"its issuer is {issuer!r}, not that of the settings")
    required = {
        name: get_endpoint(url, document, name)
        for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")
    }
    optional = {
        name: get_endpoint(url, document, name) if document.get(name) else ""
        for name in ("userinfo_endpoint", "end_session_endpoint")
    }
    methods = document.get("token_endpoint_auth_methods_supported")
    in_body = isinstance(methods, list) and "client_secret_post" in methods
    return Provider(issuer, has_secret_in_body=in_body, **required, **optional)


def get_endpoint(url: str, document: dict[str, Any], name: str) -> str:
    endpoint = document.get(name)
    if not isinstance(endpoint, str) or not is_protected_url(endpoint):
        raise ProviderUnavailable(url, f"its {name} is {endpoint!r}, no https:// URL")
    return endpoint


def read_token(provider: Provider, text: object) -> jwt.Token:
    """Return a token that the provider has signed; its claims are yet to be checked."""
    if not isinstance(text, str) or not text.isascii() or len(text) > MAX_TOKEN_LENGTH:
        raise InvalidToken("this is no token")
    try:
        return decode(text, load_document(provider.jwks_uri))
    except InvalidKeyIdError:  # the keys may have been changed since they were read
        return decode_with_new_keys(provider, text)
    except (JoseError, ValueError) as error:
        raise InvalidToken(str(error)) from error


def decode_with_new_keys(provider: Provider, text: str) -> jwt.Token:
    try:
        return decode(text, load_document(provider.jwks_uri, KEYS_MIN_AGE))
    except (JoseError, ValueError) as error:
        raise InvalidToken(str(error)) from error


def decode(text: str, keys: dict[str, Any]) -> jwt.Token:
    registry = JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False)
    return jwt.decode(text, KeySet.import_key_set({"keys": get_signing_keys(keys)}), None, registry)


def get_signing_keys(keys: dict[str, Any]) -> list[Any]:
    """Return the public keys by which the provider may sign."""
    found = keys.get("keys")
    listed = [key for key in found if isinstance(key, dict)] if isinstance(found, list) else []
    return [
        key
        for key in listed
        if key.get("kty") in ("RSA", "EC", "OKP") and key.get("use", "sig") == "sig"
    ]


def check_claims(
    provider: Provider, token: jwt.Token, kind: type[IDToken], **params: Any
) -> dict[str, Any]:
    """Return the claims of a token by this issuer, for this client, that is valid now.

    `kind` has the checks of authlib; without options it looks at neither issuer nor audience.
    """
    client_id = settings.MAILADMIN_OIDC_CLIENT_ID
    options: Any = {
        "iss": {"essential": True, "value": provider.issuer},
        "aud": {"essential": True, "value": client_id},
    }
    claims = kind(token.claims, token.header, options, {"client_id": client_id} | params)
    try:
        claims.validate(leeway=LEEWAY)
    except (JoseError, ValueError, TypeError, OverflowError) as error:
        raise InvalidToken(str(error)) from error
    return dict(claims)
