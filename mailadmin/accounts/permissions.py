"""Which roles a view opens for."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from mailadmin.changes.perform import Actor


class RoleRequiredMixin:
    """A view that says which roles it opens for; anybody else gets 403 and stays signed in."""

    roles = None

    def get_roles(self):
        return self.roles

    @property
    def actor(self):
        return Actor.from_request(self.request)

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any):
        if request.user.role not in self.get_roles():
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)
