"""Find the maildirs that belong to no mailbox, and list them in the database."""

import datetime
import os
import re
import stat
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.utils import timezone

from mailadmin.db.retry import retry_on_deadlock
from mailadmin.translation import gettext as _
from mailboxes.maildirs.errors import MaildirRunRefused
from mailboxes.maildirs.paths import FoundMaildir, digest_path, escape_path
from mailboxes.maildirs.session import MaildirSession
from mailboxes.maildirs.tree import (
    UnusableFolder,
    has_maildir_parts,
    is_maildir,
    measure,
    open_folder,
)
from mailboxes.models import LeftoverMaildir, MaildirRun

TRASH_PREFIX = ".mailadmin-removed-"
TRASH_RE = re.compile(re.escape(TRASH_PREFIX) + "([0-9]{1,18})")
MAX_FUTURE = datetime.timedelta(days=1)  # a later time of a file is wrong, and ignored


def scan(session: MaildirSession) -> list[LeftoverMaildir]:
    """List all maildirs without a mailbox; return their rows, in a dry run as they would be."""
    found = list(find_maildirs(session))
    paths = session.load_paths()  # after the folders: a mailbox that is created now has a row
    by_path = {escape_path(each.path): each for each in found}
    leftovers = {path: each for path, each in by_path.items() if not paths.may_own(each)}
    current = session.rows.filter(state__in=LeftoverMaildir.CURRENT_STATES)
    listed = {row.path: row for row in current}
    check_counts(session, len(found), leftovers.keys() - listed.keys())
    rows = []
    for path, each in leftovers.items():
        row = listed.get(path) or LeftoverMaildir(storage=session.storage, path=path)
        if row.state == LeftoverMaildir.State.LISTED:
            measure_maildir(session, row, each)
            rows.append(row)
    for path in listed.keys() - leftovers.keys():
        if path in by_path or not is_unreadable(session, listed[path]):
            remove_from_list(session, listed[path], path in by_path)
    store_scan(session, mailboxes=paths.count, maildirs=len(found), scanned=timezone.now())
    return rows


def find_maildirs(session: MaildirSession) -> Iterator[FoundMaildir]:
    """Yield the folders that have the place and the shape of a maildir."""
    yield from find_below(session, session.root, [])


def find_below(session: MaildirSession, folder: int, names: list[str]) -> Iterator[FoundMaildir]:
    pattern = session.rule.components[len(names)]
    for name in sorted(os.listdir(folder)):
        session.on_step()
        if trash := TRASH_RE.fullmatch(name):
            report_trash(session, "/".join([*names, name]), int(trash[1]))
        if pattern.match(name) is None or not is_folder(session, name, folder):
            continue
        path = [*names, name]
        with open_folder(name, folder, session.device) as inner:
            if len(path) < len(session.rule.components):
                yield from find_below(session, inner, path)
                continue
            found = session.rule.match(path)
            if found and is_maildir(inner, session.rule.inside, session.device):
                yield found


def report_trash(session: MaildirSession, path: str, key: int) -> None:
    """Report a folder that was renamed to be deleted, and that no run will delete."""
    if not session.rows.filter(pk=key, state__in=LeftoverMaildir.UNFINISHED_STATES).exists():
        text = _("An interrupted run has left this folder. See the documentation.")
        session.report_problem(escape_path(path), text, is_listed=False)


def is_folder(session: MaildirSession, name: str, parent: int) -> bool:
    """Return whether this is a folder of the same file system, and one that can be opened."""
    status = os.stat(name, dir_fd=parent, follow_symlinks=False)
    if not stat.S_ISDIR(status.st_mode) or status.st_dev != session.device:
        return False
    return os.access(name, os.R_OK | os.X_OK, dir_fd=parent, effective_ids=True)


