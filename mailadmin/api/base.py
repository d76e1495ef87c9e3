"""The base of all API views: authentication, permissions, and errors as JSON."""

import functools
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.generic import View

from mailadmin.accounts.models import Role
from mailadmin.accounts.requests import as_panel_request
from mailadmin.api.authentication import authenticate
from mailadmin.api.permissions import Access, check_token_access, permission_denied
from mailadmin.api.problems import HANDLED_ERRORS, ApiProblem, handle_exception
from mailadmin.api.tokens import TokenPrincipal
from mailadmin.changes.perform import Actor


@method_decorator([csrf_exempt, login_not_required], name="dispatch")
class ApiView(View):
    """A view for programs with a token; it needs neither a session nor a CSRF token."""

    http_method_names = ["get", "head"]
    access_table: str | None = None  # what a token has to open; None: any token will do
    roles = Role.ADMINS
    operations: dict[str, dict] = {}  # method → OpenAPI operation

    principal: TokenPrincipal
    raw_body: bytes

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Answer with the view's response, or with the problem that stands in its way."""
        try:
            self.check_request(request)
            response = super().dispatch(request, *args, **kwargs)
        except HANDLED_ERRORS as error:
            problem = handle_exception(error)
            if problem is None:
                raise
            response = problem
        allowed = self._allowed_methods()  # type: ignore[attr-defined]  # private
        response.headers["Allow"] = ", ".join(allowed)
        return response

    def check_request(self, request: HttpRequest) -> None:
        """Refuse an unknown method before anybody is authenticated, then what is not allowed."""
        if str(request.method).lower() not in self.http_method_names:
            self.http_method_not_allowed(request)
        self.principal = authenticate(request)
        request.user = self.principal  # type: ignore[assignment]  # no row, but acts as one
        self.check_permissions()
        user = f"{self.principal.username}, token {self.principal.token.pk}"
        as_panel_request(request).access_log_user = user
        self.raw_body = request.body  # which refuses what is too large

    def check_permissions(self) -> None:
        """Refuse what the token or its owner's role does not allow."""
        access = self.get_required_access()
        check_token_access(self.principal, access)
        if not self.allows_screen(access.screen, self.principal):
            raise permission_denied()

    def get_required_access(self) -> Access:
        """Return what this request needs."""
        return Access(self.access_table)

    def allows_screen(self, screen: str, principal: TokenPrincipal) -> bool:
        """Return whether the principal's role opens this view."""
        return principal.role in self.roles

    def get_operations(self) -> dict[str, dict]:
        """Return what the OpenAPI document says of each method."""
        return self.operations

    def http_method_not_allowed(
        self, request: HttpRequest, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Refuse a method that this view does not have."""
        raise ApiProblem(405, _('Method "%(method)s" not allowed.') % {"method": request.method})

    @functools.cached_property
    def actor(self) -> Actor:
        """Return who is logged as the author of changes."""
        address = as_panel_request(self.request).client_address
        address = f"{address}, token {self.principal.token.pk}"
        return Actor(self.principal, self.principal.username, address)
