"""A zip of files, made while it is sent."""

import zipfile
from collections.abc import Iterable, Iterator
from typing import Any

FLUSH_BYTES = 2**16  # bytes


class ZipBuffer:
    """The file that zipfile writes to: it keeps the bytes until they are sent."""

    def __init__(self) -> None:
        self.chunks: list[bytes] = []
        self.size = 0

    def write(self, data: bytes) -> int:
        self.chunks.append(bytes(data))
        self.size += len(data)
        return len(data)

    def flush(self) -> None:
        """Do nothing; zipfile calls it."""

    def drain(self) -> bytes:
        """Return the bytes written so far, and forget them."""
        data, self.chunks, self.size = b"".join(self.chunks), [], 0
        return data


def iter_zip(files: Iterable[tuple[str, Iterable[str]]]) -> Iterator[bytes]:
    """Yield the bytes of an archive of (name, pieces of text)."""
    buffer: Any = ZipBuffer()  # written only, though the stubs ask for more
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, pieces in files:
            with archive.open(name, "w", force_zip64=True) as member:
                for piece in pieces:
                    member.write(piece.encode())
                    if buffer.size > FLUSH_BYTES:
                        yield buffer.drain()
    yield buffer.drain()
