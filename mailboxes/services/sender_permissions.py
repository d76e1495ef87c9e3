"""Create, edit and delete sender permissions.

To grant one takes both domains, that of the address and that of the mailbox; to withdraw it,
either of them.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet

from domains.models import Domain
from domains.services.locks import check_not_being_deleted, lock_domains
from mailadmin.accounts.models import Role
from mailadmin.changes.perform import Changes
from mailadmin.db.bulk import chunks
from mailadmin.db.fields import as_stored, is_older
from mailadmin.names import fold, validate_address, validate_domain
from mailadmin.translation import gettext_lazy as _
from mailboxes.models import Mailbox, SenderPermission

TAKEN_MESSAGE = _("%(mailbox)s may already send as %(address)s.")


def create_sender_permissions(changes: Changes, rows: list[dict]) -> list[SenderPermission]:
    """Create permissions; each row has a mailbox, and an address or `@domain`."""
    mailboxes = _find_mailboxes(changes, [row["mailbox"].pk for row in rows])
    permissions = [_build_permission(row, mailboxes[fold(row["mailbox"].pk)]) for row in rows]
    domains = _lock_both_domains(changes, permissions)
    _refuse_taken(permissions)
    changes.create(permissions)
    for each in permissions:
        keep_younger(each, each.mailbox, domains[fold(each.domain_id)])
    _log(changes, "create_sender_permission", permissions)
    return permissions


def edit_sender_permission(changes: Changes, key: int, values: dict) -> SenderPermission:
    """Edit a permission; address and mailbox cannot change."""
    values = {n: value for n, value in values.items() if n in ("description", "active")}
    permission = changes.find_one(SenderPermission, key)
    _lock_both_domains(changes, [permission])
    if changes.update([permission], **values):
        _log(changes, "edit_sender_permission", [permission])
    return permission


def set_sender_permissions(changes: Changes, keys: list[int], field: str, value: bool) -> None:
    """Set a boolean column of permissions; who manages one of both domains can deactivate."""
    permissions = changes.find(SenderPermission, keys)
    if value:
        _lock_both_domains(changes, permissions)
    else:
        _refuse_owners(changes)
    _log(changes, "edit_sender_permission", changes.update(permissions, **{field: value}))


def delete_sender_permissions(changes: Changes, keys: list[int]) -> None:
    """Delete permissions; who manages one of both domains can."""
    _refuse_owners(changes)
    permissions = changes.find(SenderPermission, keys)
    changes.delete(permissions)
    _log(changes, "delete_sender_permission", permissions)


def delete_permissions_of_mailboxes(changes: Changes, keys: Sequence[str]) -> None:
    """Delete all permissions of these mailboxes, which need not exist."""
    _delete_if_any(changes, SenderPermission.objects.filter(mailbox__in=keys))


def delete_leftovers_of_domains(changes: Changes, names: Sequence[str]) -> None:
    """Delete permissions in former domains of these names, which another program deleted."""
    for part in chunks(names):
        _delete_if_any(changes, SenderPermission.objects.filter_by_domains(part))


def keep_younger(permission: SenderPermission, *rows: Mailbox | Domain) -> None:
    """Date a permission after these rows: another program may have created them by another clock.

    Older ones do not count, as those of former rows of the names.
    """
    if is_of_former(permission, *rows):
        permission.created = max((row.created for row in rows if row.created), key=as_stored)
        SenderPermission.objects.filter(pk=permission.pk).update(created=permission.created)


def is_of_former(permission: SenderPermission, *rows: Mailbox | Domain) -> bool:
    """Tell whether a permission is older than one of these rows, which was created again."""
    return any(is_older(permission.created, row.created) for row in rows)


def get_address_domain(address: str) -> str:
    return address.rpartition("@")[2]


def validate_sender_address(address: str) -> None:
    """Refuse what is neither an address nor `@domain`, and addresses with an extension."""
    if address.startswith("@"):
        validate_domain(address[1:])
        return
    validate_address(address)
    local_part = address.rpartition("@")[0]
    if signs := [sign for sign in local_part if sign in settings.MAILADMIN_RECIPIENT_DELIMITER]:
        text = _(
            "Leave out %(sign)s and the address extension after it: whoever may send as an address"
            " may also send with any extension."
        )
        raise ValidationError(text, params={"sign": signs[0]})


def _delete_if_any(changes: Changes, permissions: QuerySet[SenderPermission]) -> None:
    if permissions.exists():
        changes.delete(permissions)


def _build_permission(row: dict, mailbox: Mailbox) -> SenderPermission:
    address = row["address"].lower()
    try:
        validate_sender_address(address)
    except ValidationError as error:
        raise ValidationError({"address": error.messages}) from error
    if address == fold(mailbox.pk):
        raise ValidationError({"address": _("A mailbox may always send as its own address.")})
    values = {"address": address, "domain_id": get_address_domain(address), "mailbox": mailbox}
    return SenderPermission(**row | values, mailbox_domain_id=mailbox.domain_id)


def _find_mailboxes(changes: Changes, keys: list[str]) -> dict[str, Mailbox]:
    """Return the mailboxes in the actor's scope, by folded key; all must be there."""
    found: dict[str, Mailbox] = {}
    for part in chunks(keys):
        rows = Mailbox.objects.visible_to(changes.principal).filter(pk__in=part)
        found |= {fold(mailbox.pk): mailbox for mailbox in rows}
    if missing := [key for key in keys if fold(key) not in found]:
        text = _("The mailbox %(name)s does not exist.") % {"name": missing[0]}
        raise ValidationError({"mailbox": text})
    return found


