"""Rows of former mailboxes: other programs leave them when they delete a mailbox.

A new mailbox of the name would inherit them: app passwords open it, sender permissions let it send.
"""

from collections.abc import Sequence

from domains.models import Domain
from mailadmin.changes.perform import Actor, Changes, perform
from mailadmin.db.bulk import chunks
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
)

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
    for page in iter_pages(AppPassword.objects.exclude(mailbox=None)):
        present = find_present(Mailbox, {str(row.mailbox_id) for row in page})
        if orphans := [row.pk for row in page if fold(row.mailbox_id) not in present]:
            perform(Actor.console(), revoke_app_passwords, orphans)
    for rows in iter_pages(MailboxMailLogin.objects.all()):
        present = find_present(Mailbox, {row.pk for row in rows})
        gone = [row.pk for row in rows if fold(row.pk) not in present]
        delete_in_batches(MailboxMailLogin.objects.filter(pk__in=gone))


def purge_orphaned_permissions() -> None:
    """Delete sender permissions whose mailbox or domain another program has deleted."""
    for page in iter_pages(SenderPermission.objects.all()):
        mailboxes = find_present(Mailbox, {each.mailbox_id for each in page})
        domains = find_present(Domain, {each.domain_id for each in page})
        orphans = [
            each.pk
            for each in page
            if fold(each.mailbox_id) not in mailboxes or fold(each.domain_id) not in domains
        ]
        if orphans:
            perform(Actor.console(), delete_sender_permissions, orphans)


def find_present(model: type[Mailbox] | type[Domain], keys: set[str]) -> set[str]:
    """Return the folded keys that this model has.

    They are compared here: tables of an adopted database may have different collations.
    """
    rows = model.objects.filter(pk__in=keys)
    return {fold(key) for key in rows.values_list("pk", flat=True)}
