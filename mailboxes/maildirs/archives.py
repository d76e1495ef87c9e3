"""Archives of maildirs: a folder for the mail user alone, with a compressed tar file for each.

An archive is complete as soon as it has its final name. Nothing here trusts the names inside of it.
"""

import fcntl
import gzip
import os
import re
import stat
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple

from mailadmin.translation import gettext as _
from mailboxes.maildirs.errors import MaildirRunRefused
from mailboxes.maildirs.tree import (
    FILE_FLAGS,
    FOLDER_FLAGS,
    Entry,
    OnStep,
    UnusableFolder,
    open_path,
    walk,
)

NAME_RE = re.compile(r"[0-9]+-[0-9a-f]{16}\.tar\.gz")
LOCK_NAME, PARTIAL_SUFFIX = ".lock", ".partial"
TOP_NAME = "."  # the first entry of an archive: the folder itself
NEW_FILE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
CHUNK_BYTES, COMPRESSION_LEVEL = 1 << 20, 6
BROKEN_ERRORS = (tarfile.TarError, EOFError, gzip.BadGzipFile, zlib.error)


class Comparison(NamedTuple):
    """How an archive and a folder differ."""

    is_missing: bool = False  # something that the archive has
    is_extra: bool = False  # something that the archive does not have
    is_other: bool = False  # something has the same name and is not the same

    @property
    def is_equal(self) -> bool:
        return not any(self)

    @property
    def archive_has_all(self) -> bool:
        """Return whether the folder can be deleted, and be restored from the archive."""
        return not (self.is_extra or self.is_other)

    @property
    def folder_has_all(self) -> bool:
        """Return whether the archive can be deleted."""
        return not (self.is_missing or self.is_other)


@contextmanager
def open_archives(path: Path) -> Iterator[int]:
    """Open the folder of archives; refuse one that others have access to."""
    try:
        fd = os.open(path, FOLDER_FLAGS)
    except OSError as error:
        text = _("The folder of archives %(path)s cannot be opened: %(error)s.")
        params = {"path": str(path), "error": str(error.strerror)}
        raise MaildirRunRefused(text % params) from error
    try:
        status = os.fstat(fd)
        if status.st_uid != os.geteuid() or status.st_mode & 0o077:
            text = _("The folder of archives %(path)s has to belong to this user, with mode 0700.")
            raise MaildirRunRefused(text % {"path": str(path)})
        yield fd
    finally:
        os.close(fd)


@contextmanager
def lock_archives(archives: int) -> Iterator[None]:
    """Let no other process work with this folder, on any machine; the kernel ends the lock."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(LOCK_NAME, flags, 0o600, dir_fd=archives)
    try:
        take_lock(fd)
        yield
    finally:
        os.close(fd)


def take_lock(fd: int) -> None:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        text = _("Another process works with the folder of archives.")
        raise MaildirRunRefused(text) from error


# Writing


def write_archive(archives: int, name: str, folder: int, device: int, on_step: OnStep) -> None:
    """Write a folder to a temporary name beside the archive's, and have it on disk."""
    fd = os.open(name + PARTIAL_SUFFIX, NEW_FILE_FLAGS, 0o600, dir_fd=archives)
    with os.fdopen(fd, "wb") as raw:
        packed = gzip.GzipFile("", "wb", COMPRESSION_LEVEL, raw, mtime=0)
        with packed, open_tar(packed, "w|") as tar:
            tar.addfile(describe_folder(TOP_NAME, os.fstat(folder)))
            for entry in walk(folder, device):
                on_step()
                add_entry(tar, entry)
        raw.flush()
        os.fsync(raw.fileno())


def open_tar(packed: gzip.GzipFile, mode: str) -> tarfile.TarFile:
    """Open a tar stream that holds names of any bytes and any length."""
    return tarfile.open(  # type: ignore[call-overload,no-any-return]  # the mode is a variable
        fileobj=packed,
        mode=mode,
        format=tarfile.GNU_FORMAT,
        encoding="utf-8",
        errors="surrogateescape",
    )


def describe_folder(path: str, status: os.stat_result) -> tarfile.TarInfo:
    """Return the header of a folder, with owner, mode and time."""
    info = tarfile.TarInfo(path)
    info.type, info.mtime = tarfile.DIRTYPE, int(status.st_mtime)
    info.mode, info.uid, info.gid = stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid
    return info


def add_entry(tar: tarfile.TarFile, entry: Entry) -> None:
    """Add a file, folder or symbolic link; copies of a hard link become files of their own."""
    info = describe_folder(entry.path, entry.status)
    if entry.is_folder:
        tar.addfile(info)
    elif entry.is_file:
        with open_file(entry.name, entry.parent) as file:
            info.type, info.size = tarfile.REGTYPE, os.fstat(file.fileno()).st_size
            tar.addfile(info, file)
    else:
        info.type, info.linkname = tarfile.SYMTYPE, os.readlink(entry.name, dir_fd=entry.parent)
        tar.addfile(info)


def open_file(name: str, parent: int) -> IO[bytes]:
    """Open a regular file to read; anything else that has its name by now is refused."""
    fd = os.open(name, FILE_FLAGS, dir_fd=parent)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise UnusableFolder(_("A file has been replaced."))
    return os.fdopen(fd, "rb")


