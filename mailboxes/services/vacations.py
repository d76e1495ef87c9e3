"""Set and end vacation replies."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError

from domains.services.locks import lock_domains
from mailadmin.accounts.models import Role
from mailadmin.changes.perform import Changes
from mailadmin.db.bulk import chunks
from mailadmin.db.models import copy_with_values
from mailadmin.names import fold
from mailadmin.translation import gettext_lazy as _
from mailboxes.models import Alias, Mailbox, Vacation, VacationNotification, vacation_target
from mailboxes.models.goto import join_goto
from mailboxes.services.addresses import find_domain_names
from mailboxes.services.aliases import get_or_create_own_aliases
from mailboxes.services.limits import validate_column_capacity
from mailboxes.vacations.access import get_vacation_roles

Values = Mapping[str, Any]


def create_vacations(changes: Changes, rows: Sequence[Values]) -> list[Vacation]:
    """Set the replies of mailboxes that have none; each row has the mailbox (`email`)."""
    keys = [str(row["email"].pk) for row in rows]
    taken = find_vacations(keys)
    seen: set[str] = set()
    for key in keys:
        if fold(key) in taken or fold(key) in seen:
            text = _("The mailbox has a vacation reply already.")
            raise ValidationError({"email": ValidationError(text, code="taken")})
        seen.add(fold(key))
    values = [{name: value for name, value in row.items() if name != "email"} for row in rows]
    return _save(changes, list(zip(keys, values, strict=True)))


def edit_vacation(changes: Changes, key: str, values: Values) -> Vacation:
    """Edit a vacation reply."""
    changes.find_one(Vacation, key)
    return set_vacation(changes, key, values)


def set_vacation(changes: Changes, key: str, values: Values) -> Vacation:
    """Set, edit or end the vacation reply of a mailbox."""
    return _save(changes, [(key, values)])[0]


def set_vacations_of_mailboxes(
    changes: Changes, _model: type[Mailbox], keys: Sequence[str], values: Values
) -> list[Vacation]:
    """Set the same vacation reply for many mailboxes, whether or not they have one."""
    return _save(changes, [(key, values) for key in keys])


def set_vacations(changes: Changes, keys: Sequence[str], field: str, value: bool) -> None:
    """Set a boolean column of vacation replies."""
    rows = changes.find(Vacation, keys)
    _save(changes, [(row.pk, {field: value}) for row in rows if getattr(row, field) is not value])


def delete_vacations(changes: Changes, keys: Sequence[str]) -> None:
    """Delete vacation replies."""
    _check_role(changes)
    mailboxes = _lock_mailboxes(changes, keys)
    changes.delete(changes.find(Vacation, keys))
    _sync_vacation_targets(changes, [(mailbox, False) for mailbox in mailboxes])
    _log(changes, mailboxes)


def find_vacations(keys: Iterable[str]) -> dict[str, Vacation]:
    """Return the replies of mailboxes, by folded name."""
    found: dict[str, Vacation] = {}
    for part in chunks(sorted(set(keys))):
        found |= {fold(row.pk): row for row in Vacation.objects.filter(pk__in=part)}
    return found


def _save(changes: Changes, edits: Sequence[tuple[str, Values]]) -> list[Vacation]:
    """Create or edit the replies of mailboxes; senders that had one get it again."""
    _check_role(changes)
    keys = [key for key, _values in edits]
    mailboxes = _lock_mailboxes(changes, keys)
    stored = [row.pk for row in find_vacations(keys).values()]
    rows = {fold(row.pk): row for row in changes.find(Vacation, stored)}
    pairs = [(m, values) for m, (_key, values) in zip(mailboxes, edits, strict=True)]
    changes.update_each(
        (rows[fold(m.pk)], dict(values)) for m, values in pairs if fold(m.pk) in rows
    )
    new = [
        Vacation(mailbox=mailbox, domain_id=mailbox.domain_id, **values)
        for mailbox, values in pairs
        if fold(mailbox.pk) not in rows
    ]
    changes.create(new)
    rows |= {fold(row.pk): row for row in new}
    for part in chunks(keys):
        VacationNotification.objects.filter(vacation__in=part).delete()
    saved = [rows[fold(mailbox.pk)] for mailbox in mailboxes]
    _sync_vacation_targets(
        changes, [(m, row.active) for m, row in zip(mailboxes, saved, strict=True)]
    )
    _log(changes, mailboxes)
    return saved


def _check_role(changes: Changes) -> None:
    """Refuse whom the operator does not allow it; superadmins also import what is disabled."""
    if changes.principal.role not in Role.SUPERADMIN | get_vacation_roles():
        raise PermissionDenied


def _lock_mailboxes(changes: Changes, keys: Sequence[str]) -> list[Mailbox]:
    lock_domains(changes, find_domain_names(Mailbox, keys))
    return changes.find(Mailbox, keys)


def _sync_vacation_targets(changes: Changes, states: Sequence[tuple[Mailbox, bool]]) -> None:
    """Add the auto-reply's target to the aliases, or remove it; whether mail is kept stays."""
    aliases = get_or_create_own_aliases(changes, [mailbox for mailbox, _active in states])
    edits = []
    for (mailbox, active), alias in zip(states, aliases, strict=True):
        goto = build_vacation_goto(alias, mailbox.pk, active)
        validate_column_capacity(copy_with_values(alias, {"goto": goto}), "goto")
        edits.append((alias, {"goto": goto}))
    changes.update_each(edits)


def build_vacation_goto(alias: Alias, mailbox: str, active: bool) -> str:
    """Return the targets of a mailbox's alias with or without that of the auto-reply."""
    own = [target for target in alias.targets if target.lower() == fold(mailbox)]
    answer = [vacation_target(mailbox)] if active else []
    if not alias.targets and not (active and alias.is_autoreply_only):
        own = [mailbox]
    return join_goto(alias.others + answer + own)


def _log(changes: Changes, mailboxes: Iterable[Mailbox]) -> None:
    for mailbox in mailboxes:
        changes.log("edit_vacation", mailbox.domain_id, mailbox.pk)
