"""Turn second factors on and off, and use recovery codes."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError

from mailadmin.accounts.factors.models import (
    Passkey,
    PolicyLevel,
    RecoveryCode,
    RoleFactorPolicy,
    get_owner_columns,
)
from mailadmin.accounts.factors.policy import (
    get_policy_level,
    get_role_levels,
    has_second_factor,
    is_second_factor_required,
)
from mailadmin.accounts.factors.recovery_codes import (
    CODE_COUNT,
    generate_recovery_code,
    get_unused_codes,
    hash_recovery_code,
)
from mailadmin.accounts.models import Principal, Role
from mailadmin.accounts.sessions import end_sessions
from mailadmin.accounts.signed_in import describe_client
from mailadmin.changes.perform import Changes
from mailadmin.changes.records import get_row_domain
from mailadmin.mails.notices import notify_person
from mailadmin.tables.actions import Text
from mailadmin.translation import gettext
from mailadmin.translation import gettext_lazy as _

MAX_PASSKEYS = 20  # of one person


def enable_totp(changes: Changes, model: type[Principal], key: str, secret: str) -> list[str]:
    """Set the secret of an authenticator app; return recovery codes if it is the first factor."""
    person = changes.find_one(model, key)
    check_offered(person)
    is_first = not has_second_factor(person)
    changes.update([person], totp_secret=secret)
    log_factor(changes, person, "enable_totp")
    notify_of_factor(changes, person, "factor_added", _("authenticator app"))
    return create_codes(changes, person) if is_first else []


def disable_totp(changes: Changes, model: type[Principal], key: str) -> None:
    """Remove the authenticator app; PostfixAdmin takes NULL, and nothing else, for none."""
    person = changes.find_one(model, key)
    if not changes.update([person], totp_secret=None):
        return
    log_factor(changes, person, "disable_totp")
    notify_of_factor(changes, person, "factor_removed", _("authenticator app"))
    finish_removal(person)


def add_passkey(changes: Changes, model: type[Principal], key: str, passkey: Passkey) -> list[str]:
    """Store a new passkey; return recovery codes if it is the first factor."""
    person = changes.find_one(model, key)
    check_offered(person)
    if Passkey.objects.owned_by(person).count() >= MAX_PASSKEYS:
        raise ValidationError(_("You have too many passkeys. Remove one before you add another."))
    if Passkey.objects.filter(digest=passkey.digest).exists():
        raise ValidationError(_("This passkey is already in use."))
    is_first = not has_second_factor(person)
    passkey.created = changes.at
    passkey.pk = None  # it was stored before, if this is run again
    passkey.save(force_insert=True)
    log_factor(changes, person, "add_passkey")
    notify_of_factor(changes, person, "factor_added", describe_passkey(passkey))
    return create_codes(changes, person) if is_first else []


def remove_passkey(changes: Changes, model: type[Principal], key: str, number: int) -> None:
    """Remove a passkey, so that it is refused from then on."""
    person = changes.find_one(model, key)
    for passkey in Passkey.objects.owned_by(person).filter(pk=number):
        passkey.delete()
        log_factor(changes, person, "remove_passkey")
        notify_of_factor(changes, person, "factor_removed", describe_passkey(passkey))
    finish_removal(person)


def replace_recovery_codes(changes: Changes, model: type[Principal], key: str) -> list[str]:
    """Return new recovery codes for a person who has a second factor; older ones end."""
    person = changes.find_one(model, key)
    if not has_second_factor(person):
        raise ValidationError(_("Set up a second factor first."))
    notify_of_factor(changes, person, "factor_added", _("new recovery codes"))
    return create_codes(changes, person)


def create_codes(changes: Changes, person: Principal) -> list[str]:
    """Return recovery codes, of which only hashes are stored."""
    codes = [generate_recovery_code() for _number in range(CODE_COUNT)]
    RecoveryCode.objects.owned_by(person).delete()
    owner = get_owner_columns(person)
    RecoveryCode.objects.bulk_create(
        RecoveryCode(digest=hash_recovery_code(code), created=changes.at, **owner) for code in codes
    )
    log_factor(changes, person, "create_recovery_codes")
    return codes


def use_recovery_code(changes: Changes, model: type[Principal], key: str, code: str) -> None:
    """Use a recovery code, which cannot be used again."""
    person = changes.find_one(model, key)
    unused = get_unused_codes(person).filter(digest=hash_recovery_code(code))
    if not unused.update(used=changes.at):
        raise ValidationError(_("This code is incorrect or has already been used."))
    log_factor(changes, person, "use_recovery_code")
    notify_of_factor(changes, person, "recovery_code_used")


def reset_factors(changes: Changes, model: type[Principal], keys: Iterable[str]) -> None:
    """Remove all second factors of these people, who have lost them."""
    people = changes.find(model, keys)
    check_rank(changes.principal, people)
    changes.update(people, totp_secret=None)
    end_sessions(people)
    for person in people:
        Passkey.objects.owned_by(person).delete()
        RecoveryCode.objects.owned_by(person).delete()
        log_factor(changes, person, "reset_factors")
        notify_of_factor(changes, person, "factors_reset")


def set_role_levels(changes: Changes, levels: Mapping[Role, str]) -> None:
    """Set whether people of these roles can or must have a second factor."""
    current = get_role_levels()
    for role, level in levels.items():
        if level != current[role]:
            RoleFactorPolicy.objects.update_or_create(
                role=str(role.name), defaults={"level": level}
            )
            changes.log("edit_factor_policy", "", f"{str(role.name).lower()}: {level}")


def check_rank(principal: Any, people: Iterable[Principal]) -> None:
    """Refuse to reset the factors of a person of higher rank: of one who is an admin as well."""
    if principal.role is Role.SUPERADMIN:
        return
    names = [person.pk for person in people]
    if admins := list(get_user_model()._default_manager.filter(pk__in=names)[:1]):
        text = _("%(person)s is an admin: only superadmins can reset their second factors.")
        raise ValidationError(text, params={"person": admins[0].pk})


def check_offered(person: Principal) -> None:
    """Refuse a new factor where the policy offers none."""
    if get_policy_level(person) == PolicyLevel.OFF:
        raise ValidationError(_("Two-factor authentication is not offered for your account."))


def finish_removal(person: Principal) -> None:
    """Delete recovery codes that are of no use; refuse to remove the last required factor."""
    if has_second_factor(person):
        return
    if is_second_factor_required(person):
        raise ValidationError(
            _("Your account needs a second factor. Add another one before you remove this.")
        )
    RecoveryCode.objects.owned_by(person).delete()


def log_factor(changes: Changes, person: Principal, action: str) -> None:
    changes.log(action, get_row_domain(person), person.pk)


def describe_passkey(passkey: Passkey) -> str:
    return gettext("passkey “%(name)s”") % {"name": passkey}


def notify_of_factor(changes: Changes, person: Principal, kind: str, what: Text = "") -> None:
    """Queue a mail to the person about a change of their second factors."""
    notify_person(person, kind, {"what": what} | describe_client(changes.actor))
