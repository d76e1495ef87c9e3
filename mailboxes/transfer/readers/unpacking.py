"""Archives unpacked into temporary folders and never outside, with limits on size and number."""

import lzma
import struct
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any

from mailadmin.translation import gettext as _
from mailadmin.translation import gettext_lazy
from mailboxes.transfer.entries import SourceError

MAX_UNPACKED_BYTES = 2**30
# The unpacked size may be this many times the archive's; up to these bytes it may be any.
MAX_COMPRESSION_RATIO, RATIO_FREE_BYTES = 50, 2**24
MAX_FILES = 20_000
MAX_DIRECTORY_BYTES = 3 * 2**20  # of a zip's list of files
END_RECORD_BYTES = 2**16 + 22  # at the end of a zip, with the position of its list of files
MAX_DEPTH = 40  # folders within folders
BLOCK_SIZE = 2**20
TOO_LARGE_MESSAGE = gettext_lazy(
    "The unpacked archive is too large for a mail server configuration."
)
ARCHIVE_ERRORS = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError),
    *(EOFError, OSError, ValueError, RuntimeError),  # RuntimeError: it needs a password
)


@contextmanager
def unpack_to_temporary_folder(path: str | Path) -> Iterator[Path]:
    """Unpack a zip or tar into a temporary folder, which is deleted afterwards."""
    with tempfile.TemporaryDirectory(prefix="mailadmin-") as folder:
        try:
            unpack(Path(path), Path(folder))
        except ARCHIVE_ERRORS as error:
            text = _("The archive cannot be read: %(error)s.")
            raise SourceError(text % {"error": error}, Path(path).name) from error
        yield Path(folder)


@contextmanager
def open_folder_or_archive(path: str | Path, marker_name: str) -> Iterator[Path]:
    """Yield the folder, or that of an archive: the topmost one that holds the marker file."""
    path = Path(path)
    if not path.is_file() or not (zipfile.is_zipfile(path) or tarfile.is_tarfile(path)):
        yield path
        return
    with unpack_to_temporary_folder(path) as folder:
        markers = sorted(folder.rglob(marker_name), key=lambda file: len(file.parts))
        yield markers[0].parent if markers else folder


def unpack(path: Path, folder: Path) -> None:
    size, max_size = (
        0,
        min(MAX_UNPACKED_BYTES, max(RATIO_FREE_BYTES, MAX_COMPRESSION_RATIO * path.stat().st_size)),
    )
    for number, (name, source) in enumerate(iter_members(path)):
        if number >= MAX_FILES:
            raise SourceError(TOO_LARGE_MESSAGE, path.name)
        target = folder / build_member_path(name, path)
        target.parent.mkdir(parents=True, exist_ok=True)
        with source, target.open("wb") as output:
            while block := source.read(BLOCK_SIZE):
                size += len(block)
                if size > max_size:
                    raise SourceError(TOO_LARGE_MESSAGE, path.name)
                output.write(block)


def open_zip(file: Any) -> zipfile.ZipFile:
    """Open a zip whose directory is not too large: all of it is read before the first file."""
    source = file.open("rb") if isinstance(file, Path) else file
    try:
        check_zip_directory(source)
    finally:
        if source is not file:
            source.close()
    return zipfile.ZipFile(file)


def check_zip_directory(file: Any) -> None:
    """Refuse an archive by the last record in it, which says how long its directory is.

    A record before that one holds numbers that are larger than anybody needs here.
    """
    length = file.seek(0, 2)
    file.seek(max(0, length - END_RECORD_BYTES))
    tail = file.read()
    file.seek(0)
    # As zipfile looks for it: at the very end, and only then before a comment.
    is_last = tail[-22:-18] == b"PK\5\6" and tail[-2:] == b"\0\0"
    start = len(tail) - 22 if is_last else tail.rfind(b"PK\5\6")
    if start < 0 or len(tail) < start + 16:
        raise zipfile.BadZipFile("File is not a zip file")
    (size,) = struct.unpack_from("<I", tail, start + 12)
    has_large_numbers = tail[max(0, start - 20) : start].startswith(b"PK\6\7")
    if has_large_numbers or size > MAX_DIRECTORY_BYTES:
        raise SourceError(TOO_LARGE_MESSAGE, Path(getattr(file, "name", "") or "").name)


def iter_members(path: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """Yield (name, open file) of the regular files, without links and devices."""
    if zipfile.is_zipfile(path):
        with open_zip(path) as archive:
            for info in archive.infolist():
                if not info.is_dir():
                    yield info.filename, archive.open(info)
        return
    with tarfile.open(path) as archive:
        for member in archive:
            if member.isfile() and (file := archive.extractfile(member)):
                yield member.name, file


def build_member_path(name: str, path: Path) -> Path:
    """Return the member's path within the folder; refuse one that leads out of it."""
    path_parts = PurePosixPath(name.replace("\\", "/")).parts
    parts = [part for part in path_parts if part not in ("/", ".")]
    if not parts or ".." in parts or "\0" in name or len(parts) > MAX_DEPTH:
        raise SourceError(_("“%(name)s” points outside the archive.") % {"name": name}, path.name)
    return Path(*parts)
