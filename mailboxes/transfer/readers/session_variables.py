"""The variables that a dump sets: they say how its texts are written."""

from mailadmin.translation import gettext as _
from mailboxes.transfer.readers.literals import CODECS, ValueParser
from mailboxes.transfer.readers.sql_lexer import SQLScanner

MAX_SET_WORDS = 10_000  # in a SET statement
SESSION_KEYWORDS = {":", ".", "SESSION", "LOCAL", "@@SESSION", "@@LOCAL"}


class SessionVariables:
    """The session's variables; the scanner and the parser of values follow them."""

    def __init__(self, scanner: SQLScanner, value_parser: ValueParser) -> None:
        self.scanner, self.value_parser = scanner, value_parser
        self.variables = {"character_set_client": "utf8mb4", "sql_mode": ""}

    def parse_assignments(self, words: list[str]) -> None:
        """Set the variable of each `a = b`; expressions such as `a = b(c)` do not matter."""
        assignment = []
        for word in [*words, ","]:
            if word != ",":
                assignment.append(word)
                continue
            parts = [each for each in assignment if each.upper() not in SESSION_KEYWORDS]
            if len(parts) == 3 and parts[1] == "=":
                self.set_variable(normalize_variable_name(parts[0]), self.resolve_value(parts[2]))
            assignment = []

    def resolve_value(self, word: str) -> str:
        return (
            self.variables.get(normalize_variable_name(word), "") if word.startswith("@") else word
        )

    def set_variable(self, name: str, value: str) -> None:
        if len(self.variables) < MAX_SET_WORDS:
            self.variables[name] = value
        if name == "character_set_client":
            self.set_charset(value.strip("`").lower())
        elif name == "sql_mode":
            self.scanner.backslash_escapes = "NO_BACKSLASH_ESCAPES" not in value.upper().split(",")

    def set_charset(self, charset: str) -> None:
        if charset not in CODECS:
            text = _("The character set %(charset)s of the dump is not supported. Use utf8mb4.")
            raise self.scanner.error_here(text, charset=charset)
        self.value_parser.codec = CODECS[charset]

    def has_sql_mode(self, *modes: str) -> bool:
        return not set(modes).isdisjoint(self.variables["sql_mode"].upper().split(","))


def normalize_variable_name(name: str) -> str:
    """Return the name of a session variable; a user variable keeps its @."""
    return name.lower().removeprefix("@@")
