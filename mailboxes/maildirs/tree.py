"""Folders by their descriptors: no symbolic link is followed, no other file system is entered."""

import datetime
import hashlib
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from mailadmin.translation import gettext as _
from mailboxes.maildirs.paths import escape_path

FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
FILE_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
MAILDIR_PARTS = ("cur", "new", "tmp")
MAX_DEPTH = 100

OnStep = Callable[[], None]  # called between steps of long work


class UnusableFolder(Exception):
    """A folder that is left alone; the text says why."""


class Entry(NamedTuple):
    """A file, folder or symbolic link in a tree; `parent` is open while the entry is used."""

    path: str
    name: str
    parent: int
    status: os.stat_result

    @property
    def is_folder(self) -> bool:
        return stat.S_ISDIR(self.status.st_mode)

    @property
    def is_file(self) -> bool:
        return stat.S_ISREG(self.status.st_mode)


class Measure(NamedTuple):
    """What is in a maildir."""

    size: int
    messages: int
    last_mail: datetime.datetime | None
    last_change: datetime.datetime | None


@contextmanager
def open_folder(name: str, parent: int | None = None, device: int | None = None) -> Iterator[int]:
    """Open a folder; one that is a symbolic link, or on another device, is refused."""
    fd = os.open(name, FOLDER_FLAGS, dir_fd=parent)
    try:
        if device is not None and os.fstat(fd).st_dev != device:
            text = _("%(name)s is on another file system.")
            raise UnusableFolder(text % {"name": escape_path(name)})
        yield fd
    finally:
        os.close(fd)


@contextmanager
def open_path(root: int, names: Sequence[str], device: int) -> Iterator[int]:
    """Open a folder below another one, component by component."""
    if not names:
        with open_folder(".", root, device) as fd:
            yield fd
        return
    with open_folder(names[0], root, device) as parent, open_path(parent, names[1:], device) as fd:
        yield fd


def exists(name: str, parent: int) -> bool:
    """Return whether there is anything of this name, even a broken link."""
    try:
        os.stat(name, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def is_maildir(folder: int, inside: Sequence[str], device: int) -> bool:
    """Return whether a folder is a maildir, or has one at this path inside of it."""
    try:
        return has_maildir_parts(folder, inside, device)
    except (UnusableFolder, OSError):
        return False


def has_maildir_parts(folder: int, inside: Sequence[str], device: int) -> bool:
    """Return whether the folders of a maildir are at this path; raise OSError without them."""
    with open_path(folder, inside, device) as fd:
        found = [os.stat(n, dir_fd=fd, follow_symlinks=False) for n in MAILDIR_PARTS]
    return all(stat.S_ISDIR(status.st_mode) for status in found)


def walk(folder: int, device: int, prefix: str = "", depth: int = 0) -> Iterator[Entry]:
    """Yield all that is in a folder, in order of name, a folder before its contents."""
    if depth > MAX_DEPTH:
        raise UnusableFolder(_("The folders are nested too deep."))
    for name in sorted(os.listdir(folder)):
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        entry = Entry(prefix + name, name, folder, status)
        check_kind(entry)
        yield entry
        if entry.is_folder:
            with open_folder(name, folder, device) as inner:
                yield from walk(inner, device, f"{entry.path}/", depth + 1)


def check_kind(entry: Entry) -> None:
    """Refuse what no maildir has: devices, sockets and pipes."""
    if not (entry.is_folder or entry.is_file or stat.S_ISLNK(entry.status.st_mode)):
        text = _("%(path)s is neither a file nor a folder nor a symbolic link.")
        raise UnusableFolder(text % {"path": escape_path(entry.path)})


def measure(folder: int, device: int, on_step: OnStep) -> Measure:
    """Return size, messages, and when the last message came and anything was changed."""
    size = messages = 0
    last_mail = last_change = 0.0
    for entry in walk(folder, device):
        on_step()
        changed = entry.status.st_mtime
        last_change = max(last_change, changed)
        if entry.is_file:
            size += entry.status.st_size
            if entry.path.split("/")[-2:-1] in (["cur"], ["new"]):
                messages, last_mail = messages + 1, max(last_mail, changed)
    return Measure(size, messages, to_moment(last_mail), to_moment(last_change))


def to_moment(timestamp: float) -> datetime.datetime | None:
    """Return a time of a file; None without one, and for one that no database holds."""
    is_plausible = 0 < timestamp < datetime.datetime(9000, 1, 1, tzinfo=datetime.UTC).timestamp()
    return datetime.datetime.fromtimestamp(timestamp, datetime.UTC) if is_plausible else None


def fingerprint(folder: int, device: int, on_step: OnStep) -> str:
    """Return a digest that changes with every name, size, time and file of a tree."""
    digest = hashlib.sha256()
    for entry in walk(folder, device):
        on_step()
        status = entry.status
        facts = [stat.S_IFMT(status.st_mode), status.st_ino]
        facts += [] if entry.is_folder else [status.st_size, status.st_mtime_ns]
        digest.update(os.fsencode(entry.path) + f"\0{facts}\0".encode())
    return digest.hexdigest()


def remove_tree(name: str, parent: int, device: int, on_step: OnStep) -> None:
    """Delete a folder and all that is in it."""
    with open_folder(name, parent, device) as folder:
        for child in sorted(os.listdir(folder)):
            on_step()
            status = os.stat(child, dir_fd=folder, follow_symlinks=False)
            if stat.S_ISDIR(status.st_mode):
                remove_tree(child, folder, device, on_step)
            else:
                os.unlink(child, dir_fd=folder)
    os.rmdir(name, dir_fd=parent)


def rename_synced(old: str, new: str, parent: int) -> None:
    """Rename in a folder, and have it on disk before anything else is done."""
    os.rename(old, new, src_dir_fd=parent, dst_dir_fd=parent)
    os.fsync(parent)