def check_counts(session: MaildirSession, found: int, new: set[str]) -> None:
    """Refuse to list many at once, which rather the database or the settings are the cause of."""
    run = session.runs.first()
    if session.is_forced:
        return
    if not found and run and run.maildirs:
        text = _(
            "There is no maildir below %(path)s, where there were %(count)s at the last run: is it"
            " mounted? If that is right, run `mailadmin maildirs scan --force` once."
        )
        path = str(settings.MAILADMIN_MAILDIRS_ROOT)
        raise MaildirRunRefused(text % {"path": path, "count": run.maildirs})
    if len(new) > settings.MAILADMIN_MAILDIRS_MAX_NEW:
        text = _(
            "%(count)s maildirs have lost their mailboxes since the last run, such as %(path)s."
            " Check the database and the settings; `mailadmin maildirs scan --dry-run --force`"
            " prints all. If that is right, run `mailadmin maildirs scan --force` once."
        )
        raise MaildirRunRefused(text % {"count": len(new), "path": min(new)})


def measure_maildir(session: MaildirSession, row: LeftoverMaildir, found: FoundMaildir) -> None:
    """Store what is in the maildir, and when it will be archived."""
    values: dict[str, Any] = {"problem": "", "digest": digest_path(found.path)}
    values |= {
        "mailbox": escape_path(found.mailbox)[:255],
        "domain_name": found.domain if is_domain_name(found.domain) else "",
    }
    try:
        with session.open_parent(row) as (parent, name), open_folder(name, parent) as folder:
            measured = measure(folder, session.device, session.on_step)
        values |= measured._asdict()
    except (UnusableFolder, OSError) as error:
        values["problem"] = describe_error(error)
        session.report_problem(row.path, values["problem"])
    for name, value in values.items():
        setattr(row, name, value)
    row.archive_due = values["archive_due"] = get_archive_due(row)
    if not row.pk:
        session.report("list", row.path, describe_maildir(row))
    if session.is_dry_run:
        return
    if row.pk:
        session.update(row, **values)
    else:
        row.save(force_insert=True)


def is_domain_name(domain: str) -> bool:
    """Return whether this can be a domain of the database; a folder may have any name."""
    return domain.isascii() and domain.isprintable()


def get_archive_due(row: LeftoverMaildir) -> datetime.datetime:
    """Return when a maildir may be archived: so long after it was found, and after any change."""
    since, now = row.first_seen, timezone.now()
    if row.last_change and row.last_change < now + MAX_FUTURE:
        since = max(since, row.last_change)
    return since + datetime.timedelta(days=settings.MAILADMIN_MAILDIRS_ARCHIVE_DAYS)


def is_unreadable(session: MaildirSession, row: LeftoverMaildir) -> bool:
    """Return whether this user may not look for the maildir: it stays listed, and is reported."""
    try:
        with session.open_parent(row) as (parent, name), open_folder(name, parent) as folder:
            has_maildir_parts(folder, session.rule.inside, session.device)
    except PermissionError as error:
        problem = describe_error(error)
        session.report_problem(row.path, problem)
        if not session.is_dry_run:
            session.update(row, problem=problem)
        return True
    except (UnusableFolder, OSError):
        pass
    return False


def describe_maildir(row: LeftoverMaildir) -> str:
    """Return what a maildir has, and from when on it may be archived."""
    text = _("%(messages)s messages, %(size)s bytes; to be archived from %(day)s on")
    day = timezone.localtime(row.archive_due).date().isoformat() if row.archive_due else ""
    return text % {"messages": row.messages, "size": row.size, "day": day}


def describe_error(error: Exception) -> str:
    """Return why a folder is left alone."""
    if isinstance(error, OSError):
        return _("Error of the file system: %(error)s") % {"error": error.strerror or str(error)}
    return str(error.args[0])


def remove_from_list(session: MaildirSession, row: LeftoverMaildir, exists: bool) -> None:
    """Delete the row of a maildir that has a mailbox again, or that is gone."""
    if row.state != LeftoverMaildir.State.LISTED:
        return  # the next step settles it
    text = _("it has a mailbox again") if exists else _("it is gone")
    session.report("forget", row.path, text)
    if not session.is_dry_run:
        retry_on_deadlock(lambda: session.rows.filter(pk=row.pk).delete())


def store_scan(session: MaildirSession, **values: Any) -> None:
    if not session.is_dry_run:
        rows = MaildirRun.objects.filter(storage=session.storage, holder=session.holder)
        retry_on_deadlock(lambda: rows.update(**values))
