"""Values of SQL that stand there as they are, as texts."""

import re

from django.utils.translation import gettext as _

from mailboxes.transfer.entries import SourceError
from mailboxes.transfer.readers.sql_lexer import TOO_LONG_MESSAGE

MAX_BITS = 64

MAX_ROW_BYTES = 1 << 20  # bytes of all texts of a row that is kept
# MySQL's charsets in which no letter has the byte of a backslash or a quote
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
WILDCARD_ESCAPES = b"%_"  # the backslash before these stays
KEYWORD_VALUES = {"NULL": None, "TRUE": "1", "FALSE": "0"}


class _Undecodable:
    """Stands for bytes of a binary column that are no text."""


UNDECODABLE = _Undecodable()


def unescape_string(raw, quote, escapes):
    """What a string means."""
    if not escapes:
        return raw.replace(quote * 2, quote)
    return (
        ESCAPE_RE.sub(lambda match: _replace_escape(match, quote), raw)
        if _is_escaped(raw, quote)
        else raw
    )


def _is_escaped(raw, quote):
    return b"\\" in raw or quote in raw


def _replace_escape(match, quote):
    if match[2]:
        return quote if match[2] == quote * 2 else match[2]
    if match[1] in WILDCARD_ESCAPES:
        return match[0]
    return ESCAPE_CHARACTERS.get(match[1], match[1])


def parse_hex(token):
    """The bytes of `0x41` and `x'41'`."""
    digits = token[2:].rstrip(b"'").decode()
    return bytes.fromhex("0" * (len(digits) % 2) + digits)


def parse_bits(token):
    """The number of `0b1` and `b'1'`."""
    digits = token[2:].rstrip(b"'")
    if len(digits) > MAX_BITS:
        raise SourceError(_("No number has more than %(most)s bits.") % {"most": MAX_BITS})
    return str(int(digits or b"0", 2))


class ValueParser:
    """Reads the values of rows; `codec` is what the dump says it is written in."""

    def __init__(self, scanner):
        self.scanner = scanner
        self.codec = "utf-8"
        self.is_kept = True  # or else values are only passed
        self.size = 0  # bytes of the row's texts

    def row(self, limit):
        """The values up to the closing bracket, as texts and None; at most so many."""
        values, plain_value = [], self.scanner.match_plain_value
        self.size = 0
        while True:
            if plain := plain_value():
                string, number, _null, after = plain
                values.append(number.decode() if number else self._text(string))
            else:
                values.append(self.value())
                after = self._expect_separator()
            if len(values) > limit:
                raise self.scanner.refusal(_("There are more values than columns."))
            if after == b")":
                return values

    def _expect_separator(self):
        token = self.scanner.token()
        if token.symbol in (b",", b")"):
            return token.symbol
        raise self.value_error(token)

    def value_error(self, token):
        text = _("“%(word)s” is no value that stands there: a dump is read and never executed.")
        return self.scanner.refusal(text, word=describe_token(token))

    def value(self):
        """A value that is not the plainest."""
        token = self.scanner.token()
        if token.upper in KEYWORD_VALUES:
            return KEYWORD_VALUES[token.upper]
        if token.symbol in (b"-", b"+"):
            return token.text.decode().strip("+") + self._parse_number(self.scanner.token())
        if token.kind == "word" and token.text[:1] in b"_Nn":
            return self._parse_introduced(token)
        return self._parse_literal(token, self.codec)

    def _parse_number(self, token):
        if token.kind != "number":
            raise self.value_error(token)
        return token.text.decode()

    def _parse_introduced(self, token):
        """`_utf8'…'`, `_binary 0x…`, `N'…'`: a value that says what it is written in."""
        charset = token.text.lstrip(b"_").decode("latin-1").lower()
        charset = "utf8" if token.upper == "N" else charset
        following = self.scanner.token()
        if charset not in CODECS or following.kind not in ("string", "quoted", "hex"):
            raise self.value_error(token)
        return self._parse_literal(following, CODECS[charset], charset == "binary")

    def _parse_literal(self, token, codec, is_binary=False):
        match token.kind:
            case "string" | "quoted":
                quote = b"'" if token.kind == "string" else b'"'
                self._count_bytes(token.text)
                raw = self.is_kept and unescape_string(token.text, quote, self.scanner.escapes)
                return self._decode_binary(raw) if is_binary else self._decode(raw, codec)
            case "hex":
                self._count_bytes(token.text)
                return self._decode_binary(self.is_kept and parse_hex(token.text), codec)
            case "bits":
                return parse_bits(token.text)
        return self._parse_number(token)

    def _text(self, string):
        if string is None:
            return None
        self._count_bytes(string)
        return self._decode(string, self.codec)

    def _count_bytes(self, raw):
        """Memory for texts has an end, even if there is no end to a row."""
        self.size += len(raw)
        if self.is_kept and self.size > MAX_ROW_BYTES:
            raise self.scanner.refusal(TOO_LONG_MESSAGE)

    def _decode(self, raw, codec):
        if not self.is_kept:
            return ""
        try:
            return raw.decode(codec)
        except UnicodeDecodeError as error:
            text = _("The bytes of a text are not %(codec)s, which the dump is said to be in.")
            raise self.scanner.refusal(text, codec=codec) from error

    def _decode_binary(self, raw, codec="utf-8"):
        if not self.is_kept:
            return ""
        try:
            return raw.decode(codec)
        except UnicodeDecodeError:
            return UNDECODABLE


def describe_token(token):
    """A token for an error: no value, which could be a password."""
    if token.kind in ("word", "symbol", "name"):
        return token.text[:40].decode("utf-8", "replace")
    return {"end": _("the end of the file")}.get(token.kind, _("a value"))
