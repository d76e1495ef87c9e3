"""Archive maildirs. At each moment all mail is in the folder, or in a complete archive, or in both.

The states of a row say how far it is: `archiving` before an archive is begun, `removing` before the
folder is touched. What a run has left unfinished, the next one settles by what is on disk.
"""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from django.utils import timezone

from mailadmin.db.retry import retry_on_deadlock
from mailadmin.translation import gettext as _
from mailboxes.maildirs.archives import (
    PARTIAL_SUFFIX,
    check_name,
    compare_archive,
    remove_archive,
    write_archive,
)
from mailboxes.maildirs.purging import get_purge_due
from mailboxes.maildirs.scanning import TRASH_PREFIX, describe_error, get_archive_due
from mailboxes.maildirs.session import MaildirSession
from mailboxes.maildirs.tree import (
    UnusableFolder,
    exists,
    fingerprint,
    is_maildir,
    measure,
    open_folder,
    remove_tree,
    rename_synced,
)
from mailboxes.models import LeftoverMaildir

State = LeftoverMaildir.State
NO_ARCHIVE = {"archive": "", "archive_size": 0, "archived": None, "purge_due": None}


class OpenedMaildir(NamedTuple):
    """A maildir by its descriptor, and the folder in which it has its name."""

    folder: int
    parent: int
    name: str


def archive_maildirs(session: MaildirSession, rows: list[LeftoverMaildir] | None = None) -> None:
    """Archive all maildirs whose waiting time is over; `rows` are those of a scan just done."""
    now = timezone.now()
    if rows is None:
        rows = list(session.rows.filter(state=State.LISTED))
    for row in rows:
        if not row.kept and row.archive_due and row.archive_due <= now:
            archive_maildir(session, row)


def archive_maildir(session: MaildirSession, row: LeftoverMaildir) -> None:
    """Archive one maildir, and delete its folder."""
    try:
        with open_maildir(session, row) as maildir:
            if not is_due_on_disk(session, row, maildir):
                return
            if session.is_dry_run:
                session.report("archive", row.path, _("the folder is deleted afterwards"))
                return
            name = f"{row.pk}-{secrets.token_hex(8)}.tar.gz"
            if not session.confirm(row, state=State.ARCHIVING, archive=name, problem=""):
                session.report("keep", row.path, _("it has a mailbox again, or is kept"))
                return
            digest = create_archive(session, row, maildir)
            if begin_removal(session, row):
                remove_maildir(session, row, maildir, digest)
    except (UnusableFolder, OSError) as error:
        note_problem(session, row, error)
    if row.state in LeftoverMaildir.UNFINISHED_STATES:
        settle(session, row)


@contextmanager
def open_maildir(session: MaildirSession, row: LeftoverMaildir) -> Iterator[OpenedMaildir]:
    """Open a listed folder, if it still has the shape of a maildir."""
    with (
        session.open_parent(row) as (parent, name),
        open_folder(name, parent, session.device) as folder,
    ):
        if not is_maildir(folder, session.rule.inside, session.device):
            raise UnusableFolder(_("The folder is no maildir any more."))
        yield OpenedMaildir(folder, parent, name)


def is_due_on_disk(session: MaildirSession, row: LeftoverMaildir, maildir: OpenedMaildir) -> bool:
    """Return whether nothing has been changed in the folder since it was listed."""
    measured = measure(maildir.folder, session.device, session.on_step)
    row.last_change = measured.last_change
    return get_archive_due(row) <= timezone.now()


def create_archive(session: MaildirSession, row: LeftoverMaildir, maildir: OpenedMaildir) -> str:
    """Write the archive and read it again; return the fingerprint of what it contains."""
    folder, device, on_step = maildir.folder, session.device, session.on_step
    digest, partial = fingerprint(folder, device, on_step), row.archive + PARTIAL_SUFFIX
    write_archive(session.archives, row.archive, folder, device, on_step)
    same = compare_archive(session.archives, partial, folder, device, on_step).is_equal
    if not same or fingerprint(folder, device, on_step) != digest:
        raise UnusableFolder(_("The folder was changed while it was archived."))
    rename_synced(partial, row.archive, session.archives)
    return digest


def begin_removal(session: MaildirSession, row: LeftoverMaildir) -> bool:
    """Store that the archive is complete; return False if the folder must not be removed."""
    status = os.stat(row.archive, dir_fd=session.archives, follow_symlinks=False)
    now = timezone.now()
    return session.confirm(
        row,
        state=State.REMOVING,
        archive_size=status.st_size,
        archived=now,
        purge_due=get_purge_due(now),
    )


