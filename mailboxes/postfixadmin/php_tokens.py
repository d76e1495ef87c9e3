"""The tokens of PHP: variables, names, numbers, strings and operators, each with its line."""

import re
from collections.abc import Generator, Iterator
from typing import NamedTuple

from mailboxes.postfixadmin.php_values import PhpSyntaxError

OPERATORS = (
    "<<<",
    "===",
    "!==",
    "<=>",
    "**=",
    "...",
    "??=",
    "?->",
    *("==", "!=", "<>", "<=", ">=", "=>", "->", "::", "??", "&&", "||", ".=", "+=", "-=", "*="),
    *("/=", "%=", "|=", "&=", "^=", "++", "--", "**", "<<", ">>"),
)
TOKEN_RE = re.compile(
    r"""
    (?P<space>\s+)
    |(?P<comment>\#(?!\[)[^\n]*?(?=\?>|\n|\Z)|//[^\n]*?(?=\?>|\n|\Z)|/\*.*?\*/)
    |(?P<close>\?>\n?)
    |(?P<heredoc><<<[ \t]*(?P<quote>['"]?)(?P<label>[A-Za-z_]\w*)(?P=quote)\r?\n)
    |(?P<variable>\$[A-Za-z_\x80-\U0010ffff][\w\x80-\U0010ffff]*)
    |(?P<number>0[xX][0-9a-fA-F_]+|0[bB][01_]+|(?:\d[\d_]*)?\.\d+(?:[eE][+-]?\d+)?
        |\d[\d_]*\.?(?:[eE][+-]?\d+)?)
    |(?P<name>\\?[A-Za-z_\x80-\U0010ffff][\w\\\x80-\U0010ffff]*)
    |(?P<single>'(?:[^'\\]|\\.)*')
    |(?P<double>"(?:[^"\\]|\\.)*")
    |(?P<shell>`(?:[^`\\]|\\.)*`)
    |(?P<unclosed>/\*|['"`])
    |(?P<operator>"""
    + "|".join(map(re.escape, OPERATORS))
    + r"|[-+*/%.=<>!?:;,(){}\[\]&|^~@$#])",
    re.VERBOSE | re.DOTALL,
)
OPENING_RE = re.compile(r"<\?(?:php(?=\s|\Z)|=)?", re.I)
SKIPPED = ("space", "comment")
SIMPLE_ESCAPES = {
    **{"n": "\n", "r": "\r", "t": "\t", "v": "\v", "e": "\x1b", "f": "\f"},
    **{"\\": "\\", "$": "$", '"': '"'},
}
ESCAPE_RE = re.compile(
    r"\\(?:(?P<simple>[nrtvef\\$\"])|(?P<octal>[0-7]{1,3})|x(?P<hex>[0-9A-Fa-f]{1,2})"
    r"|u\{(?P<code>[0-9A-Fa-f]+)\})"
)


class PhpToken(NamedTuple):
    """A token; of a string in double quotes the text is still as it is written."""

    kind: str  # variable, name, number, string (a value), template, heredoc, operator, …
    text: str
    line: int


def iter_tokens(source: str) -> Iterator[PhpToken]:
    """Yield the tokens of a file; what is outside `<?php … ?>` is left out."""
    position = 0
    while (
        opened := re.compile(r"<\?(php(?=\s|\Z)|=)?", re.I).search(source, position)
    ) is not None:
        position = yield from iter_code_tokens(source, opened.end())
    yield PhpToken("end", "", source.count("\n") + 1)


def iter_code_tokens(source: str, position: int, line: int = 0) -> Generator[PhpToken, None, int]:
    """Yield tokens up to `?>`; return where the code ends."""
    line = line or source.count("\n", 0, position) + 1
    while position < len(source):
        found = TOKEN_RE.match(source, position)
        if found is None:
            raise PhpSyntaxError(line, f"unexpected {source[position]!r}")
        kind, text, position = str(found.lastgroup), found[0], found.end()
        if kind == "unclosed":
            raise PhpSyntaxError(line, f"a {'comment' if text == '/*' else 'string'} has no end")
        if kind == "close":
            yield PhpToken("operator", ";", line)
            return position
        if found["label"]:
            token, position = read_heredoc(source, found, line)
            yield token
            line += source.count("\n", found.start(), position)
            continue
        if kind not in SKIPPED:
            yield build_token(kind, text, line)
        line += text.count("\n")
    return position


def build_token(kind: str, text: str, line: int) -> PhpToken:
    if kind == "single":
        return PhpToken("string", re.sub(r"\\([\\'])", r"\1", text[1:-1]), line)
    if kind == "double":
        return PhpToken("template", text[1:-1], line)
    return PhpToken(kind, text, line)


def read_heredoc(source: str, opened: re.Match[str], line: int) -> tuple[PhpToken, int]:
    """Return the text of a heredoc or nowdoc, and the position behind it."""
    closing_re = re.compile(rf"^(?P<indent>[ \t]*){opened['label']}\b", re.M)
    closed = closing_re.search(source, opened.end())
    if closed is None:
        raise PhpSyntaxError(line, f"the text <<<{opened['label']} has no end")
    body = re.sub(r"\r?\n\Z", "", source[opened.end() : closed.start()])
    if closed["indent"]:
        body = re.sub(rf"^{closed['indent']}", "", body, flags=re.M)
    kind = "string" if opened["quote"] == "'" else "heredoc"
    return PhpToken(kind, body, line), closed.end()


def unescape(text: str, quote: str = '"') -> str:
    """Return the text of a string in double quotes, or of a heredoc, without variables."""

    def replace(found: re.Match[str]) -> str:
        if (simple := found["simple"]) is not None:
            return found[0] if simple == '"' != quote else SIMPLE_ESCAPES[simple]
        if found["code"]:
            return chr(int(found["code"], 16))
        return chr(int(found["octal"], 8) & 0xFF if found["octal"] else int(found["hex"], 16))

    return ESCAPE_RE.sub(replace, text)
