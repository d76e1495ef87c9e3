"""The lines of Dovecot's files, taken apart as Dovecot 2.3 and 2.4 both do it."""

import re
from typing import NamedTuple

SETTING, BLOCK, END, INCLUDE, BROKEN = "setting", "block", "end", "include", "broken"
WHITE = " \t\r\n\v\f"
QUOTES = "\"'"
# A block that Dovecot refuses, and whose meaning is plain: `passdb {}`, `passdb{`.
CARELESS = re.compile(r"(?P<kind>[^\s={]+)(?:\s+(?P<name>[^={]*?))?\s*\{\s*(?P<rest>.*)", re.DOTALL)


class Parsed(NamedTuple):
    """One line: a setting's name and value, a block's kind and name, an include and its pattern."""

    kind: str
    name: str = ""
    value: str = ""
    is_quoted: bool = False
    rest: str = ""  # behind the brace, where nothing may stand


def joined(lines, skips_comments=False):
    """(text, lines): physical lines without comments; a backslash at the end makes two one.

    Text that an empty line or a comment cuts off is lost: its lines come with None. A file of SQL
    settings skips comments instead.
    """
    held, texts = [], []
    for line in lines:
        text = bare(line.text)
        if not text:
            if held and not skips_comments:
                yield None, tuple(held)
                held, texts = [], []
            continue
        held.append(line)
        if text.endswith("\\"):
            texts.append(text[:-1].rstrip(WHITE))
            continue
        yield " ".join([*filter(None, texts), text]), tuple(held)
        held, texts = [], []
    if held:
        yield None, tuple(held)


def bare(text):
    """The line without its comment; a `#` in quotes is none, even if nobody closes them."""
    text = text.strip(WHITE)
    at = 0
    while at < len(text):
        if text[at] in QUOTES:
            at = closing(text, at)
        elif text[at] == "#":
            return text[:at].rstrip(WHITE)
        at += 1
    return text


def closing(text, at):
    """Where the quote that begins here ends."""
    quote, at = text[at], at + 1
    while at < len(text) and text[at] != quote:
        at += 2 if text[at] == "\\" and at + 1 < len(text) else 1
    return at


def parsed(text):
    """What a line says."""
    key, rest = _key(text)
    if key in ("!include", "!include_try"):
        return Parsed(INCLUDE, key, rest)
    if rest.startswith("="):
        return _setting(key, rest[1:].strip(WHITE))
    if key == "}" and not rest:
        return Parsed(END)
    return _block(key, rest) or _careless(text) or Parsed(BROKEN)


def _key(text):
    if text.startswith('"'):
        end = closing(text, 0)
        return text[1:end], text[end + 1 :].strip(WHITE)
    end = next((at for at, letter in enumerate(text) if letter in f"{WHITE}="), len(text))
    return text[:end], text[end:].strip(WHITE)


def _setting(name, value):
    if not name:
        return Parsed(BROKEN)
    if value.startswith("<"):
        return Parsed(SETTING, name, f"<{value[1:].lstrip(WHITE)}", is_quoted=True)
    if is_quoted(value):
        return Parsed(SETTING, name, unescaped(value[1:-1]), is_quoted=True)
    return Parsed(SETTING, name, value)


def is_quoted(value):
    return len(value) > 1 and value[0] == value[-1] and value[0] in QUOTES


def unescaped(text):
    return re.sub(r"\\(.)", r"\1", text)


def _block(kind, rest):
    if not rest:
        return None
    name, rest = ("", rest) if rest.startswith("{") else _name(rest)
    if kind == "group":  # group @of name {
        second, rest = _name(rest)
        name = f"{name} {second}"
    if not kind or not rest.startswith("{"):
        return None
    return Parsed(BLOCK, kind, name, rest=rest[1:].strip(WHITE))


def _name(text):
    """The word at the beginning, and what follows it."""
    if text.startswith('"'):
        end = text.find('"', 1) % (len(text) + 1)
        return unescaped(text[1:end]), text[end + 1 :].strip(WHITE)
    word = re.match(r"[^ \t\r\n\v\f]*", text)[0]
    return word, text[len(word) :].strip(WHITE)


def _careless(text):
    found = CARELESS.fullmatch(text)
    if not found or found["kind"].endswith(("$", "%")):
        return None
    name = (found["name"] or "").strip(QUOTES)
    return Parsed(BLOCK, found["kind"], name, rest=found["rest"] or "{")
