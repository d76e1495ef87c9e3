"""Look a password up in a file of breached ones, as haveibeenpwned.com offers it for download."""

import hashlib
import os
from pathlib import Path
from typing import BinaryIO

MAX_LINE_BYTES = 128  # a SHA-1 digest in hexadecimal, a colon and a count have about 50


def is_breached(password: str, path: Path) -> bool:
    """Return whether a file of `SHA-1:count` lines in the order of the digests has a password.

    The file has a billion lines: a binary search finds one in some forty reads.
    """
    digest = (
        hashlib.sha1(password.encode("utf-8", "replace"), usedforsecurity=False)
        .hexdigest()
        .upper()
        .encode()
    )
    with path.open("rb") as file:
        start, end = 0, os.fstat(file.fileno()).st_size
        while start < end:
            middle = (start + end) // 2
            found = read_line_at(file, middle)[: len(digest)].upper()
            if found == digest:
                return True
            start, end = (middle + 1, end) if found and found < digest else (start, middle)
    return False


def read_line_at(file: BinaryIO, position: int) -> bytes:
    """Return the line in which this position is; of a longer one than there should be, a part."""
    begin = max(0, position - MAX_LINE_BYTES)
    file.seek(begin)
    before, after = file.read(position - begin), file.read(MAX_LINE_BYTES)
    return before.rpartition(b"\n")[2] + after.partition(b"\n")[0]
