"""A lexer for SQL, read in blocks: words, names, numbers and strings, however long lines are."""

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from mailadmin.translation import gettext as _
from mailadmin.translation import gettext_lazy
from mailboxes.transfer.entries import SourceError

BLOCK_SIZE = 1 << 20
LOOKAHEAD_BYTES = 1 << 16  # no word and no number is longer
MAX_STRING_BYTES = 16 << 20
TOO_LONG_MESSAGE = gettext_lazy("This value is too long.")
BACKSLASH = ord("\\")
MAX_SERVER_VERSION = 999999  # comments for this version are executed by no server

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
# A plain value with the separator behind it, which covers nearly all values.
PLAIN_VALUE_RE = re.compile(
    rb"[ \t\r\n]*+(?:'([^'\\]*+)'|(-?\d++(?:\.\d++)?+)|(NULL))[ \t\r\n]*+([,)])", re.IGNORECASE
)

NEXT_ROW_RE = re.compile(rb"[ \t\r\n]*+,[ \t\r\n]*+\(")


class SQLToken(NamedTuple):
    kind: str  # hex, bits, number, word, name, string, quoted, symbol; end
    text: bytes

    @property
    def upper(self) -> str:
        """Return the word in upper case, empty if it is none."""
        return self.text.upper().decode("latin-1") if self.kind == "word" else ""

    @property
    def symbol(self) -> bytes:
        """Return the symbol, empty if it is none; `';'` is a string."""
        return self.text if self.kind == "symbol" else b""


END_TOKEN = SQLToken("end", b"")


class SQLScanner:
    """The tokens of a stream of bytes, and the current line."""

    def __init__(self, read: Callable[[int], bytes], filename: str) -> None:
        self._read, self._filename = read, filename
        self._data, self._position, self._first_line = b"", 0, 1
        self._at_eof = self._in_executable_comment = False
        self._pushed_back: SQLToken | None = None
        self.backslash_escapes = True  # in strings
        self.first_comment = self.last_comment = b""

    @property
    def line(self) -> int:
        return self._first_line + self._data.count(b"\n", 0, self._position)

    @property
    def place(self) -> str:
        return _("%(file)s, line %(line)s") % {"file": self._filename, "line": self.line}

    def error_here(self, text: object, **names: Any) -> SourceError:
        """Return an error with the current line."""
        return SourceError(str(text) % names if names else text, self.place)

    # The buffer

    def _fill(self, min_bytes: int = 0) -> None:
        """Buffer at least so many bytes, or all that are left."""
        min_bytes = max(min_bytes, LOOKAHEAD_BYTES)
        if len(self._data) - self._position >= min_bytes or self._at_eof:
            return
        self._first_line += self._data.count(b"\n", 0, self._position)
        blocks = [self._data[self._position :]]
        size = len(blocks[0])
        while size < min_bytes and not self._at_eof:
            blocks.append(self._read(BLOCK_SIZE))
            size += len(blocks[-1])
            self._at_eof = not blocks[-1]
        self._data, self._position = b"".join(blocks), 0

    def _skip_past(self, end: bytes) -> bool:
        """Skip to behind the next occurrence; return False if there is none."""
        while (found := self._data.find(end, self._position)) < 0:
            self._position = max(self._position, len(self._data) - len(end) + 1)
            if self._at_eof:
                self._position = len(self._data)
                return False
            self._fill()
        self._position = found + len(end)
        return True

    # Tokens

    def push_back(self, token: SQLToken) -> None:
        """Return the token again at the next call."""
        self._pushed_back = token

    def next_token(self) -> SQLToken:
        if self._pushed_back:
            token, self._pushed_back = self._pushed_back, None
            return token
        self._skip_whitespace_and_comments()
        if self._position == len(self._data):
            return END_TOKEN
        if (first := self._data[self._position : self._position + 1]) in b"'\"":
            return SQLToken("string" if first == b"'" else "quoted", self._read_string(first))
        match = TOKEN_RE.match(self._data, self._position)
        if not match or not match.lastgroup:
            raise AssertionError("no token")  # "symbol" is any byte
        self._position = match.end()
        return SQLToken(match.lastgroup, match[0])

    def match_plain_value(self) -> tuple[bytes | None, ...] | None:
        """Match (string, number, null, separator) at once; None for values that need the parser."""
        match = PLAIN_VALUE_RE.match(self._data, self._position)
        if not match:
            self._fill()
            match = PLAIN_VALUE_RE.match(self._data, self._position)
        if match:
            self._position = match.end()
        return match and match.groups()

    def enter_next_row(self) -> bool:
        """Skip to the values of the next row, if it follows directly; tell whether it does."""
        match = NEXT_ROW_RE.match(self._data, self._position)
        if match:
            self._position = match.end()
        return bool(match)

    def _read_string(self, quote: bytes) -> bytes:
        """Return what is between this quote and the one that ends it, not unescaped."""
        while (end := self._find_string_end(quote, self._position + 1)) is None:
            if self._at_eof:
                raise self.error_here(_("The file ends within a string."))
            if len(self._data) - self._position > MAX_STRING_BYTES:
                raise self.error_here(TOO_LONG_MESSAGE)
            self._fill(2 * (len(self._data) - self._position))
        string, self._position = self._data[self._position + 1 : end], end + 1
        return string

    def _find_string_end(self, quote: bytes, position: int) -> int | None:
        """Return the position of the closing quote, or None if more has to be read."""
        data = self._data
        while (found := data.find(quote, position)) >= 0:
            if self.backslash_escapes and self._count_backslashes(position, found) % 2:
                position = found + 1
            elif found + 1 == len(data) and not self._at_eof:
                return None
            elif data.startswith(quote, found + 1):
                position = found + 2
            else:
                return found
        return None

    def _count_backslashes(self, start: int, end: int) -> int:
        """Return the number of backslashes directly before a position."""
        position = end
        while position > start and self._data[position - 1] == BACKSLASH:
            position -= 1
        return end - position

    # Whitespace and comments

    def _skip_whitespace_and_comments(self) -> None:
        """Skip blanks and comments before the next token."""
        while True:
            self._fill()
            match = WHITESPACE_RE.match(self._data, self._position)
            if match and match[0]:
                self._position = match.end()
                continue
            if not (self._skip_line_comment() or self._skip_block_comment()):
                return

    def _skip_line_comment(self) -> bool:
        if not LINE_COMMENT_RE.match(self._data, self._position):
            return False
        self._fill()
        self.last_comment = self._data[self._position : self._position + 80].partition(b"\n")[0]
        self.first_comment = self.first_comment or self.last_comment
        self._skip_past(b"\n")
        return True

    def _skip_block_comment(self) -> bool:
        """Skip a comment; of one that servers execute skip only its marks."""
        if self._in_executable_comment and self._data.startswith(b"*/", self._position):
            self._in_executable_comment, self._position = False, self._position + 2
            return True
        if not self._data.startswith(b"/*", self._position):
            return False
        executable = EXECUTABLE_COMMENT_RE.match(self._data, self._position)
        if executable and int(executable[1] or 0) < MAX_SERVER_VERSION:
            self._in_executable_comment, self._position = True, executable.end()
        elif not self._skip_past(b"*/"):
            raise self.error_here(_("The file ends within a comment."))
        return True
