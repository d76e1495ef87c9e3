"""Literal values of SQL, as texts."""

import re
from typing import Any

from mailadmin.translation import gettext as _
from mailboxes.transfer.entries import SourceError
from mailboxes.transfer.readers.sql_lexer import TOO_LONG_MESSAGE, SQLScanner, SQLToken

MAX_BITS = 64

MAX_ROW_BYTES = 1 << 20  # all texts of a row together
# MySQL's charsets in which no multi-byte character has the byte of a backslash or a quote
CODECS = {
    "ascii": "ascii",
    "binary": "utf-8",
    "cp1250": "cp1250",
    "cp1251": "cp1251",
    "cp1256": "cp1256",
    "cp1257": "cp1257",
    "cp850": "cp850",
    "cp852": "cp852",
    "cp866": "cp866",
    "eucjpms": "euc_jp",
    "euckr": "euc_kr",
    "gb2312": "gb2312",
    "greek": "iso8859_7",
    "hebrew": "iso8859_8",
    "koi8r": "koi8_r",
    "koi8u": "koi8_u",
    "latin1": "cp1252",
    "latin2": "iso8859_2",
    "latin5": "iso8859_9",
    "latin7": "iso8859_13",
    "macroman": "mac_roman",
    "tis620": "tis_620",
    "ujis": "euc_jp",
    "utf8": "utf-8",
    "utf8mb3": "utf-8",
    "utf8mb4": "utf-8",
}
ESCAPE_RE = re.compile(rb"\\(.)|(''|\"\")", re.DOTALL)
ESCAPE_CHARACTERS = {b"0": b"\0", b"b": b"\b", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"Z": b"\x1a"}
WILDCARD_ESCAPES = b"%_"  # MySQL keeps the backslash before these
KEYWORD_VALUES = {"NULL": None, "TRUE": "1", "FALSE": "0"}


class _Undecodable:
    """Stands for bytes of a binary column that are not text."""


UNDECODABLE = _Undecodable()


def unescape_string(raw: bytes, quote: bytes, escapes: bool) -> bytes:
    """Return the content of a string literal."""
    if not escapes:
        return raw.replace(quote * 2, quote)
    return (
        ESCAPE_RE.sub(lambda match: _replace_escape(match, quote), raw)
        if _is_escaped(raw, quote)
        else raw
    )


def _is_escaped(raw: bytes, quote: bytes) -> bool:
    return b"\\" in raw or quote in raw


def _replace_escape(match: re.Match[bytes], quote: bytes) -> bytes:
    if match[2]:
        return quote if match[2] == quote * 2 else match[2]
    if match[1] in WILDCARD_ESCAPES:
        return match[0]
    return ESCAPE_CHARACTERS.get(match[1], match[1])


def parse_hex(token: bytes) -> bytes:
    """Return the bytes of `0x41` and `x'41'`."""
    digits = token[2:].rstrip(b"'").decode()
    return bytes.fromhex("0" * (len(digits) % 2) + digits)


def parse_bits(token: bytes) -> str:
    """Return the number of `0b1` and `b'1'`."""
    digits = token[2:].rstrip(b"'")
    if len(digits) > MAX_BITS:
        raise SourceError(_("Numbers can have at most %(most)s bits.") % {"most": MAX_BITS})
    return str(int(digits or b"0", 2))


class ValueParser:
    """Parses the values of rows; `codec` is the one that the dump declares."""

    def __init__(self, scanner: SQLScanner) -> None:
        self.scanner = scanner
        self.codec = "utf-8"
        self.keeps_values = True  # else they are skipped
        self.row_bytes = 0  # of the row's texts

    def parse_row(self, limit: int) -> list[Any]:
        """Return the values up to the closing parenthesis, at most `limit`, as texts or None."""
        values, plain_value = [], self.scanner.match_plain_value
        self.row_bytes = 0
        while True:
            if plain := plain_value():
                string, number, _null, after = plain
                values.append(number.decode() if number else self._decode_plain(string))
            else:
                values.append(self.parse_value())
                after = self._expect_separator()
            if len(values) > limit:
                raise self.scanner.error_here(_("There are more values than columns."))
            if after == b")":
                return values

    def _expect_separator(self) -> bytes:
        token = self.scanner.next_token()
        if token.symbol in (b",", b")"):
            return token.symbol
        raise self.value_error(token)

    def value_error(self, token: SQLToken) -> SourceError:
        text = _("“%(word)s” is not a literal value. Dumps are read, never executed.")
        return self.scanner.error_here(text, word=describe_token(token))

    def parse_value(self) -> Any:
        """Parse a value that `match_plain_value` does not match."""
        token = self.scanner.next_token()
        if token.upper in KEYWORD_VALUES:
            return KEYWORD_VALUES[token.upper]
        if token.symbol in (b"-", b"+"):
            return token.text.decode().strip("+") + self._parse_number(self.scanner.next_token())
        if token.kind == "word" and token.text[:1] in b"_Nn":
            return self._parse_introduced(token)
        return self._parse_literal(token, self.codec)

    def _parse_number(self, token: SQLToken) -> str:
        if token.kind != "number":
            raise self.value_error(token)
        return token.text.decode()

    def _parse_introduced(self, token: SQLToken) -> Any:
        """Parse a value that names its charset: `_utf8'…'`, `_binary 0x…`, `N'…'`."""
        charset = token.text.lstrip(b"_").decode("latin-1").lower()
        charset = "utf8" if token.upper == "N" else charset
        following = self.scanner.next_token()
        if charset not in CODECS or following.kind not in ("string", "quoted", "hex"):
            raise self.value_error(token)
        return self._parse_literal(following, CODECS[charset], charset == "binary")

    def _parse_literal(self, token: SQLToken, codec: str, is_binary: bool = False) -> Any:
        match token.kind:
            case "string" | "quoted":
                quote = b"'" if token.kind == "string" else b'"'
                self._count_bytes(token.text)
                if not self.keeps_values:
                    return ""
                raw = unescape_string(token.text, quote, self.scanner.backslash_escapes)
                return self._decode_binary(raw) if is_binary else self._decode(raw, codec)
            case "hex":
                self._count_bytes(token.text)
                if not self.keeps_values:
                    return ""
                return self._decode_binary(parse_hex(token.text), codec)
            case "bits":
                return parse_bits(token.text)
        return self._parse_number(token)

    def _decode_plain(self, string: bytes | None) -> str | None:
        if string is None:
            return None
        self._count_bytes(string)
        return self._decode(string, self.codec)

    def _count_bytes(self, raw: bytes) -> None:
        """Limit the memory for the texts of a row."""
        self.row_bytes += len(raw)
        if self.keeps_values and self.row_bytes > MAX_ROW_BYTES:
            raise self.scanner.error_here(TOO_LONG_MESSAGE)

    def _decode(self, raw: bytes, codec: str) -> str:
        if not self.keeps_values:
            return ""
        try:
            return raw.decode(codec)
        except UnicodeDecodeError as error:
            text = _("The text is not valid %(codec)s, the character set of the dump.")
            raise self.scanner.error_here(text, codec=codec) from error

    def _decode_binary(self, raw: bytes, codec: str = "utf-8") -> str | _Undecodable:
        if not self.keeps_values:
            return ""
        try:
            return raw.decode(codec)
        except UnicodeDecodeError:
            return UNDECODABLE


def describe_token(token: SQLToken) -> str:
    """Describe a token for an error, without values: they could be passwords."""
    if token.kind in ("word", "symbol", "name"):
        return token.text[:40].decode("utf-8", "replace")
    return {"end": _("the end of the file")}.get(token.kind, _("a value"))