def _lock_both_domains(
    changes: Changes, permissions: Sequence[SenderPermission]
) -> dict[str, Domain]:
    """Lock and return the domains of addresses and mailboxes; all must be in the actor's scope."""
    _refuse_owners(changes)
    lock_domains(changes, _get_domain_names(permissions))
    visible = Domain.objects.visible_to(changes.principal)
    domains: dict[str, Domain] = {}
    for part in chunks(sorted(_get_domain_names(permissions))):
        domains |= {fold(domain.pk): domain for domain in visible.filter(pk__in=part)}
    for field, column in (("address", "domain_id"), ("mailbox", "mailbox_domain_id")):
        names = [getattr(permission, column) for permission in permissions]
        if missing := [name for name in names if fold(name) not in domains]:
            raise ValidationError({field: _get_missing_text(changes) % {"name": missing[0]}})
    for permission in permissions:
        permission.domain_id = domains[fold(permission.domain_id)].pk
    check_not_being_deleted(domains.values())
    return domains


def _get_domain_names(permissions: Iterable[SenderPermission]) -> set[str]:
    return {name for each in permissions for name in (each.domain_id, each.mailbox_domain_id)}


def _get_missing_text(changes: Changes) -> Any:
    if changes.principal.role is Role.SUPERADMIN:
        return _("The domain %(name)s does not exist.")
    return _("You do not manage the domain %(name)s.")


def _refuse_owners(changes: Changes) -> None:
    """Let admins alone change permissions; owners see their own."""
    if changes.principal.role not in Role.ADMINS:
        raise PermissionDenied


def _refuse_taken(permissions: Sequence[SenderPermission]) -> None:
    """Refuse permissions that there are, and the same one twice."""
    seen: set[tuple[str, str]] = set()
    for part in chunks(permissions):
        rows = SenderPermission.objects.filter(address__in={each.address for each in part})
        seen |= {(fold(a), fold(m)) for a, m in rows.values_list("address", "mailbox_id")}
    for each in permissions:
        names = (fold(each.address), fold(each.mailbox_id))
        if names in seen:
            text = TAKEN_MESSAGE % {"mailbox": each.mailbox_id, "address": each.address}
            raise ValidationError({"address": ValidationError(text, code="taken")})
        seen.add(names)


def _log(changes: Changes, action: str, permissions: Iterable[SenderPermission]) -> None:
    """Add a log line for each domain of a permission: their admins may be different."""
    for each in permissions:
        for domain in dict.fromkeys((each.domain_id, each.mailbox_domain_id)):
            changes.log(action, domain, f"{each.address} {each.mailbox_id}")
