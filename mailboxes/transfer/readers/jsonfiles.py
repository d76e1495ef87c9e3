"""The panel's own JSON: an object of tables, each a list of rows; read piece by piece."""

import json
import re
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

from django.utils.translation import gettext as _

from mailboxes.transfer.entries import SourceEntry, SourceError
from mailboxes.transfer.readers.bounded import MAX_LINE_BYTES, open_text_file
from mailboxes.transfer.readers.csvfiles import IGNORED_COLUMNS, detect_table
from mailboxes.transfer.row_types import ROW_TYPES_BY_TABLE

FORMAT_NAME = "mailadmin"
WHITESPACE_RE = re.compile(r"[ \t\r\n]*")
METADATA_KEYS = ("format", "version", "exported")


@contextmanager
def open_json_file(text):
    if not Path(text).is_file():
        raise SourceError(_("There is no such file."), text)
    with open_text_file(text) as lines:
        yield lines


def read(lines, losses, table=None):
    """The entries of a document: `{"mailboxes": [{…}, …], …}`, or a list of one table's rows."""
    text = JSONStream(lines)
    if text.peek() == "[":
        yield from iter_table_entries(text, table)
    else:
        yield from iter_tables(text)
    if text.peek():
        text.refuse(_("Something follows the end."))


def iter_tables(text):
    text.take("{")
    while text.peek() != "}":
        name = text.value()
        if not isinstance(name, str):
            text.refuse(_("Here should be “%(sign)s”.") % {"sign": '"'})
        text.take(":")
        if text.peek() == "[":
            if name not in ROW_TYPES_BY_TABLE:
                text.refuse(_("There is no table “%(name)s”.") % {"name": name})
            yield from iter_table_entries(text, name)
        else:
            check_metadata(text, name, text.value())
        text.expect_comma_or("}")
    text.take("}")


def check_metadata(text, name, value):
    if name not in METADATA_KEYS:
        text.refuse(_("There is no table “%(name)s”.") % {"name": name})
    if name == "format" and value != FORMAT_NAME:
        text.refuse(_("This is not a file of the panel's."))
    if name == "version" and value != 1:
        text.refuse(_("This file is of a later version of the panel."))


def iter_table_entries(text, table):
    text.take("[")
    while text.peek() != "]":
        place = text.place
        row = text.value()
        if not isinstance(row, dict):
            text.refuse(_("A row has to be an object: {…}."))
        if not is_encodable(row):
            text.refuse(_("Half a letter (\\ud800 to \\udfff) is no text."))
        kind = ROW_TYPES_BY_TABLE[table or detect_table(row, text.lines)]
        values = {name: value for name, value in row.items() if name not in IGNORED_COLUMNS}
        yield SourceEntry(kind.name, values, place)
        text.expect_comma_or("]")
    text.take("]")


def is_encodable(row):
    try:
        json.dumps(row, ensure_ascii=False, default=str).encode()
    except UnicodeEncodeError:
        return False
    return True


class JSONStream:
    """The text of a file as far as it is needed, and where that is."""

    def __init__(self, lines):
        self.lines, self.text, self.at, self.number = lines, "", 0, 1
        self.decoder = json.JSONDecoder(parse_float=Decimal, parse_constant=reject_constant)

    @property
    def place(self):
        return self.lines.place_of(self.number + self.text.count("\n", 0, self.at))

    def refuse(self, text):
        raise SourceError(text, self.place)

    def more(self, least=1):
        """So many more letters, if there are so many; False at the end."""
        if len(self.text) - self.at > MAX_LINE_BYTES:
            self.refuse(_("This row is longer than any can be."))
        pieces = []
        while least > 0 and (piece := self.lines.read_chunk()):
            pieces.append(piece)
            least -= len(piece)
        self.number += self.text.count("\n", 0, self.at)
        self.text, self.at = self.text[self.at :] + "".join(pieces), 0
        return bool(pieces)

    def peek(self):
        """What comes next, spaces apart; nothing at the end."""
        while True:
            self.at = WHITESPACE_RE.match(self.text, self.at).end()
            if self.at < len(self.text):
                return self.text[self.at]
            if not self.more():
                return ""

    def take(self, sign):
        if self.peek() != sign:
            self.refuse(_("Here should be “%(sign)s”.") % {"sign": sign})
        self.at += 1

    def expect_comma_or(self, end):
        """The comma between two, or nothing before the end."""
        if self.peek() == ",":
            self.at += 1
            if self.peek() == end:
                self.refuse(_("Nothing follows the comma."))
        elif self.peek() != end:
            self.refuse(_("Here should be “%(sign)s”.") % {"sign": ","})

    def value(self):
        """The next value whole, however many pieces it takes."""
        self.peek()
        while True:
            try:
                value, end = self.decoder.raw_decode(self.text, self.at)
            except (ValueError, RecursionError) as error:
                if self.more(len(self.text) - self.at):  # else each try would cost all before it
                    continue
                text = _("This is no JSON: %(error)s.")
                self.refuse(text % {"error": getattr(error, "msg", error)})
            if end == len(self.text) and self.more():
                continue  # a number may go on
            self.at = end
            return value


def reject_constant(text):
    raise ValueError(text)
