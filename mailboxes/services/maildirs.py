"""Keep leftover maildirs. All else about them is done by `mailadmin maildirs`."""

from collections.abc import Sequence

from mailadmin.changes.perform import Changes
from mailboxes.models import LeftoverMaildir


def set_leftover_maildirs(changes: Changes, keys: Sequence[int], field: str, value: bool) -> None:
    """Exclude maildirs and their archives from archiving and purging, or undo that."""
    rows = changes.find(LeftoverMaildir, keys)
    for row in changes.update(rows, **{field: value}):
        # Without a domain: only superadmins see the line.
        changes.log("keep_maildir" if value else "release_maildir", "", row.path)
