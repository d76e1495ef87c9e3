"""Text files read line by line, with a limit on the length of lines and rows."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Self

from mailadmin.translation import gettext as _
from mailboxes.transfer.entries import SourceError

MAX_LINE_BYTES = 2**20
CHUNK_SIZE = 2**16


@contextmanager
def open_text_file(path: str | Path) -> Iterator[NumberedLines]:
    """Open a UTF-8 file, with or without a byte order mark, and yield its numbered lines."""
    path = Path(path)
    try:
        with path.open("rb") as file:
            yield NumberedLines(path.name, file)
    except OSError as error:
        raise SourceError(error.strerror, str(path)) from error


class NumberedLines:
    """The lines of a file for csv and the JSON reader, with the current position."""

    def __init__(self, name: str, file: BinaryIO) -> None:
        self.name, self.line_number, self.raw = name, 0, file
        self.place_text = _("%(file)s, line %(number)s")  # translated once for all lines
        self.row_bytes = 0  # of a row of several lines; reset by the reader
        self.decoder = codecs.getincrementaldecoder("utf-8-sig")()

    @property
    def place(self) -> str:
        return self.format_place(self.line_number)

    def format_place(self, number: int) -> str:
        return self.place_text % {"file": self.name, "number": number}

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        self.line_number += 1
        line = self.raw.readline(MAX_LINE_BYTES)
        if not line:
            raise StopIteration
        if len(line) >= MAX_LINE_BYTES and not line.endswith(b"\n"):
            raise SourceError(_("This line is too long."), self.place)
        self.row_bytes += len(line)
        if self.row_bytes > 2 * MAX_LINE_BYTES:
            raise SourceError(_("This row is too long."), self.place)
        return self._decode(line)

    def read_chunk(self) -> str:
        """Return the next characters, at most up to the end of a line; empty at the file's end."""
        chunk = self.raw.readline(CHUNK_SIZE)
        text = self._decode(chunk)
        self.line_number += chunk.endswith(b"\n")
        return text

    def _decode(self, chunk: bytes) -> str:
        try:
            text = self.decoder.decode(chunk, final=not chunk)
        except UnicodeDecodeError as error:
            text = _("The file is not UTF-8. Save it as UTF-8 and try again.")
            raise SourceError(text, self.place) from error
        if "\0" in text:
            raise SourceError(_("This is not a text file: it contains NUL characters."), self.place)
        return text
