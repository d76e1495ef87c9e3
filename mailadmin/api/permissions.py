"""Check what a token may do: its tables and verbs."""

from dataclasses import dataclass

from django.utils.translation import gettext as _

from mailadmin.api.problems import ApiProblem
from mailadmin.api.tokens import TokenPrincipal


@dataclass(frozen=True)
class Access:
    """The rights that a request needs: table and verb of the token, and a screen of the table."""

    table: str | None  # None: any token may ask
    verb: str = "read"
    screen: str = "list"


def check_token_access(principal: TokenPrincipal, access: Access) -> None:
    """Refuse a table or a verb that the token does not have."""
    if access.table is not None and not principal.allows(access.table, access.verb):
        raise permission_denied()


def permission_denied() -> ApiProblem:
    """Build the refusal of a principal without permission."""
    return ApiProblem(403, _("You do not have permission to perform this action."))
