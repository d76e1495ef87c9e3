"""People whom somebody else has signed in: an OpenID Connect provider, or a reverse proxy.

They are matched to rows by their address alone; nobody is created.
"""

from typing import Any, Literal, TypedDict
from urllib.parse import urlencode

from django.conf import settings
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from mailadmin.accounts.backends import PRINCIPAL_BACKENDS
from mailadmin.accounts.forms import has_control_characters
from mailadmin.accounts.models import Principal, Role
from mailadmin.accounts.networks import is_trusted_proxy
from mailadmin.conf.sign_in import REMOTE_USER

ORIGIN_KEY = "signed_in_by"
MAX_ADDRESS_LENGTH = 255


class SignInRefused(Exception):
    """A sign-in that ends with a page that says why.

    `is_failure` says whether it counts as an attempt to get in, for limits and log watchers.
    """

    def __init__(
        self,
        text: object,
        reason: str,
        name: str = "",
        status: int = 403,
        is_failure: bool = True,
    ) -> None:
        super().__init__(text)
        self.text, self.reason, self.name = text, reason, name
        self.status, self.is_failure = status, is_failure


class Origin(TypedDict):
    """Who has signed a session in, and as whom; kept in the session."""

    by: Literal["provider", "proxy"]
    name: str  # the issuer, or what the header says
    may_be_superadmin: bool


def match_person(address: object, may_be_superadmin: bool) -> Principal:
    """Return the active admin, else mailbox, of exactly this address, or raise SignInRefused."""
    name = address if isinstance(address, str) else ""
    person = find_person_of_address(name)
    if person is None:
        raise SignInRefused(
            _("There is no active account with this address. Ask your administrator."),
            "unknown",
            name,
        )
    if person.role is Role.SUPERADMIN and not may_be_superadmin:
        text = _("Superadmins sign in with their password.")
        raise SignInRefused(text, "superadmin", name, is_failure=False)
    return person


def find_person_of_address(name: str) -> Principal | None:
    """Return whose row has this address.

    In lower case some letters become others, such as the sign of Kelvin a `k`: then it is another
    address.
    """
    is_exact = name.isascii() or name == name.lower()
    if not is_exact or name != name.strip() or len(name) > MAX_ADDRESS_LENGTH:
        return None
    if "@" not in name or has_control_characters(name):
        return None
    found = (backend().find_principal(name) for backend in PRINCIPAL_BACKENDS)
    return next((person for person in found if person is not None), None)


def get_header_name(request: HttpRequest) -> str:
    """Return whom the proxy has signed in; empty for a request by anybody else."""
    key = get_header_key()
    return request.META.get(key, "") if key and has_trusted_sender(request) else ""


def get_header_key() -> str:
    """Return the name of the header in `request.META`; empty if nobody signs in by a header."""
    name = settings.MAILADMIN_SIGN_IN_HEADER
    if name in ("", REMOTE_USER):
        return name
    return f"HTTP_{name.upper().replace('-', '_')}"


def has_trusted_sender(request: HttpRequest) -> bool:
    return is_trusted_proxy(request.META.get("REMOTE_ADDR", ""))


def is_origin_valid(request: HttpRequest, origin: Origin, role: Role) -> bool:
    """Return whether who has signed a session in would still do so."""
    if role is Role.SUPERADMIN and not origin["may_be_superadmin"]:
        return False
    if origin["by"] == "provider":
        return origin["name"] == settings.MAILADMIN_OIDC_ISSUER
    return bool(origin["name"]) and origin["name"] == get_header_name(request)


def is_signed_in_by_provider(request: HttpRequest) -> bool:
    origin = request.session.get(ORIGIN_KEY)
    return origin is not None and origin["by"] == "provider"


def may_sign_in_locally(person: Principal) -> bool:
    """Return whether the operator lets this person sign in with a password of the panel."""
    return settings.MAILADMIN_LOCAL_SIGN_IN != "superadmins" or person.role is Role.SUPERADMIN


def check_local_sign_in(person: Principal) -> None:
    """Refuse who has to sign in elsewhere; for those who have proved who they are."""
    if not may_sign_in_locally(person):
        raise ValidationError(_("Only superadmins can sign in here. Use single sign-on."))


def get_sign_in_options(target: str) -> dict[str, Any]:
    """Return what the sign-in page offers besides the password."""
    return {
        "has_provider": bool(settings.MAILADMIN_OIDC_ISSUER),
        "provider_name": settings.MAILADMIN_OIDC_NAME,
        "provider_query": urlencode({"next": target}) if target else "",
        "is_for_superadmins": settings.MAILADMIN_LOCAL_SIGN_IN == "superadmins",
    }
