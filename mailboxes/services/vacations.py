"""Set and end vacation replies."""

from mailadmin.changes.perform import Changes
from mailadmin.db.models import copy_with_values
from mailadmin.names import fold
from mailboxes.models import Alias, Mailbox, Vacation, VacationNotification, vacation_target
from mailboxes.models.goto import join_goto
from mailboxes.services.aliases import get_or_create_own_alias
from mailboxes.services.limits import validate_column_capacity
from mailboxes.services.mailboxes import lock_mailbox


def set_vacation(changes: Changes, key: str, values: dict) -> Vacation:
    """Set, edit or end a vacation reply; senders that had one get it again."""
    mailbox, _domain = lock_mailbox(changes, key)
    vacation = Vacation.objects.filter(pk=key).first()
    if vacation is None:
        vacation = Vacation(mailbox=mailbox, domain_id=mailbox.domain_id, **values)
        changes.create([vacation])
    else:
        vacation = changes.find_one(Vacation, key)
        changes.update([vacation], **values)
    VacationNotification.objects.filter(vacation=key).delete()
    _sync_vacation_target(changes, mailbox, values["active"])
    changes.log("edit_vacation", mailbox.domain_id, mailbox.pk)
    return vacation


def delete_vacation(changes: Changes, key: str) -> None:
    """Delete a vacation reply."""
    mailbox, _domain = lock_mailbox(changes, key)
    changes.delete(changes.find(Vacation, [key]))
    _sync_vacation_target(changes, mailbox, False)
    changes.log("edit_vacation", mailbox.domain_id, mailbox.pk)


def _sync_vacation_target(changes: Changes, mailbox: Mailbox, active: bool) -> None:
    """Add the auto-reply's target to the alias, or remove it; whether mail is kept stays."""
    alias = get_or_create_own_alias(changes, mailbox)
    goto = build_vacation_goto(alias, mailbox.pk, active)
    validate_column_capacity(copy_with_values(alias, {"goto": goto}), "goto")
    changes.update([alias], goto=goto)


def build_vacation_goto(alias: Alias, mailbox: str, active: bool) -> str:
    """Return the targets of a mailbox's alias with or without that of the auto-reply."""
    own = [target for target in alias.targets if target.lower() == fold(mailbox)]
    answer = [vacation_target(mailbox)] if active else []
    if not alias.targets and not (active and alias.is_autoreply_only):
        own = [mailbox]
    return join_goto(alias.others + answer + own)
