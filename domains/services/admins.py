"""Create, edit and delete admins and their assignments; one superadmin always remains."""

from django.core.exceptions import ValidationError

from domains.models import ALL_DOMAINS, Admin, Domain, DomainAdmin, TotpException
from domains.services.locks import lock_domains, refuse_taken_keys
from mailadmin import passwords
from mailadmin.accounts.recovery.invitations import invite_new_people
from mailadmin.accounts.recovery.services import notify_of_new_addresses
from mailadmin.accounts.sessions import end_sessions
from mailadmin.api.tokens import delete_owner_tokens
from mailadmin.changes.perform import Actor, Changes, perform
from mailadmin.names import fold, normalize_address
from mailadmin.tables.saved_filters import delete_saved_filters
from mailadmin.translation import gettext_lazy as _

OWN_ACCOUNT_MESSAGE = _("You cannot delete, deactivate or demote yourself.")


def create_admins(changes: Changes, rows: list[dict]) -> list[Admin]:
    """Create admins with their domains; passwords are hashes."""
    lock_domains(changes, [ALL_DOMAINS, *(name for row in rows for name in row.get("domains", []))])
    admins = [
        Admin(**{n: value for n, value in row.items() if n not in ("domains", "invitation_to")})
        for row in rows
    ]
    refuse_taken_keys(
        Admin, [a.pk for a in admins], "username", _("The admin %(key)s already exists.")
    )
    changes.create(admins)
    for admin, row in zip(admins, rows, strict=True):
        _set_domains(changes, admin, row.get("domains", []))
        _sync_all_assignment(changes, admin)
        changes.log("create_admin", "", admin.pk)
    invite_new_people(changes, admins, rows)
    return admins


def create_superuser(username: str, password: str) -> Admin:
    """Create a superadmin from the console, in a transaction of its own."""
    row = {"username": normalize_address(username), "superadmin": True}
    row |= {"password": passwords.make_hash(password, username)}
    [admin] = perform(Actor.console(), create_admins, [row])
    return admin


def edit_admin(changes: Changes, key: str, values: dict) -> Admin:
    """Edit an admin. Nobody can demote themselves, or the last superadmin."""
    lock_domains(changes, [ALL_DOMAINS, *values.get("domains", [])])
    admin = changes.find_one(Admin, key)
    columns = {name: value for name, value in values.items() if name != "domains"}
    _refuse_demotion(changes, [admin], columns)
    notify_of_new_addresses(changes, [(admin, columns)])
    changed = changes.update([admin], **columns)
    if changed and columns.get("active") is False:
        revoke_access(changes, changed)
    assigned = "domains" in values and _set_domains(changes, admin, values["domains"])
    if assigned and not changed:
        changes.update([admin], modified=changes.at)  # the date shows the new assignments
    if changed + _sync_all_assignment(changes, admin) or assigned:
        changes.log("edit_admin", "", key)
    return admin


def assign_domain(changes: Changes, key: str, domain: str) -> Admin:
    """Add one domain to those of an admin."""
    lock_domains(changes, [ALL_DOMAINS])
    admin = changes.find_one(Admin, key)
    return edit_admin(changes, key, {"domains": [*admin.get_assigned_domains(), domain]})


def unassign_domain(changes: Changes, key: str, domain: str) -> Admin:
    """Take one domain from an admin."""
    lock_domains(changes, [ALL_DOMAINS])
    admin = changes.find_one(Admin, key)
    names = [name for name in admin.get_assigned_domains() if fold(name) != fold(domain)]
    return edit_admin(changes, key, {"domains": names})


def set_admins(changes: Changes, keys: list[str], field: str, value: bool) -> None:
    """Set a boolean column of admins."""
    lock_domains(changes, [ALL_DOMAINS])
    admins = changes.find(Admin, keys)
    _refuse_demotion(changes, admins, {field: value})
    changed = changes.update(admins, **{field: value})
    for admin in changed:
        _sync_all_assignment(changes, admin)
        changes.log("edit_admin", "", admin.pk)
    if field == "active" and not value:
        revoke_access(changes, changed)


