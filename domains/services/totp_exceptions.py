"""IP addresses from which the second factor is not asked for."""

from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Q
from django.db.models.functions import Lower

from domains.models import Admin, Domain, OwnTotpException, TotpException
from mailadmin.accounts.factors.policy import is_second_factor_required
from mailadmin.accounts.models import Role
from mailadmin.accounts.networks import parse_ip
from mailadmin.accounts.signed_in import describe_client
from mailadmin.changes.perform import Changes
from mailadmin.mails.notices import notify_person
from mailadmin.names import fold
from mailadmin.translation import gettext_lazy as _

TAKEN_MESSAGE = _("There is such an exception already.")


def is_excepted(person: Any, address: str) -> bool:
    """Return whether a person needs no second factor at this address.

    PostfixAdmin stores both NULL and an empty name for everybody. Names are compared here as well:
    a collation may equate other letters. What owners have made for themselves counts for nobody
    else, and not where a second factor is required.
    """
    ip, names = parse_ip(address), get_exception_names(person)
    if ip is None:
        return False
    rows = TotpException.objects.alias(folded=Lower("username"))
    rows = rows.filter(Q(folded__in=names) | Q(username=None))
    if person.role is not Role.MAILBOX or is_second_factor_required(person):
        rows = rows.filter(own_exception=None)
    return any(
        fold(name or "") in names and parse_ip(text) == ip
        for text, name in rows.values_list("ip", "username")
    )


def get_exception_names(person: Any) -> set[str]:
    """Return the names of exceptions that are for this person: their own, and their domain's."""
    return {"", fold(person.pk), fold(getattr(person, "domain_id", None) or person.pk)}


def create_totp_exceptions(changes: Changes, rows: list[dict]) -> list[TotpException]:
    """Create exceptions."""
    found = [TotpException(**row) for row in rows]
    for number, row in enumerate(found):
        _check_name(changes, row.username)
        same = [other for other in found[:number] if is_same(row, other)]
        if same or _filter_same(row.ip, row.username).exists():
            raise ValidationError({"ip": ValidationError(TAKEN_MESSAGE, code="taken")})
    changes.create(found)
    _mark_own(changes, found)
    for row in found:
        _log(changes, row, "add_totp_exception")
    return found


def edit_totp_exception(changes: Changes, key: int, values: dict) -> TotpException:
    """Edit an exception, as an admin: it is then no longer one of its owner's own."""
    row = changes.find_one(TotpException, key)
    OwnTotpException.objects.filter(pk=key).delete()
    ip, username = values.get("ip", row.ip), values.get("username", row.username)
    if (ip, username) != (row.ip, row.username):
        _check_name(changes, username)
        if _filter_same(ip, username).exclude(pk=key).exists():
            raise ValidationError({"ip": ValidationError(TAKEN_MESSAGE, code="taken")})
    if changes.update([row], **values):
        _log(changes, row, "edit_totp_exception")
    return row


def delete_totp_exceptions(changes: Changes, keys: list[int]) -> None:
    """Delete exceptions."""
    rows = changes.find(TotpException, keys)
    changes.delete(rows)
    for row in rows:
        _log(changes, row, "delete_totp_exception")


def _mark_own(changes: Changes, rows: list[TotpException]) -> None:
    """Mark new exceptions that an owner makes, and tell them; an old mark may have such a key."""
    OwnTotpException.objects.filter(pk__in=[row.pk for row in rows]).delete()
    if changes.principal.role is not Role.MAILBOX:
        return
    OwnTotpException.objects.bulk_create(OwnTotpException(exception=row) for row in rows)
    for row in rows:
        values = {"what": row.ip} | describe_client(changes.actor)
        notify_person(changes.principal, "exception_added", values)


def is_same(row: TotpException, other: TotpException) -> bool:
    return (row.ip, fold(row.username)) == (other.ip, fold(other.username))


def _filter_same(ip: str, username: str | None) -> Any:
    named = Q(username=username) if username else Q(username=None) | Q(username="")
    return TotpException.objects.filter(named, ip=ip)


def _check_name(changes: Changes, username: str | None) -> None:
    """Refuse a name out of the actor's scope; an exception for everybody is for superadmins."""
    principal = changes.principal
    if principal.role is Role.SUPERADMIN:
        return
    if not username:
        text = _("Only superadmins can make an exception for all accounts.")
        raise ValidationError({"username": text})
    if Admin.objects.filter(pk=username).exists():
        text = _("Only superadmins can make an exception for an admin.")
        raise ValidationError({"username": text})
    if principal.role is Role.MAILBOX:
        _check_own(principal, username)
        return
    domain = username.rpartition("@")[2]
    if not Domain.objects.visible_to(principal).filter(pk=domain).exists():
        text = _("You do not manage the domain %(name)s.") % {"name": domain}
        raise ValidationError({"username": text})


def _check_own(principal: Any, username: str) -> None:
    """Let owners make exceptions for themselves, where they may do without a second factor."""
    if fold(username) != fold(principal.pk):
        raise PermissionDenied
    if is_second_factor_required(principal):
        text = _("Your account requires a second factor.")
        raise ValidationError({"ip": text})


def _log(changes: Changes, row: TotpException, action: str) -> None:
    changes.log(action, row.domain_name, str(row))
