"""Who has a second factor, and who can or must have one."""

from django.http import HttpRequest

from mailadmin import registry
from mailadmin.accounts.factors.models import Passkey, PolicyLevel, RoleFactorPolicy
from mailadmin.accounts.models import Principal, Role
from mailadmin.accounts.requests import as_panel_request


def has_second_factor(person: Principal) -> bool:
    """Return whether a person has an authenticator app or a passkey.

    The query that loads who signs in has looked for passkeys already.
    """
    if not hasattr(person, "has_passkeys"):
        person.has_passkeys = Passkey.objects.owned_by(person).exists()
    return bool(person.totp_secret) or person.has_passkeys


def needs_second_step(request: HttpRequest, person: Principal) -> bool:
    """Return whether a correct password is not enough: not so from an excepted address."""
    return has_second_factor(person) and not is_excepted(request, person)


def is_excepted(request: HttpRequest, person: Principal) -> bool:
    """Return whether the person may leave out the second factor at this address."""
    address = as_panel_request(request).client_address
    return any(excepts(person, address) for excepts in registry.second_factor_exceptions)


def get_policy_level(person: Principal) -> str:
    """Return whether a second factor is offered to this person, or required of them.

    The query that loads who signs in has asked for it already.
    """
    if not hasattr(person, "factor_policy"):
        rows = person._meta.model._base_manager.filter(pk=person.pk)
        person.factor_policy = rows.values_list(person.build_factor_policy(), flat=True).get()
    return person.factor_policy


def is_second_factor_required(person: Principal) -> bool:
    return get_policy_level(person) == PolicyLevel.REQUIRED


def must_enroll(request: HttpRequest, person: Principal) -> bool:
    """Return whether a person who is signed in first has to set up a second factor."""
    return (
        is_second_factor_required(person)
        and not has_second_factor(person)
        and not is_excepted(request, person)
    )


def get_role_levels() -> dict[Role, str]:
    """Return what applies to each role."""
    levels = dict(RoleFactorPolicy.objects.values_list("role", "level"))
    roles = (Role.SUPERADMIN, Role.ADMIN, Role.MAILBOX)
    return {role: levels.get(str(role.name), PolicyLevel.OFFERED) for role in roles}
