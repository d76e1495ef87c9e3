"""What a token may do: its tables and verbs, and the roles of its owner."""

from rest_framework.permissions import BasePermission


class MayUse(BasePermission):
    """The token's tables and verbs, then the roles of the table's own screens."""

    def has_permission(self, request, view):
        if request.auth is None:
            return False
        table, verb, screen = view.asked_of()
        allowed = table is None or request.user.allows(table, verb)
        return allowed and view.is_open(screen, request.user)
