"""Create and revoke app passwords, and set their limits."""

import datetime
import secrets
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import chain, count
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import prefetch_related_objects
from django.utils import timezone

from mailadmin.accounts.signed_in import describe_client
from mailadmin.changes.perform import Changes
from mailadmin.db.bulk import chunks
from mailadmin.db.models import copy_with_values
from mailadmin.mails.mail_kinds import MailKind
from mailadmin.mails.notices import ACCOUNT, EVENT, queue_notices
from mailadmin.names import fold
from mailadmin.translation import gettext_lazy as _
from mailboxes.models import AppPassword, AppPasswordLimits, DeviceLink, LastLogin, Mailbox
from mailboxes.services.app_password_hashes import get_salt, hash_with_salt

# Without what looks alike; 20 of them are 99 random bits.
ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"
GROUPS, GROUP_LENGTH = 5, 4
MAX_APP_PASSWORDS = 50  # of one mailbox
LIMITS_OF_GENERATED_MESSAGE = _("Only app passwords that were generated here have limits.")
LIMITS_MISSING_MESSAGE = _(
    "The limits of this password are missing, so it is refused. Revoke it and create another."
)
APP_PASSWORD_ADDED = MailKind(
    "app_password_added",
    _("App password added"),
    "An app password was created for a mailbox, by its owner or an administrator.",
    _("An app password was created for %(account)s"),
    _(
        "An app password was created for the mailbox %(account)s: %(what)s\n\n"
        "Time: %(when)s\nDevice: %(device)s\nIP address: %(address)s\n\n"
        "If you do not expect this, revoke the app password, change your password, and inform"
        " your administrator."
    ),
    ACCOUNT | {"what": "the name of the app password"} | EVENT,
)


def generate_app_password() -> str:
    """Generate an app password, in groups that can be read aloud."""
    return "-".join(
        "".join(secrets.choice(ALPHABET) for _position in range(GROUP_LENGTH))
        for _group in range(GROUPS)
    )


def find_free_description(mailbox: str, wanted: str) -> str:
    """Return a name that no app password of this mailbox has: the wanted one, or with a number."""
    rows = AppPassword.objects.filter(mailbox=mailbox)
    taken = {fold(name) for name in rows.values_list("description", flat=True)}
    names = chain([wanted], (f"{wanted} {number}" for number in count(2)))
    return next(name for name in names if fold(name) not in taken)


def create_app_password(
    changes: Changes, key: str, description: str, limits: dict[str, Any], text: str
) -> AppPassword:
    """Create an app password for a mailbox; its owner gets a mail."""
    row = {"mailbox": key, "description": description, "limits": limits, "text": text}
    return create_app_passwords(changes, [row])[0]


def create_app_passwords(
    changes: Changes, rows: list[dict[str, Any]], notifies: bool = True
) -> list[AppPassword]:
    """Create app passwords; each row has mailbox, description, limits and text.

    The text is in `new_password` of the returned rows, and is not stored.
    """
    mailboxes = {m.pk: m for m in changes.find(Mailbox, [row["mailbox"] for row in rows])}
    owners = {fold(key): mailbox for key, mailbox in mailboxes.items()}
    _check_room_and_names(rows)
    salt = get_salt()
    created = [_build_app_password(row, owners[fold(row["mailbox"])], salt) for row in rows]
    changes.create(created)
    delete_rows_of_former(created)
    limits = [
        _build_limits(AppPasswordLimits(), new, row["limits"])
        for row, new in zip(rows, created, strict=True)
    ]
    changes.create(limits)
    keep_younger_than_mailboxes(created, changes.at)
    for new in created:
        _log(changes, new, "add_app_password")
    if notifies:
        _notify_owners(changes, [(owners[fold(new.mailbox_id)], new) for new in created])
    return created


def _notify_owners(changes: Changes, pairs: Iterable[tuple[Mailbox, AppPassword]]) -> None:
    client = {name: value or "–" for name, value in describe_client(changes.actor).items()}
    values: dict[str, Any] = client | {"when": timezone.now()}
    notices = [(mailbox, values | {"what": new.description}) for mailbox, new in pairs]
    queue_notices(APP_PASSWORD_ADDED.name, notices)


def _build_limits(
    limits: AppPasswordLimits, row: AppPassword, values: dict[str, Any]
) -> AppPasswordLimits:
    """Return a copy of the limits with these values, as those of an app password."""
    new = copy_with_values(limits, values)
    new.app_password = row  # which then has them
    _check_protocols(new)
    return new


def _check_protocols(limits: AppPasswordLimits) -> None:
    if not limits.protocol_names:
        raise ValidationError({"protocols": _("Select at least one protocol.")})


def _build_app_password(row: dict[str, Any], mailbox: Mailbox, salt: str) -> AppPassword:
    stored = hash_with_salt(row["text"], salt)
    new = AppPassword(mailbox_id=mailbox.pk, description=row["description"], password_hash=stored)
    new.new_password = row["text"]
    return new


