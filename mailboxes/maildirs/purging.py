"""Purge archives, and restore them."""

import datetime
import os
import stat

from django.conf import settings
from django.utils import timezone

from mailadmin.db.retry import retry_on_deadlock
from mailadmin.translation import gettext as _
from mailboxes.maildirs.archives import (
    PARTIAL_SUFFIX,
    check_name,
    list_archives,
    remove_archive,
)
from mailboxes.maildirs.errors import MaildirRunRefused
from mailboxes.maildirs.session import MaildirSession
from mailboxes.maildirs.tree import UnusableFolder, exists
from mailboxes.models import LeftoverMaildir

State = LeftoverMaildir.State
HISTORY_DURATION = datetime.timedelta(days=365)  # of rows whose archives are purged


def get_purge_due(archived: datetime.datetime | None) -> datetime.datetime | None:
    """Return when an archive may be purged; None if never."""
    if archived is None or not settings.MAILADMIN_MAILDIRS_PURGE_DAYS:
        return None
    return archived + datetime.timedelta(days=settings.MAILADMIN_MAILDIRS_PURGE_DAYS)


def purge_archives(session: MaildirSession) -> None:
    """Delete the archives whose time is over, and the rows of those that were purged long ago."""
    settle_purging(session)
    rows = list(session.rows.filter(state=State.ARCHIVED))
    check_archives(session, rows)
    for row in rows:
        due = get_purge_due(row.archived)
        if due != row.purge_due and not session.is_dry_run:
            session.update(row, purge_due=due)
        is_over = due is not None and due <= timezone.now()
        is_given_up = session.is_forced and not exists(row.archive, session.archives)
        if not row.kept and (is_over or is_given_up):
            purge_archive(session, row)
    report_unknown(session)
    if not session.is_dry_run:
        old = session.rows.filter(state=State.PURGED, purged__lt=timezone.now() - HISTORY_DURATION)
        retry_on_deadlock(old.delete)


def settle_purging(session: MaildirSession) -> None:
    """Finish the purges that were interrupted, or have them decided anew."""
    for row in session.rows.filter(state=State.PURGING):
        if session.is_dry_run:
            session.report("settle", row.path, str(row.get_state_display()))
        elif exists(row.archive, session.archives):
            session.update(row, state=State.ARCHIVED)
        else:
            finish_purge(session, row)


def finish_purge(session: MaildirSession, row: LeftoverMaildir) -> None:
    session.update(row, state=State.PURGED, purged=timezone.now(), problem="")
    session.report("purge", row.path, row.archive)


def check_archives(session: MaildirSession, rows: list[LeftoverMaildir]) -> None:
    """Refuse a folder that has none of the archives: it is not mounted."""
    if session.is_forced:
        return
    if rows and not any(exists(row.archive, session.archives) for row in rows):
        path = str(settings.MAILADMIN_MAILDIRS_ARCHIVE)
        text = _("None of the archives is in %(path)s: is it mounted?")
        raise MaildirRunRefused(text % {"path": path})


def report_unknown(session: MaildirSession) -> None:
    """Report archives that are in no list, as after a restored database; they are never purged."""
    stored = LeftoverMaildir.objects.exclude(state=State.PURGED).exclude(archive="")
    known = set(stored.values_list("archive", flat=True))
    for name in list_archives(session.archives):
        if name.removesuffix(PARTIAL_SUFFIX) not in known:
            text = _("This archive is not in the list.")
            session.report_problem(name, text, is_listed=False)


def purge_archive(session: MaildirSession, row: LeftoverMaildir) -> None:
    """Delete one archive, if the path of its maildir still belongs to no mailbox."""
    try:
        if not is_purge_due_on_disk(session, row):
            return
        if session.is_dry_run:
            session.report("purge", row.path, row.archive)
        elif session.confirm(row, state=State.PURGING, problem=""):
            remove_archive(session.archives, row.archive)
            finish_purge(session, row)
        else:
            session.report("keep", row.path, _("it has a mailbox again, or is kept"))
            session.update(row, problem=_("The mailbox exists again: the archive is kept."))
    except FileNotFoundError as error:
        note_missing(session, row, error)
    except (UnusableFolder, OSError) as error:
        note_purge_problem(session, row, error)


def note_missing(session: MaildirSession, row: LeftoverMaildir, error: OSError) -> None:
    """Leave the row of an archive that somebody has moved away, unless it is forced."""
    if session.is_forced and not session.is_dry_run:
        finish_purge(session, row)
        return
    note_purge_problem(session, row, error)


def note_purge_problem(session: MaildirSession, row: LeftoverMaildir, error: Exception) -> None:
    text = _("The archive cannot be purged: %(error)s") % {"error": str(error)}
    session.report_problem(row.path, text)
    if not session.is_dry_run:
        session.update(row, problem=text)


def is_purge_due_on_disk(session: MaildirSession, row: LeftoverMaildir) -> bool:
    """Return whether the file itself is old enough, whatever the database says of it."""
    check_name(row.archive)
    status = os.stat(row.archive, dir_fd=session.archives, follow_symlinks=False)
    if not stat.S_ISREG(status.st_mode):
        raise UnusableFolder(_("it is no file"))
    written = datetime.datetime.fromtimestamp(status.st_mtime, datetime.UTC)
    due = get_purge_due(written)
    return due is not None and due <= timezone.now()
