"""Where somebody is signed in: their sessions with device and address, to be ended one by one."""

import hashlib
import re
import time

from django.contrib.auth import update_session_auth_hash
from django.contrib.sessions.models import Session
from django.http import HttpRequest
from django.utils import timezone

from mailadmin.accounts.models import MAX_DEVICE_LENGTH, Principal, SignedInSession
from mailadmin.accounts.requests import as_panel_request
from mailadmin.accounts.sessions import end_sessions
from mailadmin.changes.perform import Actor

SESSION_ID = "signed_in_id"  # of its row, in the data of a session
SESSION_SEEN = "signed_in_seen"  # when the row was last written, in the data of a session
SEEN_INTERVAL = 300  # seconds; a row is not written at each request
PASSWORD_DIGEST_LENGTH = 16
# The first that fits: most browsers name others as well, which they resemble.
BROWSERS = {
    "Edge": r"\bEdgA?/",
    "Opera": r"\bOPR/",
    "Samsung Internet": r"\bSamsungBrowser/",
    "Firefox": r"\b(Firefox|FxiOS)/",
    "Chromium": r"\bChromium/",
    "Chrome": r"\b(Chrome|CriOS)/",
    "Safari": r"\bVersion/.*\bSafari/",
    "curl": r"^curl/",
}
SYSTEMS = {
    "Android": r"\bAndroid\b",
    "iPhone": r"\biPhone\b",
    "iPad": r"\biPad\b",
    "Windows": r"\bWindows\b",
    "ChromeOS": r"\bCrOS\b",
    "macOS": r"\bMacintosh\b",
    "Linux": r"\bLinux\b",
}


def update_session_record(request: HttpRequest) -> None:
    """Record a session again, as it is used, unless that was done a moment ago.

    The session is saved as well, so another request that changes it at the same time may be undone.
    """
    recorded = request.session.get(SESSION_SEEN)
    if recorded is not None and time.time() - recorded >= SEEN_INTERVAL:
        record_session(request, as_panel_request(request).user)


def record_session(request: HttpRequest, person: Principal) -> None:
    """Record when and from where a session was used, in a row that its data names."""
    session, now = request.session, timezone.now()
    values = {
        "session_key": session.session_key,
        "password_digest": get_password_digest(person),
        "address": as_panel_request(request).client_address[:64],
        "device": describe_device(request.headers.get("User-Agent", "")),
        "seen": now,
    }
    account = person.account_key
    own = SignedInSession.objects.filter(pk=session.get(SESSION_ID, 0), account=account)
    if SESSION_ID not in session or not own.update(**values):
        row = SignedInSession.objects.create(account=account, since=now, **values)
        session[SESSION_ID] = row.pk
    session[SESSION_SEEN] = int(time.time())


def list_sessions(person: Principal) -> list[SignedInSession]:
    """Return the sessions of a person that are valid, those seen last first."""
    rows = SignedInSession.objects.filter(
        account=person.account_key, password_digest=get_password_digest(person)
    )
    found = list(rows.order_by("-seen", "-pk"))
    stored = Session.objects.filter(
        pk__in=[row.session_key for row in found], expire_date__gt=timezone.now()
    )
    valid = set(stored.values_list("pk", flat=True))
    return [row for row in found if row.session_key in valid]


def end_listed_sessions(rows: list[SignedInSession]) -> None:
    """End these sessions of a person; `end_sessions` ends all that a person has."""
    Session.objects.filter(pk__in=[row.session_key for row in rows]).delete()
    SignedInSession.objects.filter(pk__in=[row.pk for row in rows]).delete()


def end_other_sessions(request: HttpRequest, person: Principal) -> None:
    """End all sessions of a person but the current one, also those that are in no list."""
    key = request.session.session_key
    end_listed_sessions([row for row in list_sessions(person) if row.session_key != key])
    end_sessions([person])
    person.forget_sessions_ended()
    update_session_auth_hash(request, person)  # type: ignore[arg-type]  # or a mailbox
    record_session(request, person)


def get_password_digest(person: Principal) -> str:
    """Return what changes when all sessions of a person end, by a new password for example."""
    digest = hashlib.sha256(person.get_session_auth_hash().encode()).hexdigest()
    return digest[:PASSWORD_DIGEST_LENGTH]


def describe_client(actor: Actor) -> dict[str, str]:
    """Return from where somebody acts, as mails say it."""
    return {"address": actor.address, "device": describe_device(actor.user_agent)}


def describe_device(user_agent: str) -> str:
    """Return browser and system as people call them, or what the program calls itself."""
    found = [
        next((name for name, pattern in names.items() if re.search(pattern, user_agent)), "")
        for names in (BROWSERS, SYSTEMS)
    ]
    return ", ".join(filter(None, found)) or user_agent[:MAX_DEVICE_LENGTH]