def remove_archive(archives: int, name: str) -> None:
    """Delete an archive; the name comes from the database, which must not name another file."""
    check_name(name)
    os.unlink(name, dir_fd=archives)
    os.fsync(archives)


def check_name(name: str) -> None:
    if not NAME_RE.fullmatch(name):
        raise UnusableFolder(_("%(name)s is not the name of an archive.") % {"name": repr(name)})


def list_archives(archives: int) -> list[str]:
    """Return the names of all archives, those that were not finished included."""
    names = sorted(os.listdir(archives))
    return [name for name in names if NAME_RE.fullmatch(name.removesuffix(PARTIAL_SUFFIX))]


# Reading


@contextmanager
def read_archive(archives: int, name: str) -> Iterator[tarfile.TarFile]:
    """Open an archive; at the end of the block it has been read whole, its checksum included."""
    check_name(name.removesuffix(PARTIAL_SUFFIX))
    try:
        with open_file(name, archives) as raw, gzip.GzipFile(fileobj=raw) as packed:
            with open_tar(packed, "r|") as tar:
                yield tar
            while packed.read(CHUNK_BYTES):
                pass
    except BROKEN_ERRORS as error:
        text = _("The archive %(name)s is damaged: %(error)s")
        raise UnusableFolder(text % {"name": name, "error": str(error)}) from error


def split_member(member: tarfile.TarInfo) -> list[str]:
    """Return the components of a name in an archive; refuse one that leads out of it."""
    if member.name == TOP_NAME and member.isdir():
        return []
    names = member.name.split("/")
    if any(name in ("", ".", "..") for name in names):
        raise UnusableFolder(_("A name in the archive leads out of it."))
    return names


def compare_archive(
    archives: int, name: str, folder: int, device: int, on_step: OnStep
) -> Comparison:
    """Compare an archive with a folder, each file byte for byte."""
    found, is_missing, is_other = 0, False, False
    with read_archive(archives, name) as tar:
        for member in tar:
            on_step()
            if not split_member(member):
                continue
            is_same = compare_member(tar, member, folder, device)
            found += is_same is not None
            is_missing, is_other = is_missing or is_same is None, is_other or is_same is False
    entries = sum(1 for _entry in walk(folder, device))
    return Comparison(is_missing, entries > found, is_other)


def compare_member(
    tar: tarfile.TarFile, member: tarfile.TarInfo, folder: int, device: int
) -> bool | None:
    """Return whether the folder has the same; None if it has nothing of this name."""
    *parents, name = split_member(member)
    try:
        with open_path(folder, parents, device) as parent:
            status = os.stat(name, dir_fd=parent, follow_symlinks=False)
            if member.isdir():
                return stat.S_ISDIR(status.st_mode)
            if member.issym():
                is_link = stat.S_ISLNK(status.st_mode)
                return is_link and os.readlink(name, dir_fd=parent) == member.linkname
            if not stat.S_ISREG(status.st_mode) or status.st_size != member.size:
                return False
            with open_file(name, parent) as file:
                return has_same_bytes(tar.extractfile(member), file)
    except (FileNotFoundError, NotADirectoryError):
        return None


def has_same_bytes(first: IO[bytes] | None, second: IO[bytes]) -> bool:
    while first is not None:
        part = first.read(CHUNK_BYTES)
        if part != second.read(CHUNK_BYTES):
            return False
        if not part:
            return True
    return False


# Unpacking


def unpack_archive(archives: int, name: str, folder: int, device: int, on_step: OnStep) -> None:
    """Unpack an archive into an empty folder, with modes and times, and have it on disk."""
    folders: list[tarfile.TarInfo] = []
    with read_archive(archives, name) as tar:
        for member in tar:
            on_step()
            if names := split_member(member):
                with open_path(folder, names[:-1], device) as parent:
                    create_member(tar, member, names[-1], parent)
            if member.isdir():
                folders.append(member)
    for member in reversed(folders):  # whose times the files in them have changed
        names = split_member(member)
        with open_path(folder, names, device) as fd:
            set_attributes(fd, member)
    os.sync()


def create_member(tar: tarfile.TarFile, member: tarfile.TarInfo, name: str, parent: int) -> None:
    if member.isdir():
        os.mkdir(name, 0o700, dir_fd=parent)
    elif member.issym():
        os.symlink(member.linkname, name, dir_fd=parent)
    elif member.isreg():
        fd = os.open(name, NEW_FILE_FLAGS, 0o600, dir_fd=parent)
        with os.fdopen(fd, "wb") as file:
            copy_file(tar.extractfile(member), file)
            file.flush()
            set_attributes(fd, member)
    else:
        raise UnusableFolder(_("The archive contains what is no file, folder or symbolic link."))


def copy_file(source: IO[bytes] | None, target: IO[bytes]) -> None:
    while source is not None and (part := source.read(CHUNK_BYTES)):
        target.write(part)


def set_attributes(fd: int, member: tarfile.TarInfo) -> None:
    """Set owner (if this is root), mode and time; Dovecot takes it for the day of arrival."""
    if os.geteuid() == 0:
        os.fchown(fd, member.uid, member.gid)
    os.fchmod(fd, member.mode & 0o2777)
    os.utime(fd, (member.mtime, member.mtime))
