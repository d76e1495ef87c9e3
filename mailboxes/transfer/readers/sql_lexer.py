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


class Token(NamedTuple):
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


END_TOKEN = Token("end", b"")


class SQLScanner:
    """Tokens of a stream of bytes, and on which line we are."""

    def __init__(self, read, place):
        self._read, self._place = read, place
        self._data, self._at, self._lines = b"", 0, 1
        self._is_ended = self._is_inside = False
        self._is_back = None
        self.escapes = True  # whether \ means something in a string
        self.first_comment = self.last_comment = b""

    @property
    def line(self):
        return self._lines + self._data.count(b"\n", 0, self._at)

    @property
    def where(self):
        return _("%(file)s, line %(line)s") % {"file": self._place, "line": self.line}

    def refusal(self, text, **names):
        """The error, with the line we are on."""
        return SourceError(text % names if names else text, self.where)

    # The buffer

    def _fill(self, least=0):
        """Have so many bytes ahead, or all that are left."""
        least = max(least, LOOKAHEAD_BYTES)
        if len(self._data) - self._at >= least or self._is_ended:
            return
        self._lines += self._data.count(b"\n", 0, self._at)
        blocks = [self._data[self._at :]]
        size = len(blocks[0])
        while size < least and not self._is_ended:
            blocks.append(self._read(BLOCK_SIZE))
            size += len(blocks[-1])
            self._is_ended = not blocks[-1]
        self._data, self._at = b"".join(blocks), 0

    def _pass(self, end):
        """Go behind the next such mark, whatever lies before it; False if there is none."""
        while (found := self._data.find(end, self._at)) < 0:
            self._at = max(self._at, len(self._data) - len(end) + 1)
            if self._is_ended:
                self._at = len(self._data)
                return False
            self._fill()
        self._at = found + len(end)
        return True

    # Tokens

    def push(self, token):
        """Give the same token once more."""
        self._is_back = token

    def token(self):
        if self._is_back:
            token, self._is_back = self._is_back, None
            return token
        self._skip()
        if self._at == len(self._data):
            return END_TOKEN
        if (first := self._data[self._at : self._at + 1]) in b"'\"":
            return Token("string" if first == b"'" else "quoted", self._string(first))
        match = TOKEN_RE.match(self._data, self._at)
        self._at = match.end()
        return Token(match.lastgroup, match[0])

    def plain_value(self):
        """(string, number, null, what follows) in one go, or None where it is not that simple."""
        match = PLAIN_VALUE_RE.match(self._data, self._at)
        if not match:
            self._fill()
            match = PLAIN_VALUE_RE.match(self._data, self._at)
        if match:
            self._at = match.end()
        return match and match.groups()

    def is_at_next_row(self):
        """Whether another row follows plainly; then we are in it."""
        match = NEXT_ROW_RE.match(self._data, self._at)
        if match:
            self._at = match.end()
        return bool(match)

    def _string(self, quote):
        """What stands between this quote and the one that ends it, as it stands there."""
        while (end := self._end_of_string(quote, self._at + 1)) is None:
            if self._is_ended:
                raise self.refusal(_("The file ends within a string."))
            if len(self._data) - self._at > MAX_STRING_BYTES:
                raise self.refusal(TOO_LONG_MESSAGE)
            self._fill(2 * (len(self._data) - self._at))
        string, self._at = self._data[self._at + 1 : end], end + 1
        return string

    def _end_of_string(self, quote, at):
        """The place of the quote that ends a string, or None if more has to be read."""
        data = self._data
        while (found := data.find(quote, at)) >= 0:
            if self.escapes and self._backslashes(at, found) % 2:
                at = found + 1
            elif found + 1 == len(data) and not self._is_ended:
                return None
            elif data.startswith(quote, found + 1):
                at = found + 2
            else:
                return found
        return None

    def _backslashes(self, start, end):
        """How many there are just before a place."""
        at = end
        while at > start and self._data[at - 1] == BACKSLASH:
            at -= 1
        return end - at

    # What lies between tokens

    def _skip(self):
        """Go to the next token, past blanks and comments."""
        while True:
            self._fill()
            start, self._at = self._at, WHITESPACE_RE.match(self._data, self._at).end()
            if start < self._at:
                continue
            if not (self._line_comment() or self._block_comment()):
                return

    def _line_comment(self):
        if not LINE_COMMENT_RE.match(self._data, self._at):
            return False
        self._fill()
        self.last_comment = self._data[self._at : self._at + 80].partition(b"\n")[0]
        self.first_comment = self.first_comment or self.last_comment
        self._pass(b"\n")
        return True

    def _block_comment(self):
        """A comment is passed; of one that servers obey only its marks are."""
        if self._is_inside and self._data.startswith(b"*/", self._at):
            self._is_inside, self._at = False, self._at + 2
            return True
        if not self._data.startswith(b"/*", self._at):
            return False
        obeyed = EXECUTABLE_COMMENT_RE.match(self._data, self._at)
        if obeyed and int(obeyed[1] or 0) < MAX_SERVER_VERSION:
            self._is_inside, self._at = True, obeyed.end()
        elif not self._pass(b"*/"):
            raise self.refusal(_("The file ends within a comment."))
        return True