def _check_room_and_names(rows: Sequence[dict[str, Any]]) -> None:
    """Refuse more app passwords than a mailbox may have, and a name that it has already."""
    names = find_names({row["mailbox"] for row in rows})
    for row in rows:
        taken, name = names[fold(row["mailbox"])], row["description"]
        if len(taken) >= MAX_APP_PASSWORDS:
            raise ValidationError(
                _("This mailbox has too many app passwords. Revoke one before you create another.")
            )
        if fold(name) in map(fold, taken):
            text_taken = _("This mailbox already has an app password of this name.")
            raise ValidationError({"description": ValidationError(text_taken, code="taken")})
        taken.append(name)


def find_names(keys: Iterable[str]) -> dict[str, list[str]]:
    """Return mailbox → the names of its app passwords."""
    names: dict[str, list[str]] = defaultdict(list)
    for part in chunks(keys):
        rows = AppPassword.objects.filter(mailbox__in=part)
        for key, name in rows.values_list("mailbox_id", "description"):
            names[fold(key)].append(name or "")
    return names


def delete_rows_of_former(rows: Iterable[AppPassword]) -> None:
    """Delete limits and uses of former app passwords that had the numbers of these new ones.

    PostfixAdmin deletes the app password alone, and a database may give its number again.
    """
    for part in chunks(rows):
        keys, owners = [row.pk for row in part], {row.mailbox_id for row in part}
        AppPasswordLimits.objects.filter(pk__in=keys).delete()
        LastLogin.objects.filter(mailbox__in=owners, app_password__in=keys).delete()


def edit_app_password_limits(changes: Changes, key: int, limits: dict[str, Any]) -> AppPassword:
    """Change limits of a generated app password, and none that are not given."""
    return edit_app_passwords(changes, [(key, {"limits": limits})])[0]


def edit_app_password(changes: Changes, key: int, values: dict[str, Any]) -> AppPassword:
    """Edit an app password; its owner, its name and its text cannot change."""
    return edit_app_passwords(changes, [(key, values)])[0]


def edit_app_passwords(
    changes: Changes, edits: Sequence[tuple[int, dict[str, Any]]]
) -> list[AppPassword]:
    """Edit many app passwords."""
    rows = changes.find(AppPassword, [key for key, _values in edits])
    prefetch_related_objects(rows, "limits")
    given = {row.pk: values["limits"] for row, (_key, values) in zip(rows, edits, strict=True)}
    current = {row.pk: get_editable_limits(row) for row in rows}
    for row in rows:
        _check_protocols(copy_with_values(current[row.pk], given[row.pk]))
    changed = changes.update_each((current[row.pk], given[row.pk]) for row in rows)
    changed_keys = {limits.pk for limits in changed}
    for row in rows:
        if row.pk in changed_keys:
            _log(changes, row, "edit_app_password")
    return rows


def get_editable_limits(row: AppPassword) -> AppPasswordLimits:
    """Return the limits of an app password; refuse one that has none."""
    if not row.is_generated:
        raise ValidationError(LIMITS_OF_GENERATED_MESSAGE)
    if row.known_limits is None:
        raise ValidationError(LIMITS_MISSING_MESSAGE)
    return row.known_limits


def set_app_password_limits(changes: Changes, row: AppPassword, limits: dict[str, Any]) -> bool:
    """Set limits of a generated app password, and none that are not given; tell if they changed."""
    current = AppPasswordLimits.objects.filter(pk=row.pk).first()
    new = _build_limits(current or AppPasswordLimits(), row, limits)
    if current is not None:
        return bool(changes.update([current], **limits))
    changes.create([new])
    keep_younger_than_mailboxes([row], changes.at)
    return True


def keep_younger_than_mailboxes(rows: Iterable[AppPassword], at: datetime.datetime) -> None:
    """Date new limits after their mailboxes: another program may have another clock.

    Dovecot refuses older ones, as those of an earlier mailbox of the name.
    """
    for part in chunks(rows):
        owners = {row.mailbox_id for row in part}
        ahead = Mailbox.objects.filter(pk__in=owners, created__gt=at)
        for key, created in ahead.values_list("pk", "created"):
            keys = [row.pk for row in part if fold(row.mailbox_id) == fold(key)]
            AppPasswordLimits.objects.filter(pk__in=keys).update(created=created)


def revoke_app_passwords(changes: Changes, keys: Sequence[int]) -> None:
    """Delete app passwords, so that they are refused from then on."""
    rows = changes.find(AppPassword, keys)
    changes.delete(rows)
    for row in rows:
        _log(changes, row, "delete_app_password")


def revoke_all_app_passwords(changes: Changes, mailboxes: Iterable[str]) -> int:
    """Revoke all app passwords of these mailboxes, and links to create one; return their number."""
    owners = changes.find(Mailbox, mailboxes)
    changes.delete(DeviceLink.objects.filter(mailbox__in=[owner.pk for owner in owners]))
    own = AppPassword.objects.filter(mailbox__in=[owner.pk for owner in owners])
    keys = list(own.values_list("pk", flat=True))
    revoke_app_passwords(changes, keys)
    return len(keys)


def _log(changes: Changes, row: AppPassword, action: str) -> None:
    name = row.mailbox_id or ""
    changes.log(action, name.rpartition("@")[2], name)