def revoke_access(changes: Changes, admins: list[Admin]) -> None:
    """End the sessions and revoke the tokens of admins; activating them restores neither."""
    end_sessions(admins)
    delete_owner_tokens(changes, admins)


def delete_admins(changes: Changes, keys: list[str]) -> None:
    """Delete admins with their assignments, sessions, tokens and saved filters."""
    lock_domains(changes, [ALL_DOMAINS])
    admins = changes.find(Admin, keys)
    _refuse_demotion(changes, admins, {"active": False})
    changes.delete(TotpException.objects.filter(username__in=keys))
    end_sessions(admins)
    delete_saved_filters(admins)
    changes.delete(admins)
    for admin in admins:
        changes.log("delete_admin", "", admin.pk)


def _refuse_demotion(changes: Changes, admins: list[Admin], values: dict) -> None:
    """Refuse to demote or deactivate the acting admin, or the last superadmin."""
    is_demotion = values.get("active") is False or values.get("superadmin") is False
    if not is_demotion:
        return
    demoted = [a for a in admins if a.superadmin or values.get("active") is False]
    if changes.principal.pk in [admin.pk for admin in demoted]:
        raise ValidationError(OWN_ACCOUNT_MESSAGE)
    if not any(admin.superadmin and admin.active for admin in admins):
        return
    others = Admin.objects.superadmins().filter(active=True).exclude(pk__in=[a.pk for a in admins])
    if not others.exists():
        raise ValidationError(_("The last active superadmin cannot be removed."))


def _set_domains(changes: Changes, admin: Admin, names: list[str]) -> bool:
    """Assign exactly these domains to an admin; return whether any assignment changed."""
    assigned = {fold(name) for name in names} - {fold(ALL_DOMAINS)}
    rows = list(DomainAdmin.objects.filter(admin=admin))
    unchanged = {fold(row.domain_id) for row in rows if row.active} & assigned
    added = {fold(d.pk): d for d in Domain.objects.filter(pk__in=assigned - unchanged)}
    if unknown := sorted(assigned - unchanged - set(added)):
        raise ValidationError(
            {"domains": _("The domain %(name)s does not exist.") % {"name": unknown[0]}}
        )
    surplus = _find_surplus_assignments(rows, assigned)
    changes.delete(surplus)
    changes.create(DomainAdmin(admin=admin, domain=added[name]) for name in sorted(added))
    return bool(surplus or added)


def _find_surplus_assignments(rows: list[DomainAdmin], assigned: set[str]) -> list[DomainAdmin]:
    """Return the assignments that are unwanted, inactive or duplicate."""
    seen, surplus = set(), []
    for row in rows:
        name = fold(row.domain_id)
        if name not in assigned or not row.active or name in seen:
            surplus.append(row)
        else:
            seen.add(name)
    return surplus


def _sync_all_assignment(changes: Changes, admin: Admin) -> list[DomainAdmin]:
    """Assign `ALL` to superadmins, once and active, and to nobody else, as PostfixAdmin does."""
    rows = list(DomainAdmin._base_manager.filter(admin=admin, domain=ALL_DOMAINS))
    surplus, new = compare_all_assignments(admin, rows)
    changes.delete(surplus)
    changes.create(new)
    return surplus + new


def compare_all_assignments(
    admin: Admin, rows: list[DomainAdmin]
) -> tuple[list[DomainAdmin], list[DomainAdmin]]:
    """Return which of an admin's rows for `ALL` are to be deleted, and which are to be created."""
    kept = [row for row in rows if row.active][:1] if admin.superadmin else []
    surplus = [row for row in rows if row not in kept]
    new = [DomainAdmin(admin=admin, domain_id=ALL_DOMAINS)] if admin.superadmin and not kept else []
    return surplus, new
