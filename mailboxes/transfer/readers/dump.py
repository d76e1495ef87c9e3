"""SQL dumps as mysqldump, mariadb-dump and phpMyAdmin write them: read, but never executed."""

import gzip
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from mailadmin.translation import gettext as _
from mailadmin.translation import gettext_lazy
from mailboxes.transfer.entries import SourceError
from mailboxes.transfer.readers.dump_parser import DumpParser
from mailboxes.transfer.readers.sql_lexer import SQLScanner
from mailboxes.transfer.readers.staging import Staging, TablePredicate

UTF16_MESSAGE = gettext_lazy("The file is UTF-16. Create it again with --result-file instead of >.")
COMPRESSION_MESSAGE = gettext_lazy("Unsupported compression. Use gzip.")
UNSUPPORTED_SIGNATURES = {
    b"\xff\xfe": UTF16_MESSAGE,
    b"\xfe\xff": UTF16_MESSAGE,
    b"BZh": COMPRESSION_MESSAGE,
    b"PK\x03\x04": COMPRESSION_MESSAGE,
    b"\xfd7zXZ": COMPRESSION_MESSAGE,
    b"(\xb5/\xfd": COMPRESSION_MESSAGE,
}
GZIP_SIGNATURE, UTF8_BOM = b"\x1f\x8b", b"\xef\xbb\xbf"
MAX_COMPRESSION_RATIO, RATIO_FREE_BYTES = 300, 2**24
ReadFunction = Callable[[int], bytes]


def load_dump(path: str | Path, staging: Staging, is_wanted: TablePredicate) -> None:
    """Copy the wanted tables of a dump, plain or gzipped.

    Raise SourceError with the line if it is something else.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            DumpParser(SQLScanner(get_read_function(file), path.name), staging, is_wanted).parse()
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise SourceError(_("The compressed file is damaged or truncated."), path.name) from error
    except OSError as error:
        raise SourceError(error.strerror or _("The file cannot be read."), str(path)) from error


def get_read_function(file: BinaryIO) -> ReadFunction:
    """Return a function that reads the dump's bytes, unpacked; refuse formats that are not read."""
    start = file.read(6)
    for signature, text in UNSUPPORTED_SIGNATURES.items():
        if start.startswith(signature):
            raise SourceError(text, Path(file.name).name)
    file.seek(len(UTF8_BOM) if start.startswith(UTF8_BOM) else 0)
    return build_gzip_read(file) if start.startswith(GZIP_SIGNATURE) else file.read


def build_gzip_read(file: BinaryIO) -> ReadFunction:
    """Return a function that unpacks, and refuses what grows beyond any dump."""
    archive, unpacked_size = gzip.GzipFile(fileobj=file), 0

    def read(size: int) -> bytes:
        nonlocal unpacked_size
        block = archive.read(size)
        unpacked_size += len(block)
        if unpacked_size > MAX_COMPRESSION_RATIO * file.tell() + RATIO_FREE_BYTES:
            text = _("The uncompressed file is too large for a dump.")
            raise SourceError(text, Path(file.name).name)
        return block

    return read
