"""Restore a maildir from its archive, which is kept."""

import os
from collections.abc import Sequence
from contextlib import suppress

from django.utils import timezone

from mailadmin.translation import gettext as _
from mailboxes.maildirs.archives import compare_archive, unpack_archive
from mailboxes.maildirs.errors import MaildirRunRefused
from mailboxes.maildirs.session import MaildirSession
from mailboxes.maildirs.tree import (
    UnusableFolder,
    exists,
    open_folder,
    open_path,
    remove_tree,
    rename_synced,
)
from mailboxes.models import LeftoverMaildir

State = LeftoverMaildir.State


def restore_maildir(session: MaildirSession, key: int) -> None:
    """Unpack an archive where its maildir was; refuse if there is something."""
    row = session.rows.filter(pk=key, state=State.ARCHIVED).first()
    if row is None:
        raise MaildirRunRefused(_("There is no archive of this number."))
    try:
        *parents, name = session.split_path(row)
        if session.is_dry_run:
            check_free(session, parents, name)
        else:
            create_parents(session, parents)
            with open_path(session.root, parents, session.device) as parent:
                unpack(session, row, parent, name)
            session.update(row, restored=timezone.now())
    except UnusableFolder as error:
        raise MaildirRunRefused(error.args[0]) from error
    session.report("restore", row.path, row.archive)


def check_free(session: MaildirSession, parents: Sequence[str], name: str) -> None:
    with suppress(FileNotFoundError), open_path(session.root, parents, session.device) as parent:
        refuse_existing(parent, name)


def refuse_existing(parent: int, name: str) -> None:
    if exists(name, parent):
        text = _("There is a folder of this name already. Move it away first, or unpack by hand.")
        raise UnusableFolder(text)


def create_parents(session: MaildirSession, parents: Sequence[str]) -> None:
    """Create the folder of the domain, if it is gone."""
    for depth, name in enumerate(parents):
        with open_path(session.root, parents[:depth], session.device) as parent:
            if exists(name, parent):
                continue
            os.mkdir(name, 0o700, dir_fd=parent)
            with open_folder(name, parent) as folder:
                copy_access(parent, folder)


def copy_access(source: int, target: int) -> None:
    """Give a new folder the mode, and if this is root the owner, of the one above it."""
    status = os.fstat(source)
    if os.geteuid() == 0:
        os.fchown(target, status.st_uid, status.st_gid)
    os.fchmod(target, status.st_mode & 0o2777)


def unpack(session: MaildirSession, row: LeftoverMaildir, parent: int, name: str) -> None:
    """Unpack to a temporary name, compare, and rename: so the maildir is there whole or not."""
    refuse_existing(parent, name)
    temporary = f".mailadmin-restored-{row.pk}"
    if exists(temporary, parent):  # of a run that was interrupted
        remove_tree(temporary, parent, session.device, session.on_step)
    os.mkdir(temporary, 0o700, dir_fd=parent)
    try:
        with open_folder(temporary, parent, session.device) as folder:
            arguments = session.archives, row.archive, folder, session.device, session.on_step
            unpack_archive(*arguments)
            if not compare_archive(*arguments).is_equal:
                raise UnusableFolder(_("The unpacked files differ from the archive."))
        refuse_existing(parent, name)
        rename_synced(temporary, name, parent)
    finally:
        if exists(temporary, parent):  # incomplete, and in the way of other mail
            remove_tree(temporary, parent, session.device, lambda: None)
