"""Parse lists of addresses as Postfix reads them in a virtual alias table.

Commas, spaces, line ends and semicolons separate addresses; display names and comments are left
out; quotes and backslashes escape special characters. Every part of the panel that has to know
where an alias points uses this module. tests/mailboxes/test_routing.py compares it with a real
Postfix. It needs no Django.
"""

import re
from typing import NamedTuple

WHITESPACE = " \t\r\n"
WORD_KINDS = ("word", "quoted", "literal")
ATOM_PATTERN = r"[^\s\x00-\x20\x7f|%!()<>@,;:\\\".\[\]]+"
DOT_ATOM_PATTERN = rf"{ATOM_PATTERN}(?:\.{ATOM_PATTERN})*"
PLAIN_LIST_RE = re.compile(
    rf" *{DOT_ATOM_PATTERN}@{DOT_ATOM_PATTERN} *(?:, *{DOT_ATOM_PATTERN}@{DOT_ATOM_PATTERN} *)*"
)
TOKEN_RE = re.compile(
    r"""
    (?P<quoted>"(?:\\.|[^"\\])*\\?"?)
    | (?P<literal>\[(?:\\.|[^\]\\])*\\?\]?)
    | (?P<word>(?:\\.|[^ \t\r\n|%!()<>@,;:\\".\[\]]|\\$)+)
    | (?P<operator>[^ \t\r\n])
    """,
    re.DOTALL | re.VERBOSE,
)
QUOTED_PAIR_RE = re.compile(r"\\(.?)", re.DOTALL)
WHITESPACE_TO_SPACE = str.maketrans(dict.fromkeys("\t\r\n", " "))


class AddressToken(NamedTuple):
    kind: str  # word, quoted, literal, or the operator itself
    text: str  # without quotes


def parse_address_list(text: str, origin: str = "", domain: str = "") -> list[str]:
    """Return the addresses of a list, unquoted, in their order.

    A name without a domain gets `origin`, a domain without a dot gets `domain`, if they are given.
    An address that Postfix takes for the null address is an empty string.
    """
    if not domain and PLAIN_LIST_RE.fullmatch(text):
        return [part.strip() for part in text.split(",")]
    if text == "<>":
        return [""]
    return [
        rewrite_tokens(tokens, origin, domain) for tokens in AddressSplitter(tokenize(text)).split()
    ]


def rewrite_address(text: str, origin: str = "", domain: str = "") -> str:
    """Return one address in its usual form."""
    return rewrite_tokens(tokenize(text), origin, domain)


def tokenize(text: str) -> list[AddressToken]:
    """Return the tokens of a text without spaces and comments."""
    text = text.partition("\0")[0]
    tokens, position = [], 0
    while position < len(text):
        if text[position] in WHITESPACE:
            position += 1
        elif text[position] == "(":
            position = find_comment_end(text, position)
        elif match := TOKEN_RE.match(text, position):  # which matches everything else
            tokens.append(build_token(match))
            position = match.end()
    return tokens


def find_comment_end(text: str, position: int) -> int:
    """Return the position after a comment, which may contain other comments."""
    depth = 0
    while position < len(text):
        character = text[position]
        position += 2 if character == "\\" else 1
        depth += {"(": 1, ")": -1}.get(character, 0)
        if depth == 0:
            return position
    return len(text)


def build_token(match: re.Match) -> AddressToken:
    kind, text = match.lastgroup or "", match[0]
    if kind == "operator":
        return AddressToken(text, text)
    if kind != "word":
        text = text[1:]
        closing = '"' if kind == "quoted" else "]"
        if is_closed_by(text, closing):
            text = text[:-1]
    text = QUOTED_PAIR_RE.sub(lambda pair: pair[1], text).translate(WHITESPACE_TO_SPACE)
    return AddressToken(kind, f"[{text}]" if kind == "literal" else text)


def is_closed_by(text: str, closing: str) -> bool:
    """Return whether the text ends with this character, not escaped by a backslash."""
    body = text[:-1]
    return text.endswith(closing) and (len(body) - len(body.rstrip("\\"))) % 2 == 0


