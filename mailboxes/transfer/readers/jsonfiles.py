"""The panel's own JSON: an object of tables, each a list of rows; parsed piece by piece."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, NoReturn

from mailadmin.translation import gettext as _
from mailboxes.transfer.entries import Losses, SourceEntry, SourceError
from mailboxes.transfer.readers.bounded import MAX_LINE_BYTES, NumberedLines, open_text_file
from mailboxes.transfer.readers.csvfiles import IGNORED_COLUMNS, detect_table
from mailboxes.transfer.row_types import ROW_TYPES_BY_TABLE

FORMAT_NAME = "mailadmin"
WHITESPACE_RE = re.compile(r"[ \t\r\n]*")
METADATA_KEYS = ("format", "version", "exported")


@contextmanager
def open_json_file(text: str) -> Iterator[NumberedLines]:
    if not Path(text).is_file():
        raise SourceError(_("No such file."), text)
    with open_text_file(text) as lines:
        yield lines


def read(lines: NumberedLines, losses: Losses, table: str | None = None) -> Iterator[SourceEntry]:
    """Yield the entries of a document.

    It is `{"mailboxes": [{…}, …], …}`, or a list of one table's rows.
    """
    stream = JSONStream(lines)
    if stream.peek() == "[":
        yield from iter_table_entries(stream, table)
    else:
        yield from iter_tables(stream)
    if stream.peek():
        stream.fail(_("Unexpected data after the end."))


def iter_tables(stream: JSONStream) -> Iterator[SourceEntry]:
    stream.expect("{")
    while stream.peek() != "}":
        name = stream.read_value()
        if not isinstance(name, str):
            stream.fail(_("Expected “%(sign)s” here.") % {"sign": '"'})
        stream.expect(":")
        if stream.peek() == "[":
            if name not in ROW_TYPES_BY_TABLE:
                stream.fail(_("Unknown table “%(name)s”.") % {"name": name})
            yield from iter_table_entries(stream, name)
        else:
            check_metadata(stream, name, stream.read_value())
        stream.expect_comma_or("}")
    stream.expect("}")


def check_metadata(stream: JSONStream, name: str, value: Any) -> None:
    if name not in METADATA_KEYS:
        stream.fail(_("Unknown table “%(name)s”.") % {"name": name})
    if name == "format" and value != FORMAT_NAME:
        stream.fail(_("This file was not exported by the panel."))
    if name == "version" and value != 1:
        stream.fail(_("This file was exported by a later version of the panel."))


def iter_table_entries(stream: JSONStream, table: str | None) -> Iterator[SourceEntry]:
    stream.expect("[")
    while stream.peek() != "]":
        place = stream.place
        row = stream.read_value()
        if not isinstance(row, dict):
            stream.fail(_("A row must be an object: {…}."))
        if not is_encodable(row):
            stream.fail(_("Unpaired surrogates (\\ud800 to \\udfff) are not valid text."))
        row_type = ROW_TYPES_BY_TABLE[table or detect_table(row, stream.lines)]
        values = {name: value for name, value in row.items() if name not in IGNORED_COLUMNS}
        yield SourceEntry(row_type.name, values, place)
        stream.expect_comma_or("]")
    stream.expect("]")


def is_encodable(row: dict[str, Any]) -> bool:
    try:
        json.dumps(row, ensure_ascii=False, default=str).encode()
    except UnicodeEncodeError:
        return False
    return True


class JSONStream:
    """The text of a file as far as it is read, and the position in it."""

    def __init__(self, lines: NumberedLines) -> None:
        self.lines, self.text, self.position, self.line_number = lines, "", 0, 1
        self.decoder = json.JSONDecoder(parse_float=Decimal, parse_constant=reject_constant)

    @property
    def place(self) -> str:
        return self.lines.format_place(self.line_number + self.text.count("\n", 0, self.position))

    def fail(self, text: str) -> NoReturn:
        raise SourceError(text, self.place)

    def read_more(self, min_size: int = 1) -> bool:
        """Read at least so many more characters if there are; return False at the end."""
        if len(self.text) - self.position > MAX_LINE_BYTES:
            self.fail(_("This row is too long."))
        chunks = []
        while min_size > 0 and (chunk := self.lines.read_chunk()):
            chunks.append(chunk)
            min_size -= len(chunk)
        self.line_number += self.text.count("\n", 0, self.position)
        self.text, self.position = self.text[self.position :] + "".join(chunks), 0
        return bool(chunks)

    def peek(self) -> str:
        """Return the next character that is not whitespace, empty at the end."""
        while True:
            if match := WHITESPACE_RE.match(self.text, self.position):
                self.position = match.end()
            if self.position < len(self.text):
                return self.text[self.position]
            if not self.read_more():
                return ""

    def expect(self, character: str) -> None:
        if self.peek() != character:
            self.fail(_("Expected “%(sign)s” here.") % {"sign": character})
        self.position += 1

    def expect_comma_or(self, end: str) -> None:
        """Skip the comma between two items; before `end` there is none."""
        if self.peek() == ",":
            self.position += 1
            if self.peek() == end:
                self.fail(_("Expected another value after the comma."))
        elif self.peek() != end:
            self.fail(_("Expected “%(sign)s” here.") % {"sign": ","})

    def read_value(self) -> Any:
        """Return the next complete value, reading as much as it needs."""
        self.peek()
        while True:
            try:
                value, end = self.decoder.raw_decode(self.text, self.position)
            except (ValueError, RecursionError) as error:
                if self.read_more(
                    len(self.text) - self.position
                ):  # doubled, else parsing is quadratic
                    continue
                text = _("The file is not valid JSON: %(error)s.")
                self.fail(text % {"error": getattr(error, "msg", error)})
            if end == len(self.text) and self.read_more():
                continue  # it may be a number that is continued
            self.position = end
            return value


def reject_constant(text: str) -> NoReturn:
    raise ValueError(text)
