"""Who comes in with a token, what it may do, and how often."""

import datetime
import logging

from django.conf import settings
from django.db.models import Case, F, Value, When
from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed, Throttled
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.permissions import BasePermission

from mailadmin.api.tokens import PREFIX, holder_of
from mailadmin.models import Token

logger = logging.getLogger("mailadmin.api")

WINDOW = datetime.timedelta(minutes=1)


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
        refuse_too_fast(holder.token, request.client_address)
        return holder, holder.token

    def refuse(self, request, text, holder):
        """What was sent is no secret of ours, or one that is not used here: neither is logged."""
        known = holder.token.hint if holder else PREFIX if text.startswith(PREFIX) else "-"
        logger.warning("token refused: token=%s… address=%s", known, request.client_address or "-")
        raise AuthenticationFailed(_("This token is not valid, or not from this address."))


class AlwaysJson(BaseContentNegotiation):
    """Whatever is accepted: there is nothing else here."""

    def select_parser(self, request, parsers):
        return parsers[0] if is_json(request.content_type) else None

    def select_renderer(self, request, renderers, format_suffix=None):
        return renderers[0], renderers[0].media_type


def is_json(content_type):
    return (content_type or "").partition(";")[0].strip().lower() == "application/json"


class MayUse(BasePermission):
    """The token's tables and verbs, then the roles of the table's own screens."""

    def has_permission(self, request, view):
        if request.auth is None:
            return False
        table, verb, screen = view.asked_of()
        allowed = table is None or request.user.allows(table, verb)
        return allowed and view.is_open(screen, request.user)


def refuse_too_fast(token, address):
    """So many requests a minute of each token, counted where all machines see it."""
    began, count = count_use(token, address)
    most = settings.MAILADMIN_API_RATE
    if most and count > most:
        left = (began + WINDOW - timezone.now()).total_seconds()
        raise Throttled(max(1, int(left) + 1))


def charge(token, rows):
    """A request of many rows counts as each of them would."""
    Token.objects.filter(pk=token.pk).update(window_count=F("window_count") + rows - 1)


def count_use(token, address):
    """(when the present minute began, requests in it), this one among them."""
    now = timezone.now()
    is_new = token.window_start is None or token.window_start <= now - WINDOW
    again = When(window_start__gt=now - WINDOW, then=F("window_count") + 1)
    began = When(window_start__gt=now - WINDOW, then=F("window_start"))
    Token.objects.filter(pk=token.pk).update(
        # MySQL sets columns from left to right, so the count comes before what it is asked of.
        window_count=Case(again, default=Value(1)),
        window_start=Case(began, default=Value(now)),
        last_used=now,
        last_address=address[:64],
    )
    return (now, 1) if is_new else (token.window_start, token.window_count + 1)
