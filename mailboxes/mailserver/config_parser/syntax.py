"""Parse single lines of Dovecot's configuration files, versions 2.3 and 2.4."""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from mailboxes.mailserver.config_parser.lines import Line

SETTING, BLOCK, END, INCLUDE, BROKEN = "setting", "block", "end", "include", "broken"
WHITESPACE = " \t\r\n\v\f"
QUOTES = "\"'"
# Blocks that Dovecot refuses although their meaning is clear: `passdb {}`, `passdb{`.
LENIENT_BLOCK_RE = re.compile(
    r"(?P<kind>[^\s={]+)(?:\s+(?P<name>[^={]*?))?\s*\{\s*(?P<rest>.*)", re.DOTALL
)


class ParsedLine(NamedTuple):
    """A setting's name and value, a block's kind and name, or an include and its pattern."""

    kind: str
    name: str = ""
    value: str = ""
    is_quoted: bool = False
    rest: str = ""  # text behind the brace, where Dovecot allows none


def join_continued_lines(
    lines: Iterable[Line], skips_comments: bool = False
) -> Iterator[tuple[str | None, tuple[Line, ...]]]:
    """Yield (text, lines), joining lines that end with a backslash and removing comments.

    Dovecot drops text whose continuation is an empty line or a comment: the text is then None.
    In files of SQL settings comments are skipped instead.
    """
    pending: list[Line] = []
    texts: list[str] = []
    for line in lines:
        text = strip_comment(line.text)
        if not text:
            if pending and not skips_comments:
                yield None, tuple(pending)
                pending, texts = [], []
            continue
        pending.append(line)
        if text.endswith("\\"):
            texts.append(text[:-1].rstrip(WHITESPACE))
            continue
        yield " ".join([*filter(None, texts), text]), tuple(pending)
        pending, texts = [], []
    if pending:
        yield None, tuple(pending)


def strip_comment(text: str) -> str:
    """Remove the comment; a `#` in quotes begins none, even if the quotes are not closed."""
    text = text.strip(WHITESPACE)
    at = 0
    while at < len(text):
        if text[at] in QUOTES:
            at = find_closing_quote(text, at)
        elif text[at] == "#":
            return text[:at].rstrip(WHITESPACE)
        at += 1
    return text


def find_closing_quote(text: str, at: int) -> int:
    """Return the position of the quote that closes the one at `at`, or the length of the text."""
    quote, at = text[at], at + 1
    while at < len(text) and text[at] != quote:
        at += 2 if text[at] == "\\" and at + 1 < len(text) else 1
    return at


def parse_line(text: str) -> ParsedLine:
    """Parse one joined line."""
    key, rest = _split_key(text)
    if key in ("!include", "!include_try"):
        return ParsedLine(INCLUDE, key, rest)
    if rest.startswith("="):
        return _parse_setting(key, rest[1:].strip(WHITESPACE))
    if key == "}" and not rest:
        return ParsedLine(END)
    return _parse_block(key, rest) or _parse_lenient_block(text) or ParsedLine(BROKEN)


def _split_key(text: str) -> tuple[str, str]:
    if text.startswith('"'):
        end = find_closing_quote(text, 0)
        return text[1:end], text[end + 1 :].strip(WHITESPACE)
    end = next(
        (at for at, character in enumerate(text) if character in f"{WHITESPACE}="), len(text)
    )
    return text[:end], text[end:].strip(WHITESPACE)


def _parse_setting(name: str, value: str) -> ParsedLine:
    if not name:
        return ParsedLine(BROKEN)
    if value.startswith("<"):
        return ParsedLine(SETTING, name, f"<{value[1:].lstrip(WHITESPACE)}", is_quoted=True)
    if is_quoted(value):
        return ParsedLine(SETTING, name, unescape(value[1:-1]), is_quoted=True)
    return ParsedLine(SETTING, name, value)


def is_quoted(value: str) -> bool:
    return len(value) > 1 and value[0] == value[-1] and value[0] in QUOTES


def unescape(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)


def _parse_block(kind: str, rest: str) -> ParsedLine | None:
    if not rest:
        return None
    name, rest = ("", rest) if rest.startswith("{") else _split_name(rest)
    if kind == "group":  # group @of name {
        second, rest = _split_name(rest)
        name = f"{name} {second}"
    if not kind or not rest.startswith("{"):
        return None
    return ParsedLine(BLOCK, kind, name, rest=rest[1:].strip(WHITESPACE))


def _split_name(text: str) -> tuple[str, str]:
    """Split off the first word, which may be quoted."""
    if text.startswith('"'):
        end = text.find('"', 1) % (len(text) + 1)
        return unescape(text[1:end]), text[end + 1 :].strip(WHITESPACE)
    word = re.split(r"[ \t\r\n\v\f]", text, maxsplit=1)[0]
    return word, text[len(word) :].strip(WHITESPACE)


def _parse_lenient_block(text: str) -> ParsedLine | None:
    found = LENIENT_BLOCK_RE.fullmatch(text)
    if not found or found["kind"].endswith(("$", "%")):
        return None
    name = (found["name"] or "").strip(QUOTES)
    return ParsedLine(BLOCK, found["kind"], name, rest=found["rest"] or "{")
