"""Where other systems keep mail, and what of it the panel's own configuration cannot read."""

from django.utils.translation import gettext as _


def note_mbox(path, place, losses):
    """Postfix writes an mbox where a path has no slash at its end; Dovecot looks for a maildir."""
    if path and not path.endswith("/"):
        text = _("The mail is in one file (mbox): the path is kept, Dovecot has to be told.")
        losses.add(text, place)
