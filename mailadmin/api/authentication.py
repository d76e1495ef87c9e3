"""Authenticate API requests by bearer token."""

import logging

from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from mailadmin.accounts.requests import as_panel_request
from mailadmin.api.models import Token
from mailadmin.api.problems import ApiProblem
from mailadmin.api.throttling import RATE_WINDOW, check_throttle
from mailadmin.api.tokens import TOKEN_PREFIX, TokenPrincipal, find_token_principal

logger = logging.getLogger("mailadmin.api")

CHALLENGE = {"WWW-Authenticate": 'Bearer realm="mailadmin"'}


def authenticate(request: HttpRequest) -> TokenPrincipal:
    """Return the principal of `Authorization: Bearer mailadmin_…`, and count the request."""
    scheme, _space, credentials = request.headers.get("Authorization", "").partition(" ")
    if not credentials:
        raise ApiProblem(401, _("Authentication credentials were not provided."), headers=CHALLENGE)
    principal = find_token_principal(credentials.strip()) if scheme.lower() == "bearer" else None
    address = as_panel_request(request).client_address
    if principal is None or not principal.allows_address(address):
        log_refused_token(credentials, principal, address)
        title = _("This token is invalid, or may not be used from this address.")
        raise ApiProblem(401, title, headers=CHALLENGE)
    check_throttle(principal)
    record_token_use(principal.token, address)
    return principal


def log_refused_token(credentials: str, principal: TokenPrincipal | None, address: str) -> None:
    """Log the start of a token of the panel; other credentials may be a secret from elsewhere."""
    known = TOKEN_PREFIX if credentials.startswith(TOKEN_PREFIX) else "-"
    hint = principal.token.hint if principal else known
    logger.warning("token refused: token=%s… address=%s", hint, address or "-")


def record_token_use(token: Token, address: str) -> None:
    """Store when and from where a token was used; a busy one once a minute."""
    now = timezone.now()
    is_known = token.last_used is not None and token.last_used > now - RATE_WINDOW
    if not is_known or token.last_address != address[:64]:
        Token.objects.filter(pk=token.pk).update(last_used=now, last_address=address[:64])
