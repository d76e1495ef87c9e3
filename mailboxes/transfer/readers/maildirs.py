"""Mail folders of other systems, and what of them the panel's own configuration cannot read."""

from mailadmin.translation import gettext as _
from mailboxes.transfer.entries import Losses


def note_mbox(path: str | None, place: str, losses: Losses) -> None:
    """Note a path without a slash at its end: Postfix writes an mbox, Dovecot expects a maildir."""
    if path and not path.endswith("/"):
        text = _("Mail stored in one file (mbox): the path is kept; configure Dovecot for it.")
        losses.add(text, place)
