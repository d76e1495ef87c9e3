"""See the panel as another person: for superadmins, and without changing anything."""

import logging
from typing import Any

from django.apps import apps
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.generic import View

from mailadmin.accounts.models import Principal, Role
from mailadmin.accounts.permissions import RoleRequiredMixin
from mailadmin.accounts.requests import LoginPageMiddleware, PanelRequest

logger = logging.getLogger("mailadmin.accounts")

SESSION_KEY = "view_as"
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
ALLOWED_POSTS = ("view-as-stop", "logout")
# Secrets and bulk data of the person; the lists of all tables are closed as files.
CLOSED_VIEWS = (
    *("sessions", "factors", "totp", "passkey-add", "confirm", "own-exceptions"),
    *("tokens", "token-delete", "import-plan", "import-refused"),
)


class ViewAsMiddleware(LoginPageMiddleware):
    """Answer requests of a superadmin as the person whom they chose to see the panel as."""

    def process_request(self, request: PanelRequest) -> None:
        request.view_as = False

    def process_page(self, request: PanelRequest) -> None:
        if SESSION_KEY in request.session:
            self.replace_user(request)

    def replace_user(self, request: PanelRequest) -> None:
        """Replace the user, or end the view if either person has lost their access."""
        person = find_person(*request.session[SESSION_KEY])
        if person is None or getattr(request.user, "role", None) is not Role.SUPERADMIN:
            del request.session[SESSION_KEY]
            return
        request.user, request.view_as = person, True
        if is_closed_view(request):
            raise PermissionDenied


def is_closed_view(request: HttpRequest) -> bool:
    """Return whether the page changes something or holds secrets or bulk data."""
    match = request.resolver_match
    name = str(match.view_name) if match else ""
    if request.method not in SAFE_METHODS and name not in ALLOWED_POSTS:
        return True
    return name in CLOSED_VIEWS or name.endswith("-export")


def find_person(label: str, key: str) -> Principal | None:
    """Return an active person with fewer rights than a superadmin."""
    try:
        model: Any = apps.get_model(label)
    except (LookupError, ValueError):
        return None
    if not issubclass(model, Principal):
        return None
    person = model._default_manager.filter(pk=key).first()
    return person if has_fewer_rights(person) else None


def has_fewer_rights(person: Any) -> bool:
    """Return whether this is an active person, and no superadmin."""
    return isinstance(person, Principal) and person.active and person.role is not Role.SUPERADMIN


def can_be_viewed_as(principal: Any, row: Any) -> bool:
    """Return whether a superadmin can see the panel as the person of this row."""
    return principal.role is Role.SUPERADMIN and has_fewer_rights(row)


class ViewAsView(RoleRequiredMixin, View):
    """Begin to see the panel as a domain admin or mailbox owner."""

    roles = Role.SUPERADMIN
    http_method_names = ["post"]

    def post(self, request: HttpRequest) -> HttpResponse:
        label, key = request.POST.get("model", ""), request.POST.get("key", "")
        if find_person(label, key) is None:
            raise Http404
        request.session[SESSION_KEY] = [label, key]
        logger.info("%s views the panel as %s", self.actor, key)
        return redirect("home")


class ViewAsStopView(RoleRequiredMixin, View):
    """Return to the superadmin's own view."""

    roles = Role.ANYONE
    http_method_names = ["post"]

    def post(self, request: HttpRequest) -> HttpResponse:
        if viewed := request.session.pop(SESSION_KEY, None):
            logger.info("the view of the panel as %s has ended", viewed[1])
            messages.success(request, _("You are viewing the panel as yourself again."))
        return redirect("home")
