"""Complete, refuse and end sign-ins by a provider or a proxy."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from mailadmin.accounts.external import (
    ORIGIN_KEY,
    Origin,
    SignInRefused,
    get_header_name,
    is_origin_valid,
    match_person,
)
from mailadmin.accounts.login import complete_login
from mailadmin.accounts.models import Principal
from mailadmin.accounts.oidc.errors import ProviderUnavailable
from mailadmin.accounts.requests import LoginPageMiddleware, PanelRequest, as_panel_request
from mailadmin.accounts.throttling import (
    LoginAttempt,
    TooManyLoginFailures,
    log_login_failure,
)
from mailadmin.error_pages import too_many_requests

logger = logging.getLogger("mailadmin.auth")


def start_external_attempt(request: HttpRequest) -> LoginAttempt:
    """Count an attempt of this network; refuse it after too many failures."""
    attempt = LoginAttempt(request, [])
    attempt.check_throttle()
    return attempt


@contextmanager
def count_failures_only(attempt: LoginAttempt) -> Iterator[None]:
    """Undo the attempt if nobody has tried to get in, or if the provider is away.

    Passwords have to work from the same network meanwhile.
    """
    try:
        yield
    except ProviderUnavailable:
        attempt.undo()
        raise
    except SignInRefused as error:
        if not error.is_failure:
            attempt.undo()
        raise


def complete_external_login(
    request: HttpRequest,
    attempt: LoginAttempt,
    person: Principal,
    target: str,
    origin: Origin,
    is_proof: bool = False,
) -> HttpResponse:
    """Sign in a person whom the provider or the proxy names.

    A second factor is its business: it has decided that they are who they say. It may have done so
    long ago, so that this alone is no recent proof.
    """
    request.session.flush()
    response = complete_login(request, attempt, person, target, is_proof)
    request.session[ORIGIN_KEY] = origin
    return response


def sign_in_by_header(request: HttpRequest, target: str) -> HttpResponse | None:
    """Sign in whom the proxy names; None if it names nobody. May raise SignInRefused."""
    name = get_header_name(request)
    if not name:
        return None
    may_be_superadmin = settings.MAILADMIN_SIGN_IN_HEADER_SUPERADMINS
    origin: Origin = {"by": "proxy", "name": name, "may_be_superadmin": may_be_superadmin}
    attempt = start_external_attempt(request)
    with count_failures_only(attempt):
        person = match_person(name, may_be_superadmin)
    return complete_external_login(request, attempt, person, target, origin)


def refuse_external_login(request: HttpRequest, error: SignInRefused) -> HttpResponse:
    """Log why nobody is signed in, and say so."""
    log_refusal(request, error)
    return render_refusal(request, error.text, error.status)


def log_refusal(request: HttpRequest, error: SignInRefused) -> None:
    """Log a refused sign-in; as a failed one only if somebody has tried to get in."""
    address = as_panel_request(request).client_address
    if error.is_failure:
        log_login_failure(error.name, address, error.reason)
    else:
        logger.info("sign-in refused: address=%s reason=%s", address, error.reason)


def refuse_throttled_login(request: HttpRequest, error: TooManyLoginFailures) -> HttpResponse:
    log_login_failure("", as_panel_request(request).client_address, "throttled")
    return too_many_requests(request, error.retry_after)


def render_refusal(request: HttpRequest, text: object, status: int) -> HttpResponse:
    context = {"text": text, "has_secret_address": True}
    return render(request, "sign_in_refused.html", context, status=status)


def render_signed_out(request: HttpRequest, provider_url: str) -> HttpResponse:
    """Say that the session has ended, and go on to the provider's own page if it has one.

    The page does so, not a redirect: the policy of pages forbids their forms to lead elsewhere. Nor
    a header: the address holds a token, and is longer than some proxies take.
    """
    return render(request, "signed_out.html", {"provider_url": provider_url})


class OriginMiddleware(LoginPageMiddleware):
    """End sessions that a provider or a proxy has begun, and would not begin now.

    The header of the proxy names somebody else or nobody, the person is a superadmin by now, or
    the panel has another provider.
    """

    def process_page(self, request: PanelRequest) -> None:
        origin, user = request.session.get(ORIGIN_KEY), request.user
        if origin and user.is_authenticated and not is_origin_valid(request, origin, user.role):
            logout(request)
