"""A run of `mailadmin maildirs`: the opened storage, its lease, and what the database says now."""

import datetime
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from mailadmin.db.retry import retry_on_deadlock
from mailadmin.jobs.leases import LeaseLost
from mailadmin.jobs.row_leases import claim_rows, create_holder, release_rows, renew_rows
from mailadmin.translation import Count, compose, join_texts, ngettext
from mailadmin.translation import gettext as _
from mailboxes.maildirs.archives import lock_archives, open_archives
from mailboxes.maildirs.errors import MaildirRunRefused
from mailboxes.maildirs.paths import MailboxPaths, MaildirRule, unescape_path
from mailboxes.maildirs.tree import UnusableFolder, open_path
from mailboxes.models import LeftoverMaildir, Mailbox, MaildirRun

LEASE_DURATION, RENEWAL_SECONDS = datetime.timedelta(minutes=10), 60
MAX_UNLISTED = 20  # problems without a row that are stored with a run
MIN_LOSS = 10  # mailboxes; fewer are not suspicious, however small the installation is


class Step(NamedTuple):
    """What was done, or would be done, to a maildir."""

    action: str
    path: str
    text: str


@dataclass
class MaildirSession:
    """An opened mail storage. Without a lease nothing may be changed: it is a dry run."""

    storage: str
    rule: MaildirRule
    root: int
    device: int
    archives: int
    is_forced: bool = False
    holder: str = ""
    renewed: float = 0
    steps: list[Step] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)  # path → what is wrong with it
    unlisted: set[str] = field(default_factory=set)  # the paths among them that have no row

    @property
    def is_dry_run(self) -> bool:
        return not self.holder

    @property
    def rows(self) -> Any:
        """Return the rows of this storage."""
        return LeftoverMaildir.objects.filter(storage=self.storage)

    @property
    def runs(self) -> Any:
        return MaildirRun.objects.filter(storage=self.storage)

    def report(self, action: str, path: str, text: str = "") -> None:
        self.steps.append(Step(action, path, text))

    def report_problem(self, path: str, text: str, is_listed: bool = True) -> None:
        """Report what is wrong with a maildir; what has no row is stored with the run."""
        self.problems[path] = text
        if not is_listed:
            self.unlisted.add(path)
        self.report("problem", path, text)

    # Lease

    def on_step(self) -> None:
        """Renew the lease from time to time; raise LeaseLost if another process has taken it."""
        if self.holder and time.monotonic() - self.renewed > RENEWAL_SECONDS:
            self.renew()

    def renew(self) -> None:
        """Renew the lease; before anything that cannot be undone."""
        if not renew_rows(self.runs, self.holder, LEASE_DURATION):
            raise LeaseLost
        self.renewed = time.monotonic()

    # Database

    def load_paths(self) -> MailboxPaths:
        """Return the paths of all mailboxes; refuse a table that has lost many since the last run.

        Whoever restores a database must not lose the mail of those whom it does not have.
        """
        rows = Mailbox.objects.values_list("username", "maildir")
        paths = MailboxPaths(self.rule, rows.iterator(chunk_size=10_000))
        run = self.runs.first()
        before = run.mailboxes if run else 0
        if not paths.count:
            raise MaildirRunRefused(_("The database has no mailboxes at all."))
        lost = before - paths.count
        limit = before * settings.MAILADMIN_MAILDIRS_MAX_LOSS / 100
        if lost > max(MIN_LOSS, limit) and not self.is_forced:
            text = _(
                "There were %(before)s mailboxes at the last run and there are %(count)s now."
                " If that is right, run `mailadmin maildirs scan --force` once."
            )
            raise MaildirRunRefused(text % {"before": before, "count": paths.count})
        return paths

    def confirm(self, row: LeftoverMaildir, **values: Any) -> bool:
        """Set columns of a row if its path still belongs to no mailbox and it may be worked on.

        On a new connection, which is to a host that has all changes; the renewed lease is a write,
        which no replica accepts.
        """
        connection.close()
        return retry_on_deadlock(lambda: self._confirm_once(row, values))

    def _confirm_once(self, row: LeftoverMaildir, values: dict[str, Any]) -> bool:
        with transaction.atomic():
            until = timezone.now() + LEASE_DURATION
            if not self.runs.filter(holder=self.holder).update(until=until):
                raise LeaseLost
            current = self.rows.select_for_update().filter(pk=row.pk).first()
            if current is None or current.kept or current.state != row.state:
                return False
            found = self.rule.match(unescape_path(row.path).split("/"))
            if found is None or self.load_paths().may_own(found):
                return False
            self.rows.filter(pk=row.pk).update(**values)
        for name, value in values.items():
            setattr(row, name, value)
        return True

    def update(self, row: LeftoverMaildir, **values: Any) -> None:
        """Set columns of a row."""
        for name, value in values.items():
            setattr(row, name, value)
        rows = self.rows.filter(pk=row.pk)
        retry_on_deadlock(lambda: rows.update(**values))

    # Storage

    def split_path(self, row: LeftoverMaildir) -> list[str]:
        """Return the components of a path; refuse one that is no place of a maildir.

        Whoever can write the table must not lead the command elsewhere.
        """
        names = unescape_path(row.path).split("/")
        if self.rule.match(names) is None:
            raise UnusableFolder(_("The path is no place of a maildir."))
        return names

    @contextmanager
    def open_parent(self, row: LeftoverMaildir) -> Iterator[tuple[int, str]]:
        """Open the folder in which the maildir is; yield it with the name of the maildir."""
        *parents, name = self.split_path(row)
        with open_path(self.root, parents, self.device) as parent:
            yield parent, name


