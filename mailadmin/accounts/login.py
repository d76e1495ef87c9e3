"""Complete a sign-in, at once or after a second factor."""

import datetime
import time

from django.conf import settings
from django.contrib.auth import login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import get_language

from mailadmin.accounts.backends import find_backend
from mailadmin.accounts.models import Principal
from mailadmin.accounts.proof import record_proof
from mailadmin.accounts.requests import get_redirect_target
from mailadmin.accounts.signed_in import describe_client, record_session
from mailadmin.accounts.throttling import LoginAttempt
from mailadmin.changes.perform import Actor
from mailadmin.mails.languages import remember_language
from mailadmin.mails.notices import notify_person

PENDING_LOGIN_KEY = "mailadmin_pending"
PENDING_LOGIN_SECONDS = 300


def complete_login(
    request: HttpRequest,
    attempt: LoginAttempt,
    principal: Principal,
    target: str,
    is_proof: bool = True,
) -> HttpResponse:
    """Sign in this principal, remember their browser, and redirect to the page they wanted.

    `is_proof` says whether dangerous steps are open for the next minutes.
    """
    open_session(request, attempt, principal)
    remember_language(principal, get_language())
    if is_proof:
        record_proof(request)
    response = redirect(get_redirect_target(request, target, settings.LOGIN_REDIRECT_URL))
    attempt.remember_browser(response, principal.account_key)
    return response


def open_session(request: HttpRequest, attempt: LoginAttempt, principal: Principal) -> None:
    """Begin the session of a principal who has proved who they are."""
    attempt.record_success(principal.account_key)
    login(request, principal, backend=find_backend(principal.model_label).path)  # type: ignore[arg-type]  # or a mailbox
    lifetime = datetime.timedelta(seconds=settings.SESSION_COOKIE_AGE)
    request.session.set_expiry(timezone.now() + lifetime)  # however often it is saved
    record_session(request, principal)
    if attempt.is_new_client(principal.account_key):
        notify_of_sign_in(request, principal)


def notify_of_sign_in(request: HttpRequest, principal: Principal) -> None:
    """Queue a mail about a sign-in from a new network and browser, unless it is the first one."""
    if not settings.MAILADMIN_SIGN_IN_NOTICES or principal.reader_language is None:
        return
    actor = Actor.of_person(request, principal)
    notify_person(principal, "new_sign_in", describe_client(actor))


def start_second_step(request: HttpRequest, principal: Principal, target: str) -> HttpResponse:
    """Ask for the second factor of a principal whose password was correct.

    The attempt stays counted until the second factor is correct too.
    """
    request.session[PENDING_LOGIN_KEY] = {
        "model": principal.model_label,
        "key": principal.pk,
        "hash": principal.get_session_auth_hash(),
        "at": time.time(),
        "next": target,
    }
    return redirect("code")


def get_pending_principal(request: HttpRequest) -> Principal | None:
    """Return who gave the correct password within the last minutes and still owes the factor."""
    pending = request.session.get(PENDING_LOGIN_KEY)
    if not pending or time.time() - pending["at"] > PENDING_LOGIN_SECONDS:
        return None
    principal = find_backend(pending["model"]).get_user(pending["key"])
    if principal is None or principal.get_session_auth_hash() != pending["hash"]:
        return None
    return principal


def pop_pending_target(request: HttpRequest) -> str:
    """End the first step; return the page that was wanted."""
    return request.session.pop(PENDING_LOGIN_KEY)["next"]
