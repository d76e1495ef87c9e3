"""Rows of former mailboxes: other programs leave them when they delete a mailbox.

A new mailbox of the name would inherit them: app passwords open it, sender permissions let it send.
"""

from collections.abc import Sequence
from typing import TypeVar

from domains.models import Domain
from mailadmin.changes.perform import Actor, Changes, perform
from mailadmin.db.bulk import chunks
from mailadmin.db.fields import is_older
from mailadmin.db.pagination import iter_pages
from mailadmin.housekeeping import delete_in_batches
from mailadmin.names import fold
from mailboxes.models import (
    AppPassword,
    LastLogin,
    Mailbox,
    MailboxMailLogin,
    SenderPermission,
)
from mailboxes.services.app_passwords import revoke_app_passwords
from mailboxes.services.sender_permissions import (
    delete_permissions_of_mailboxes,
    delete_sender_permissions,
    is_of_former,
)

Row = TypeVar("Row", Mailbox, Domain)
PURGE_INTERVAL = 6 * 3600  # seconds


def delete_leftovers(changes: Changes, keys: Sequence[str]) -> None:
    """Delete what former mailboxes of these names have left."""
    for part in chunks(keys):
        changes.delete(AppPassword._base_manager.filter(mailbox__in=part))
        MailboxMailLogin.objects.filter(pk__in=part).delete()
        LastLogin.objects.filter(mailbox__in=part).delete()
        delete_permissions_of_mailboxes(changes, part)


def purge_orphaned_app_passwords() -> None:
    """Revoke app passwords whose mailbox another program has deleted, and forget its settings."""
    for page in iter_pages(AppPassword.objects.exclude(mailbox=None).select_related("limits")):
        mailboxes = find_present(Mailbox, {str(row.mailbox_id) for row in page})
        orphans = [
            row.pk
            for row in page
            if is_app_password_of_former(row, mailboxes.get(fold(row.mailbox_id)))
        ]
        if orphans:
            perform(Actor.console(), revoke_app_passwords, orphans)
    for rows in iter_pages(MailboxMailLogin.objects.all()):
        mailboxes = find_present(Mailbox, {row.pk for row in rows})
        gone = [row.pk for row in rows if fold(row.pk) not in mailboxes]
        delete_in_batches(MailboxMailLogin.objects.filter(pk__in=gone))


def is_app_password_of_former(row: AppPassword, mailbox: Mailbox | None) -> bool:
    """Tell whether the mailbox is gone or, for a generated app password, was created later.

    Dovecot refuses the latter; those of PostfixAdmin have no date.
    """
    if mailbox is None or row.known_limits is None:
        return mailbox is None
    return is_older(row.known_limits.created, mailbox.created)


def purge_orphaned_permissions() -> None:
    """Delete sender permissions whose mailbox or domain another program has deleted.

    It may have created another of the name since.
    """
    for page in iter_pages(SenderPermission.objects.all()):
        mailboxes = find_present(Mailbox, {each.mailbox_id for each in page})
        domains = find_present(Domain, {each.domain_id for each in page})
        orphans = []
        for each in page:
            mailbox = mailboxes.get(fold(each.mailbox_id))
            domain = domains.get(fold(each.domain_id))
            if mailbox is None or domain is None or is_of_former(each, mailbox, domain):
                orphans.append(each.pk)
        if orphans:
            perform(Actor.console(), delete_sender_permissions, orphans)


def find_present(model: type[Row], keys: set[str]) -> dict[str, Row]:
    """Return the rows of this model with these keys, by folded key, each with its date.

    They are compared here: tables of an adopted database may have different collations.
    """
    rows = model._default_manager.filter(pk__in=keys).only("created")
    return {fold(row.pk): row for row in rows}
