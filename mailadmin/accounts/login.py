"""Complete a sign-in, at once or after a second factor."""

import datetime

from django.conf import settings
from django.contrib.auth import login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone

from mailadmin.accounts.backends import find_backend, get_account_key
from mailadmin.accounts.models import Principal
from mailadmin.accounts.requests import get_redirect_target
from mailadmin.accounts.signed_in import record_session
from mailadmin.accounts.throttling import LoginAttempt


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
    attempt.record_success(get_account_key(principal))
    login(request, principal, backend=find_backend(principal.model_label).path)  # type: ignore[arg-type]  # or a mailbox
    lifetime = datetime.timedelta(seconds=settings.SESSION_COOKIE_AGE)
    request.session.set_expiry(timezone.now() + lifetime)  # however often it is saved
    record_session(request, principal)
    response = redirect(get_redirect_target(request, target, settings.LOGIN_REDIRECT_URL))
    attempt.remember_browser(response, get_account_key(principal))
    return response
