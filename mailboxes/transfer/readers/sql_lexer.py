"""SQL read in blocks: words, names, numbers and strings, whatever the length of a line."""

import re
from typing import NamedTuple

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from mailboxes.transfer.entries import SourceError

BLOCK_SIZE = 1 << 20
LOOKAHEAD_BYTES = 1 << 16  # bytes: no word and no number is longer
MAX_STRING_BYTES = 16 << 20  # bytes of one string
TOO_LONG_MESSAGE = gettext_lazy("A value is longer than any that a mail system keeps.")
BACKSLASH = ord("\\")
MAX_SERVER_VERSION = 999999  # a version that no server has: what is meant for it is a comment

WHITESPACE_RE = re.compile(rb"[ \t\r\n\f\v]*+")
LINE_COMMENT_RE = re.compile(rb"#|--(?=[ \t\r\n\f\v]|\Z)")
EXECUTABLE_COMMENT_RE = re.compile(rb"/\*M?!(\d{0,6})")
TOKEN_RE = re.compile(
    rb"(?P<hex>0x[0-9A-Fa-f]++|[xX]'[0-9A-Fa-f]*+')"
    rb"|(?P<bits>0b[01]++|[bB]'[01]*+')"
    rb"|(?P<number>(?:\d++(?:\.\d*+)?|\.\d++)(?:[eE][+-]?\d++)?)"
    rb"|(?P<word>[A-Za-z_$@\x80-\xff][\w$@\x80-\xff]*+)"
    rb"|(?P<name>`(?:[^`]++|``)++`)"
    rb"|(?P<symbol>.)",
    re.DOTALL,
)
# The plain values of a row, each with what follows it: nearly all there are.
PLAIN_VALUE_RE = re.compile(
    rb"[ \t\r\n]*+(?:'([^'\\]*+)'|(-?\d++(?:\.\d++)?+)|(NULL))[ \t\r\n]*+([,)])", re.IGNORECASE
)

NEXT_ROW_RE = re.compile(rb"[ \t\r\n]*+,[ \t\r\n]*+\(")


class SQLToken(NamedTuple):
    kind: str  # hex, bits, number, word, name, string, quoted, symbol; end
    text: bytes

    @property
    def upper(self):
        """The word, if it is one."""
        return self.text.upper().decode("latin-1") if self.kind == "word" else ""

    @property
    def symbol(self):
        """The symbol, if it is one; `';'` is a string."""
        return self.text if self.kind == "symbol" else b""


END_TOKEN = SQLToken("end", b"")


