"""A position among the tokens of a file of PHP."""

from collections.abc import Sequence

from mailboxes.postfixadmin.php_tokens import PhpToken
from mailboxes.postfixadmin.php_values import PhpSyntaxError

OPENING = {"(": ")", "[": "]", "{": "}"}


class Cursor:
    """A position among the tokens of a file."""

    def __init__(self, tokens: Sequence[PhpToken]) -> None:
        self.tokens, self.position = tokens, 0

    @property
    def token(self) -> PhpToken:
        return self.tokens[self.position]

    def advance(self) -> PhpToken:
        token = self.token
        if token.kind != "end":
            self.position += 1
        return token

    def sees(self, *texts: str, ahead: int = 0) -> bool:
        """Return whether an operator or name of these comes next."""
        index = min(self.position + ahead, len(self.tokens) - 1)
        token = self.tokens[index]
        return token.kind in ("operator", "name") and token.text.lower() in texts

    def accept(self, *texts: str) -> PhpToken | None:
        return self.advance() if self.sees(*texts) else None

    def expect(self, text: str) -> PhpToken:
        if not self.sees(text):
            raise PhpSyntaxError(self.token.line, f"expected {text} before {self.describe()}")
        return self.advance()

    def describe(self) -> str:
        return "the end of the file" if self.token.kind == "end" else repr(self.token.text[:40])

    def skip_group(self) -> None:
        """Leave out everything up to the bracket that closes this one."""
        opened = self.advance()
        closing = [OPENING[opened.text]]
        while closing:
            token = self.advance()
            if token.kind == "end":
                raise PhpSyntaxError(opened.line, f"{opened.text} is never closed")
            if token.kind == "operator" and token.text in OPENING:
                closing.append(OPENING[token.text])
            elif token.kind == "operator" and token.text == closing[-1]:
                closing.pop()
