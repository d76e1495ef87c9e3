"""Who comes in with a token, what it may do, and how often."""

import datetime
import logging

from django.conf import settings
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed, Throttled
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.permissions import BasePermission

from mailadmin.accounts.throttling import add_one
from mailadmin.api.tokens import PREFIX, holder_of
from mailadmin.changes.perform import again_on_deadlock
from mailadmin.models import RequestCount, Token

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
        refuse_too_fast(holder)
        note_use(holder.token, request.client_address)
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


def refuse_too_fast(holder) -> None:
    """Limit the requests a minute of each person, counted in the database for all machines."""
    began, requests = count_request(owner_key(holder))
    most = settings.MAILADMIN_API_RATE
    if most and requests > most:
        left = (began + WINDOW - timezone.now()).total_seconds()
        raise Throttled(max(1, int(left) + 1))


def owner_key(holder) -> str:
    return holder.owner.pk.lower()


def charge(holder, rows: int) -> None:
    """Count a request of many rows as each of them would be."""
    own = RequestCount.objects.filter(pk=owner_key(holder))
    again_on_deadlock(lambda: own.update(requests=F("requests") + rows - 1))


def count_request(owner: str) -> tuple[datetime.datetime, int]:
    """(when the current minute began, requests in it), this one among them."""
    return again_on_deadlock(lambda: count_once(owner, timezone.now()))


def count_once(owner: str, now: datetime.datetime) -> tuple[datetime.datetime, int]:
    row = RequestCount.objects.filter(pk=owner)
    if not add_one(row, now, WINDOW, "requests", "window_start"):
        new = RequestCount(owner=owner, window_start=now)
        RequestCount.objects.bulk_create([new], ignore_conflicts=True)
        add_one(row, now, WINDOW, "requests", "window_start")
    return row.values_list("window_start", "requests").first() or (now, 1)


def note_use(token: Token, address: str) -> None:
    """Write down when and from where a token was used; a busy one once a minute."""
    now = timezone.now()
    is_known = token.last_used is not None and token.last_used > now - WINDOW
    if not is_known or token.last_address != address[:64]:
        Token.objects.filter(pk=token.pk).update(last_used=now, last_address=address[:64])
