"""The pages of the sign-in at a provider, and what the provider itself calls."""

import logging
import re
import time
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.generic import View

from mailadmin.accounts.external import Origin, SignInRefused, match_person
from mailadmin.accounts.external_login import (
    complete_external_login,
    count_failures_only,
    refuse_external_login,
    refuse_throttled_login,
    render_refusal,
    start_external_attempt,
)
from mailadmin.accounts.models import Principal, Role
from mailadmin.accounts.oidc.errors import InvalidToken, ProviderUnavailable
from mailadmin.accounts.oidc.logout import remember_provider_session
from mailadmin.accounts.oidc.pending import (
    PendingSignIn,
    SignedInPerson,
    has_authenticated_since,
    pop_pending,
)
from mailadmin.accounts.permissions import RoleRequiredMixin
from mailadmin.accounts.proof import PROOF_SECONDS, record_proof
from mailadmin.accounts.requests import as_panel_request, get_redirect_target
from mailadmin.accounts.throttling import LoginAttempt, TooManyLoginFailures, log_login_failure

logger = logging.getLogger("mailadmin.auth")


class BaseProviderView(View):
    """A view that exists if there is a provider; its errors are pages, not tracebacks."""

    roles = Role.ANYONE

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not settings.MAILADMIN_OIDC_ISSUER:
            raise Http404
        try:
            return super().dispatch(request, *args, **kwargs)
        except ProviderUnavailable as error:
            return self.report_outage(error)
        except TooManyLoginFailures as error:
            return refuse_throttled_login(request, error)

    def report_outage(self, error: ProviderUnavailable) -> HttpResponse:
        logger.error("the sign-in server does not answer as it should: %s", error)
        text = _("The sign-in server %(server)s cannot be used now. Try again in a moment.")
        return render_refusal(self.request, text % {"server": error.server}, 503)


@method_decorator(login_not_required, name="dispatch")
class ProviderLoginView(BaseProviderView):
    """Send the browser to the provider."""

    http_method_names = ["get"]

    def get(self, request: HttpRequest) -> HttpResponse:
        from mailadmin.accounts.oidc.code_flow import start_code_flow  # loads authlib

        if request.user.is_authenticated:
            return redirect(settings.LOGIN_REDIRECT_URL)
        return redirect(start_code_flow(request, request.GET.get("next", "")))


class ProviderConfirmView(RoleRequiredMixin, BaseProviderView):
    """Send somebody whom the provider has signed in there again, to prove who they are."""

    http_method_names = ["get"]

    def get(self, request: HttpRequest) -> HttpResponse:
        from mailadmin.accounts.oidc.code_flow import start_code_flow  # loads authlib

        target = request.GET.get("next", "")
        return redirect(start_code_flow(request, target, is_confirmation=True))


@method_decorator(login_not_required, name="dispatch")
class ProviderCallbackView(BaseProviderView):
    """Sign in whom the provider sends back."""

    http_method_names = ["get"]

    def get(self, request: HttpRequest) -> HttpResponse:
        try:
            return self.sign_in()
        except SignInRefused as error:
            return refuse_external_login(request, error)
        except InvalidToken as error:
            logger.warning("the response of the sign-in server is refused: %s", error)
            text = _("The response of the sign-in server is not valid. Start again.")
            return refuse_external_login(request, SignInRefused(text, "token", status=400))

    def sign_in(self) -> HttpResponse:
        from mailadmin.accounts.oidc.code_flow import redeem_code  # loads authlib

        request, query = self.request, self.request.GET
        pending = pop_pending(request)
        if pending is None:  # no failure: any page elsewhere can send browsers here
            text = _("This sign-in has expired. Start again.")
            raise SignInRefused(text, "state", status=400, is_failure=False)
        if "error" in query:
            raise build_provider_refusal(query["error"])
        attempt = start_external_attempt(request)
        with count_failures_only(attempt):
            person = redeem_code(query.get("code", ""), query.get("iss"), pending)
            may_be_superadmin = has_superadmin_claim(person.claims)
            principal = match_person(get_verified_address(person.claims), may_be_superadmin)
        if pending.is_confirmation:
            return self.confirm(principal, person, pending, attempt)
        origin: Origin = {
            "by": "provider",
            "name": settings.MAILADMIN_OIDC_ISSUER,
            "may_be_superadmin": may_be_superadmin,
        }
        is_proof = has_authenticated_since(person.claims, time.time() - PROOF_SECONDS)
        response = complete_external_login(
            request, attempt, principal, pending.target, origin, is_proof
        )
        remember_provider_session(request, person.claims, person.id_token)
        return response

    def confirm(
        self,
        principal: Principal,
        person: SignedInPerson,
        pending: PendingSignIn,
        attempt: LoginAttempt,
    ) -> HttpResponse:
        """Record that the signed-in person has just proved to the provider who they are."""
        if self.request.user != principal:
            raise SignInRefused(_("You are signed in as somebody else."), "confirmation")
        if not has_authenticated_since(person.claims, pending.begun):
            raise InvalidToken("the provider has not asked the person again")
        attempt.undo()
        record_proof(self.request)
        return redirect(get_redirect_target(self.request, pending.target, reverse("account")))


def build_provider_refusal(code: str) -> SignInRefused:
    """Return the page for an error of the provider; only a code as the standard has it is shown."""
    if code == "access_denied":
        text = _("The sign-in was cancelled or denied.")
        return SignInRefused(text, "denied", is_failure=False)
    shown = code if re.fullmatch("[a-z_]{1,60}", code) else "?"
    text = _("The sign-in server reports an error: %(code)s")
    return SignInRefused(text % {"code": shown}, "provider", status=400, is_failure=False)


def get_verified_address(claims: dict[str, Any]) -> str:
    """Return the address, if the provider has verified that it is the person's."""
    address = claims.get(settings.MAILADMIN_OIDC_ADDRESS_CLAIM)
    if not isinstance(address, str) or not address:
        raise SignInRefused(_("The sign-in server has sent no email address."), "no-address")
    if str(claims.get(settings.MAILADMIN_OIDC_VERIFIED_CLAIM)).lower() not in ("true", "1"):
        text = _("The sign-in server has not verified your email address.")
        raise SignInRefused(text, "unverified", address)
    return address


def has_superadmin_claim(claims: dict[str, Any]) -> bool:
    """Return whether the operator lets superadmins sign in with these claims."""
    mapping = settings.MAILADMIN_OIDC_SUPERADMIN_CLAIM
    if mapping is None:
        return False
    value = claims.get(mapping.claim)
    values = value if isinstance(value, list) else [value]
    return mapping.value in ["true" if each is True else each for each in values]


@method_decorator([csrf_exempt, login_not_required], name="dispatch")
class BackChannelLogoutView(BaseProviderView):
    """End sessions here when the provider says that they have ended there."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest) -> HttpResponse:
        from mailadmin.accounts.oidc.logout_tokens import end_sessions_of_token  # loads authlib

        attempt = start_external_attempt(request)
        try:
            with count_failures_only(attempt):
                ended = end_sessions_of_token(request.POST.get("logout_token"))
        except InvalidToken as error:
            logger.warning("a logout token is refused: %s", error)
            log_login_failure("", as_panel_request(request).client_address, "logout-token")
            return JsonResponse({"error": "invalid_request"}, status=400)
        attempt.undo()
        logger.info("the sign-in server has ended %d sessions", ended)
        return HttpResponse()
