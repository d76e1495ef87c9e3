"""Logout tokens: by them a provider says that a session has ended there."""

from authlib.oidc.core import IDToken

from mailadmin.accounts.oidc.errors import InvalidToken
from mailadmin.accounts.oidc.logout import end_provider_sessions
from mailadmin.accounts.oidc.provider import check_claims, load_provider, read_token
from mailadmin.db.retry import retry_on_deadlock

LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"


class LogoutToken(IDToken):
    """The token by which a provider says that somebody has signed out there."""

    ESSENTIAL_CLAIMS = ["iss", "aud", "iat", "jti", "events"]

    def validate_azp(self) -> None:
        """Leave out a check of ID tokens alone."""


def end_sessions_of_token(text: object) -> int:
    """End the sessions that a logout token names; return how many, or raise InvalidToken."""
    provider = load_provider()
    claims = check_claims(provider, read_token(provider, text), LogoutToken)
    events = claims["events"]
    if not isinstance(events, dict) or not isinstance(events.get(LOGOUT_EVENT), dict):
        raise InvalidToken("this is no logout token")
    if "nonce" in claims:
        raise InvalidToken("a logout token has no nonce")
    return retry_on_deadlock(lambda: end_provider_sessions(claims))