@contextmanager
def open_session(
    *, is_dry_run: bool = False, is_forced: bool = False, allows_root: bool = False
) -> Iterator[MaildirSession]:
    """Open the storage of the settings, and hold its lease unless it is a dry run."""
    if os.geteuid() == 0 and not allows_root:
        text = _("Run this as the user whom the mail belongs to, not as root; see --allow-root.")
        raise MaildirRunRefused(text)
    storage = settings.MAILADMIN_MAILDIRS_STORAGE
    with (
        open_root() as root,
        open_archives(settings.MAILADMIN_MAILDIRS_ARCHIVE) as archives,
    ):
        device = os.fstat(root).st_dev
        session = MaildirSession(storage, MaildirRule.from_settings(), root, device, archives)
        session.is_forced = is_forced
        if is_dry_run:
            yield session
            return
        with lock_archives(archives), hold_lease(session):
            yield session


@contextmanager
def open_root() -> Iterator[int]:
    """Open the folder of all mail. It may be named by a symbolic link, unlike all below it."""
    path = settings.MAILADMIN_MAILDIRS_ROOT
    try:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        text = _("The folder of all mail %(path)s cannot be opened: %(error)s.")
        params = {"path": str(path), "error": str(error.strerror)}
        raise MaildirRunRefused(text % params) from error
    try:
        yield fd
    finally:
        os.close(fd)


@contextmanager
def hold_lease(session: MaildirSession) -> Iterator[None]:
    """Lease the storage."""
    new = MaildirRun(storage=session.storage, until=timezone.now())
    MaildirRun.objects.bulk_create([new], ignore_conflicts=True)
    holder = create_holder()
    if not claim_rows(session.runs, holder, LEASE_DURATION):
        text = _("Another process works on this storage: %(holder)s.")
        other = session.runs.get().holder.partition(" ")[2]
        raise MaildirRunRefused(text % {"holder": other})
    session.holder, session.renewed = holder, time.monotonic()
    try:
        yield
    finally:
        release_rows(session.runs, holder)


@contextmanager
def record_run(session: MaildirSession) -> Iterator[None]:
    """Store when a run has begun, and how it has ended; nothing of a dry run."""
    if session.is_dry_run:
        yield
        return
    host = socket.gethostname()[:64]
    held = session.runs.filter(holder=session.holder)
    held.update(host=host, started=timezone.now(), finished=None, error="")
    error = _("The run was ended by an error: see its output.")
    try:
        yield
        error = describe_problems(session)
    except MaildirRunRefused as refusal:
        error = refusal.args[0]
        raise
    except OSError as failure:
        error = _("Error of the file system: %(error)s") % {"error": str(failure)}
        raise
    finally:
        values = {"finished": timezone.now(), "error": error}
        retry_on_deadlock(lambda: held.update(**values))


def describe_problems(session: MaildirSession) -> str:
    """Return what the page says of a run: how many rows have a problem, and what has no row."""
    count = len(session.problems) - len(session.unlisted)
    unlisted = sorted(session.unlisted)[:MAX_UNLISTED]
    lines = [compose("%(path)s: %(text)s", path=p, text=session.problems[p]) for p in unlisted]
    return join_texts([describe_failures(count), *lines] if count else lines, "\n")


def describe_failures(count: int) -> str:
    """Return how many maildirs could not be dealt with."""
    text = ngettext(
        "%(count)s maildir has a problem: see the list.",
        "%(count)s maildirs have problems: see the list.",
        count,
    )
    return text % {"count": Count(count)}
