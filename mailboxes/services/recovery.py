"""Set a password by a link."""

from mailadmin.accounts.models import Principal
from mailadmin.accounts.recovery.services import finish_recovery, take_link
from mailadmin.changes.perform import Changes
from mailboxes.services.mailboxes import set_password


def recover_password(
    changes: Changes,
    model: type[Principal],
    key: str,
    secret: str,
    stored: str,
    revokes_app_passwords: bool = False,
    typed: tuple[str, str] | None = None,
) -> None:
    """Use up a link and set the hash of the new password; nobody is signed in by it."""
    purpose = take_link(changes, model, key, secret)
    person = set_password(changes, model, key, stored, revokes_app_passwords, typed)
    finish_recovery(changes, person, purpose)
