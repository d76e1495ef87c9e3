"""Text files read line by line, none of them longer than memory likes."""

import codecs
from contextlib import contextmanager
from pathlib import Path

from django.utils.translation import gettext as _

from mailboxes.transfer.entries import SourceError

MAX_LINE_BYTES = 2**20  # bytes in a line
CHUNK_SIZE = 2**16


@contextmanager
def open_text_file(path):
    """The lines of a UTF-8 file, with or without a byte order mark, each with its number."""
    path = Path(path)
    try:
        with path.open("rb") as raw:
            yield NumberedLines(path.name, raw)
    except OSError as error:
        raise SourceError(error.strerror, str(path)) from error


class NumberedLines:
    """What csv and the JSON reader ask for their next line; it knows where it is."""

    def __init__(self, name, raw):
        self.name, self.number, self.raw = name, 0, raw
        self.taken = 0  # bytes since somebody set it back: of a row with many lines
        self.decoder = codecs.getincrementaldecoder("utf-8-sig")()

    @property
    def place(self):
        return self.place_of(self.number)

    def place_of(self, number):
        return _("%(file)s, line %(number)s") % {"file": self.name, "number": number}

    def __iter__(self):
        return self

    def __next__(self):
        self.number += 1
        line = self.raw.readline(MAX_LINE_BYTES)
        if not line:
            raise StopIteration
        if len(line) >= MAX_LINE_BYTES and not line.endswith(b"\n"):
            raise SourceError(_("This line is longer than any such row can be."), self.place)
        self.taken += len(line)
        if self.taken > 2 * MAX_LINE_BYTES:
            raise SourceError(_("This row is longer than any can be."), self.place)
        return self._text(line)

    def read_chunk(self):
        """The next letters, whatever lines they are in; none at the end."""
        piece = self.raw.readline(CHUNK_SIZE)
        text = self._text(piece)
        self.number += piece.endswith(b"\n")
        return text

    def _text(self, piece):
        try:
            text = self.decoder.decode(piece, final=not piece)
        except UnicodeDecodeError as error:
            text = _("This is not UTF-8. Save the file in UTF-8 and try again.")
            raise SourceError(text, self.place) from error
        if "\0" in text:
            raise SourceError(_("This is no text file: it holds NUL."), self.place)
        return text