class SQLScanner:
    """Tokens of a stream of bytes, and on which line we are."""

    def __init__(self, read, place):
        self._read, self._filename = read, place
        self._data, self._position, self._lines = b"", 0, 1
        self._at_eof = self._in_executable_comment = False
        self._pushed_back = None
        self.escapes = True  # whether \ means something in a string
        self.first_comment = self.last_comment = b""

    @property
    def line(self):
        return self._lines + self._data.count(b"\n", 0, self._position)

    @property
    def where(self):
        return _("%(file)s, line %(line)s") % {"file": self._filename, "line": self.line}

    def refusal(self, text, **names):
        """The error, with the line we are on."""
        return SourceError(text % names if names else text, self.where)

    # The buffer

    def _fill(self, least=0):
        """Have so many bytes ahead, or all that are left."""
        least = max(least, LOOKAHEAD_BYTES)
        if len(self._data) - self._position >= least or self._at_eof:
            return
        self._lines += self._data.count(b"\n", 0, self._position)
        blocks = [self._data[self._position :]]
        size = len(blocks[0])
        while size < least and not self._at_eof:
            blocks.append(self._read(BLOCK_SIZE))
            size += len(blocks[-1])
            self._at_eof = not blocks[-1]
        self._data, self._position = b"".join(blocks), 0

    def _skip_past(self, end):
        """Go behind the next such mark, whatever lies before it; False if there is none."""
        while (found := self._data.find(end, self._position)) < 0:
            self._position = max(self._position, len(self._data) - len(end) + 1)
            if self._at_eof:
                self._position = len(self._data)
                return False
            self._fill()
        self._position = found + len(end)
        return True

    # Tokens

    def push(self, token):
        """Give the same token once more."""
        self._pushed_back = token

    def token(self):
        if self._pushed_back:
            token, self._pushed_back = self._pushed_back, None
            return token
        self._skip_whitespace_and_comments()
        if self._position == len(self._data):
            return END_TOKEN
        if (first := self._data[self._position : self._position + 1]) in b"'\"":
            return SQLToken("string" if first == b"'" else "quoted", self._read_string(first))
        match = TOKEN_RE.match(self._data, self._position)
        self._position = match.end()
        return SQLToken(match.lastgroup, match[0])

    def match_plain_value(self):
        """(string, number, null, what follows) in one go, or None where it is not that simple."""
        match = PLAIN_VALUE_RE.match(self._data, self._position)
        if not match:
            self._fill()
            match = PLAIN_VALUE_RE.match(self._data, self._position)
        if match:
            self._position = match.end()
        return match and match.groups()

    def enter_next_row(self):
        """Whether another row follows plainly; then we are in it."""
        match = NEXT_ROW_RE.match(self._data, self._position)
        if match:
            self._position = match.end()
        return bool(match)

    def _read_string(self, quote):
        """What stands between this quote and the one that ends it, as it stands there."""
        while (end := self._find_string_end(quote, self._position + 1)) is None:
            if self._at_eof:
                raise self.refusal(_("The file ends within a string."))
            if len(self._data) - self._position > MAX_STRING_BYTES:
                raise self.refusal(TOO_LONG_MESSAGE)
            self._fill(2 * (len(self._data) - self._position))
        string, self._position = self._data[self._position + 1 : end], end + 1
        return string

    def _find_string_end(self, quote, at):
        """The place of the quote that ends a string, or None if more has to be read."""
        data = self._data
        while (found := data.find(quote, at)) >= 0:
            if self.escapes and self._count_backslashes(at, found) % 2:
                at = found + 1
            elif found + 1 == len(data) and not self._at_eof:
                return None
            elif data.startswith(quote, found + 1):
                at = found + 2
            else:
                return found
        return None

    def _count_backslashes(self, start, end):
        """How many there are just before a place."""
        at = end
        while at > start and self._data[at - 1] == BACKSLASH:
            at -= 1
        return end - at

    # What lies between tokens

    def _skip_whitespace_and_comments(self):
        """Go to the next token, past blanks and comments."""
        while True:
            self._fill()
            start, self._position = (
                self._position,
                WHITESPACE_RE.match(self._data, self._position).end(),
            )
            if start < self._position:
                continue
            if not (self._skip_line_comment() or self._skip_block_comment()):
                return

    def _skip_line_comment(self):
        if not LINE_COMMENT_RE.match(self._data, self._position):
            return False
        self._fill()
        self.last_comment = self._data[self._position : self._position + 80].partition(b"\n")[0]
        self.first_comment = self.first_comment or self.last_comment
        self._skip_past(b"\n")
        return True

    def _skip_block_comment(self):
        """A comment is passed; of one that servers obey only its marks are."""
        if self._in_executable_comment and self._data.startswith(b"*/", self._position):
            self._in_executable_comment, self._position = False, self._position + 2
            return True
        if not self._data.startswith(b"/*", self._position):
            return False
        obeyed = EXECUTABLE_COMMENT_RE.match(self._data, self._position)
        if obeyed and int(obeyed[1] or 0) < MAX_SERVER_VERSION:
            self._in_executable_comment, self._position = True, obeyed.end()
        elif not self._skip_past(b"*/"):
            raise self.refusal(_("The file ends within a comment."))
        return True
