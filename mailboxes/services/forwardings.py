"""Set where the mail of a mailbox is forwarded."""

from mailadmin.changes.perform import Changes
from mailboxes.models import Alias
from mailboxes.services.aliases import edit_alias, get_or_create_own_alias
from mailboxes.services.mailboxes import lock_mailbox


def set_forwarding(
    changes: Changes, key: str, targets: list[str], keep_copy: bool, only_answers: bool = False
) -> Alias:
    """Set where mail of a mailbox is forwarded, and whether a copy is kept.

    `only_answers` asks for mail that gets an auto-reply and is kept nowhere; otherwise that is
    refused.
    """
    mailbox, _domain = lock_mailbox(changes, key)
    get_or_create_own_alias(changes, mailbox)
    values = {"goto": targets, "goto_mailbox": keep_copy, "only_answers": only_answers}
    return edit_alias(changes, key, values)