class AddressSplitter:
    """Split tokens into addresses from right to left, as Postfix does."""

    def __init__(self, tokens: list[AddressToken]) -> None:
        self.tokens = tokens
        self.addresses: list[list[AddressToken]] = []
        self.current: list[AddressToken] = []
        self.can_continue = True  # whether a word may stand before `current`
        self.in_group = False  # whether the end of `name: address;` was read

    def split(self) -> list[list[AddressToken]]:
        position = len(self.tokens) - 1
        while position >= 0:
            position = self.read_token(position)
        self.end_address()
        return self.addresses[::-1]

    def read_token(self, position: int) -> int:
        """Read a token; return the position of the next one."""
        kind = self.tokens[position].kind
        if kind == ">":
            return self.read_route(position)
        if kind in WORD_KINDS and not self.can_continue:
            self.end_address()
        if kind in (",", ";") or (kind == ":" and self.in_group):
            self.end_address()
        else:
            self.current.append(self.tokens[position])
        if kind == ":" and self.in_group:
            return self.find_previous(position, ",")
        self.in_group |= kind == ";"
        self.can_continue = kind not in WORD_KINDS
        return position - 1

    def read_route(self, position: int) -> int:
        """Read `<address>` from its right end, and drop the display name before it."""
        self.end_address()
        start = self.find_previous(position, "<")
        self.current = self.tokens[start + 1 : position][::-1]
        self.end_address()
        self.can_continue = True
        position = self.find_previous(start, ">;,:")
        is_separator = position >= 0 and self.tokens[position].kind == ":" and not self.in_group
        return position - 1 if is_separator else position

    def end_address(self) -> None:
        if self.current:
            self.addresses.append(self.current[::-1])
        self.current = []

    def find_previous(self, position: int, kinds: str) -> int:
        """Return the position of the nearest of these operators, here or before; -1 if none."""
        while position >= 0 and self.tokens[position].kind not in tuple(kinds):
            position -= 1
        return position


def rewrite_tokens(tokens: list[AddressToken], origin: str, domain: str) -> str:
    """Return an address in its usual form, as trivial-rewrite(8) makes it."""
    tokens = [token for token in tokens if token.text or token.kind == "quoted"]
    if not tokens or (len(tokens) == 1 and tokens[0].text in ("@", "")):
        return ""
    tokens = append_domain(strip_source_route(tokens), origin)
    if domain and is_single_label_domain(tokens):
        tokens = [*tokens, AddressToken(".", "."), *tokenize(domain)]
    if len(tokens) > 1 and tokens[-1].kind == "." and tokens[-2].kind not in (".", "@"):
        tokens = tokens[:-1]
    local_part, at, host = join_tokens(tokens).rpartition("@")
    return local_part + at + (strip_domain_spaces(host) if at else host)


def join_tokens(tokens: list[AddressToken]) -> str:
    """Return the tokens as text, with a space between words of which one is quoted."""
    text, is_domain = "", False
    for before, token in zip([None, *tokens], tokens, strict=False):
        kinds = {token.kind, before.kind} if before else {token.kind}
        is_apart = before and kinds <= set(WORD_KINDS) and kinds != {"word"}
        text += f" {token.text}" if is_domain and is_apart else token.text
        is_domain |= token.kind == "@"
    return text


def strip_domain_spaces(domain: str) -> str:
    """Remove spaces around the labels of a domain, which quotes may have preserved."""
    return ".".join(part.strip(" ") for part in domain.split("."))


def strip_source_route(tokens: list[AddressToken]) -> list[AddressToken]:
    """Drop `@relay,@relay:` before an address."""
    kinds = [token.kind for token in tokens]
    if kinds[0] == "@" and ":" in kinds[:-1]:
        return tokens[kinds.index(":") + 1 :]
    return tokens


def append_domain(tokens: list[AddressToken], origin: str) -> list[AddressToken]:
    """Turn `host!user`, `user%host` and a bare name into an address."""
    kinds, at = [token.kind for token in tokens], AddressToken("@", "@")
    if "@" in kinds:
        return tokens
    if "!" in kinds:
        position = kinds.index("!")
        return [*tokens[position + 1 :], at, *tokens[:position]]
    if "%" in kinds:
        position = len(kinds) - 1 - kinds[::-1].index("%")
        return [*tokens[:position], at, *tokens[position + 1 :]]
    return [*tokens, at, *tokenize(origin)] if origin else tokens


def is_single_label_domain(tokens: list[AddressToken]) -> bool:
    """Return whether the address has a domain without a dot."""
    kinds = [token.kind for token in tokens]
    if "@" not in kinds or kinds[-1] == "@":
        return False
    host = kinds[len(kinds) - kinds[::-1].index("@") :]
    return "." not in host and "literal" not in host
