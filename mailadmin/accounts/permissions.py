"""Which roles may open a view."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from mailadmin.accounts.models import Principal, Role
from mailadmin.accounts.requests import as_panel_request
from mailadmin.changes.perform import Actor

# Values of settings that say which admins may do something
SETTING_ROLES = {"no": Role(0), "superadmins": Role.SUPERADMIN, "admins": Role.ADMINS}


class RoleRequiredMixin:
    """A view that names its roles; anybody else gets 403 and stays signed in."""

    roles: Role
    request: HttpRequest

    def get_roles(self) -> Role:
        return self.roles

    @property
    def principal(self) -> Principal:
        return as_panel_request(self.request).user

    @property
    def actor(self) -> Actor:
        return Actor.from_request(self.request)

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if self.principal.role not in self.get_roles():
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)  # type: ignore[misc]  # of the view
