"""Authenticate API requests by bearer token."""

import logging

from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed

from mailadmin.api.models import Token
from mailadmin.api.throttling import WINDOW, refuse_too_fast
from mailadmin.api.tokens import PREFIX, holder_of

logger = logging.getLogger("mailadmin.api")


class TokenAuthentication(BaseAuthentication):
    """`Authorization: Bearer mailadmin_…`"""

    def authenticate_header(self, request):
        return 'Bearer realm="mailadmin"'

    def authenticate(self, request):
        scheme, _space, text = get_authorization_header(request).decode("latin1").partition(" ")
        if not text:
            return None
        holder = holder_of(text.strip()) if scheme.lower() == "bearer" else None
        if holder is None or not holder.is_from(request.client_address):
            self.refuse(request, text, holder)
        refuse_too_fast(holder)
        note_use(holder.token, request.client_address)
        return holder, holder.token

    def refuse(self, request, text, holder):
        """What was sent is no secret of ours, or one that is not used here: neither is logged."""
        known = holder.token.hint if holder else PREFIX if text.startswith(PREFIX) else "-"
        logger.warning("token refused: token=%s… address=%s", known, request.client_address or "-")
        raise AuthenticationFailed(_("This token is not valid, or not from this address."))


def note_use(token: Token, address: str) -> None:
    """Write down when and from where a token was used; a busy one once a minute."""
    now = timezone.now()
    is_known = token.last_used is not None and token.last_used > now - WINDOW
    if not is_known or token.last_address != address[:64]:
        Token.objects.filter(pk=token.pk).update(last_used=now, last_address=address[:64])