def remove_maildir(
    session: MaildirSession, row: LeftoverMaildir, maildir: OpenedMaildir, digest: str
) -> None:
    """Rename the folder, make sure that it is the archived one still, and delete it."""
    trash = get_trash_name(row)
    if exists(trash, maildir.parent):
        raise UnusableFolder(_("A folder of an earlier run is in the way."))
    session.renew()
    rename_synced(maildir.name, trash, maildir.parent)
    renamed = os.stat(trash, dir_fd=maildir.parent, follow_symlinks=False)
    is_same = os.path.samestat(renamed, os.fstat(maildir.folder))
    if not is_same or fingerprint(maildir.folder, session.device, session.on_step) != digest:
        raise UnusableFolder(_("The folder was changed while it was archived."))
    session.renew()
    remove_tree(trash, maildir.parent, session.device, session.on_step)
    os.fsync(maildir.parent)
    finish(session, row)


def finish(session: MaildirSession, row: LeftoverMaildir) -> None:
    session.update(row, state=State.ARCHIVED, problem="")
    session.report("archive", row.path, row.archive)


def get_trash_name(row: LeftoverMaildir) -> str:
    """Return the name that a folder has before it is deleted; short, as its own may be long."""
    return f"{TRASH_PREFIX}{row.pk}"


def note_problem(session: MaildirSession, row: LeftoverMaildir, error: Exception) -> None:
    """Store why a maildir is left alone."""
    text = describe_error(error)
    session.report_problem(row.path, text)
    if not session.is_dry_run:
        session.update(row, problem=text)


# What a run has left unfinished


def settle_unfinished(session: MaildirSession) -> None:
    """Settle what the last run had begun and not finished."""
    for row in session.rows.filter(state__in=LeftoverMaildir.UNFINISHED_STATES):
        if session.is_dry_run:
            session.report("settle", row.path, str(row.get_state_display()))
        else:
            settle(session, row)


def settle(session: MaildirSession, row: LeftoverMaildir) -> None:
    """Undo what was begun, or finish it where the folder is not complete any more.

    An archive is deleted only if the folder has all that it has, and the other way round.
    """
    session.renew()
    try:
        check_name(row.archive)
        partial = row.archive + PARTIAL_SUFFIX
        if exists(partial, session.archives):
            os.unlink(partial, dir_fd=session.archives)
        try:
            with session.open_parent(row) as (parent, name):
                settle_folder(session, row, parent, name)
        except FileNotFoundError:  # the folder of the domain is gone
            settle_without_folder(session, row)
    except (UnusableFolder, OSError) as error:
        note_problem(session, row, error)


def settle_folder(session: MaildirSession, row: LeftoverMaildir, parent: int, name: str) -> None:
    if exists(get_trash_name(row), parent):
        settle_trash(session, row, parent, name)
    elif not exists(name, parent):
        settle_without_folder(session, row)
    elif not has_archive(session, row):
        session.update(row, state=State.LISTED, **NO_ARCHIVE)
    else:
        with open_folder(name, parent, session.device) as folder:
            compared = compare_archive(
                session.archives, row.archive, folder, session.device, session.on_step
            )
        if compared.folder_has_all:
            return_to_list(session, row)
        else:
            finish(session, row)  # mail has come in anew, perhaps of another mailbox


def settle_trash(session: MaildirSession, row: LeftoverMaildir, parent: int, name: str) -> None:
    """Delete a renamed folder that the archive has whole; put back one that it has not."""
    trash, archives, device = get_trash_name(row), session.archives, session.device
    with open_folder(trash, parent, device) as folder:
        compared = compare_archive(archives, row.archive, folder, device, session.on_step)
    if compared.archive_has_all:
        session.renew()
        remove_tree(trash, parent, device, session.on_step)
        os.fsync(parent)
        finish(session, row)
    elif compared.folder_has_all and not exists(name, parent):
        rename_synced(trash, name, parent)
        return_to_list(session, row)
    else:
        text = _("%(name)s and the archive differ; both are kept. See the documentation.")
        raise UnusableFolder(text % {"name": trash})


def return_to_list(session: MaildirSession, row: LeftoverMaildir) -> None:
    """Delete the archive of a folder that has all of it."""
    remove_archive(session.archives, row.archive)
    session.update(row, state=State.LISTED, **NO_ARCHIVE)


def settle_without_folder(session: MaildirSession, row: LeftoverMaildir) -> None:
    if has_archive(session, row):
        finish(session, row)
    else:
        retry_on_deadlock(lambda: session.rows.filter(pk=row.pk).delete())


def has_archive(session: MaildirSession, row: LeftoverMaildir) -> bool:
    return exists(row.archive, session.archives)
