"""Create and revoke app passwords, and set their limits."""

import secrets
from collections.abc import Iterable, Sequence
from itertools import chain, count
from typing import Any

from django.core.exceptions import ValidationError

from mailadmin.accounts.signed_in import describe_client
from mailadmin.changes.perform import Changes
from mailadmin.db.models import copy_with_values
from mailadmin.mails.mail_kinds import MailKind
from mailadmin.mails.notices import ACCOUNT, EVENT, notify_person
from mailadmin.names import fold
from mailadmin.translation import gettext_lazy as _
from mailboxes.models import AppPassword, AppPasswordLimits, DeviceLink, LastLogin, Mailbox
from mailboxes.services.app_password_hashes import hash_app_password

# Without what looks alike; 20 of them are 99 random bits.
ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"
GROUPS, GROUP_LENGTH = 5, 4
MAX_APP_PASSWORDS = 50  # of one mailbox
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
    mailbox = changes.find_one(Mailbox, key)
    own = AppPassword.objects.filter(mailbox=mailbox.pk)
    if own.count() >= MAX_APP_PASSWORDS:
        raise ValidationError(
            _("This mailbox has too many app passwords. Revoke one before you create another.")
        )
    if own.filter(description=description).exists():
        text_taken = _("This mailbox already has an app password of this name.")
        raise ValidationError({"description": ValidationError(text_taken, code="taken")})
    row = AppPassword(
        mailbox_id=mailbox.pk, description=description, password_hash=hash_app_password(text)
    )
    changes.create([row])
    delete_rows_of_former([row])
    set_app_password_limits(changes, row, limits)
    changes.log("add_app_password", mailbox.domain_id, mailbox.pk)
    notify_person(
        mailbox, APP_PASSWORD_ADDED.name, {"what": description} | describe_client(changes.actor)
    )
    return row


def delete_rows_of_former(rows: Iterable[AppPassword]) -> None:
    """Delete limits and uses of former app passwords that had the numbers of these new ones.

    PostfixAdmin deletes the app password alone, and a database may give its number again.
    """
    for row in rows:
        AppPasswordLimits.objects.filter(pk=row.pk).delete()
        LastLogin.objects.filter(mailbox=row.mailbox_id, app_password=row.pk).delete()


def edit_app_password_limits(changes: Changes, key: int, limits: dict[str, Any]) -> None:
    """Change limits of a generated app password."""
    row = changes.find_one(AppPassword, key)
    if set_app_password_limits(changes, row, limits):
        _log(changes, row, "edit_app_password")


def set_app_password_limits(changes: Changes, row: AppPassword, limits: dict[str, Any]) -> bool:
    """Set limits of a generated app password, and none that are not given; tell if they changed."""
    current = AppPasswordLimits.objects.filter(pk=row.pk).first()
    new = copy_with_values(current or AppPasswordLimits(app_password=row), limits)
    if not new.protocol_names:
        raise ValidationError({"protocols": _("Select at least one protocol.")})
    if current is None:
        changes.create([new])
        keep_younger_than_mailbox(row)
        return True
    return bool(changes.update([current], **limits))


def keep_younger_than_mailbox(row: AppPassword) -> None:
    """Date limits after their mailbox: another program may have created it by another clock.

    Dovecot refuses older ones, as those of an earlier mailbox of the name.
    """
    created = Mailbox.objects.filter(pk=row.mailbox_id).values_list("created", flat=True).first()
    if created is not None:
        AppPasswordLimits.objects.filter(pk=row.pk, created__lt=created).update(created=created)


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
